"""The table of settings: names, defaults and what they take from the class, meanings from its docstrings."""

from collections.abc import Iterator
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from app.core.config import Settings
from scripts.reference import told
from scripts.reference.told import code, docs_of


def table() -> str:
    """All settings."""
    docs = docs_of(Settings)
    return told.table(("setting", "means"), (_row(name, docs[name]) for name in Settings.model_fields))


def _row(name: str, means: str) -> Iterator[str]:
    field = Settings.model_fields[name]
    yield code(field.validation_alias or f"{Settings.model_config['env_prefix']}{name.upper()}")
    yield f"{means} {_takes(field)}".strip()


def _takes(field: FieldInfo) -> str:
    """A sentence of the values that it may have, where that is more than a text."""
    values = ", ".join(_values(field))
    if not values:
        return ""
    default = field.default
    shown = str(default).lower() if isinstance(default, bool) else str(default).removesuffix(".0")
    return f"{values}; default {code(shown)}."


def _values(field: FieldInfo) -> Iterator[str]:
    kind: Any = field.annotation
    if get_origin(kind) is Literal:
        yield from map(code, get_args(kind))
    elif isinstance(kind, type) and issubclass(kind, Enum):
        yield from (code(member.value) for member in kind)
    elif kind is bool:
        yield "`true`, `false`"
    elif kind in (int, float):
        bounds = {type(one).__name__: one for one in field.metadata}
        least = f"{bounds['Ge'].ge:g} to" if "Ge" in bounds else "Above 0, up to"
        yield f"{least} {bounds['Le'].le:,}"
