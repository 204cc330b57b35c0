"""Server defaults: what a column holds in rows that no document gives a value for."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import False_, Null, TextClause, True_

from seedrail.schema.types import ColumnType


@dataclass(frozen=True)
class ServerDefault:
    """A column's server default; `value` is its canonical value where it is `literal`, not computed."""

    type: ColumnType
    literal: bool = False
    value: Any = None

    def to_json(self) -> dict[str, Any]:
        """The default's entry in a change file's header."""
        return {"type": str(self.type), **({"value": self.value} if self.literal else {})}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "ServerDefault":
        """The default of an entry; KeyError or ValueError where it is malformed."""
        return cls(ColumnType.parse(entry["type"]), "value" in entry, entry.get("value"))


def server_default(column: sa.Column[Any], type_: ColumnType) -> ServerDefault | None:
    """A model's column's default, or None where it has none."""
    if column.server_default is None:
        return None
    try:
        return ServerDefault(type_, True, type_.canonical(_value(column.server_default, type_)))
    except (ValueError, ArithmeticError, TypeError):
        return ServerDefault(type_)


def _value(default: Any, type_: ColumnType) -> Any:
    """The Python value of a literal default; ValueError for one that the database computes."""
    argument = getattr(default, "arg", None)
    match argument:
        case str():
            return _parsed(argument, type_)
        case True_() | False_():
            return isinstance(argument, True_)
        case Null():
            return None
        case sa.BindParameter():
            return argument.value
        case TextClause():
            return _of_sql(argument.text, type_)
    raise ValueError("is computed")


# As SQL has them: NULL, a number, or a quoted text, which PostgreSQL may follow with its type.
_LITERAL = re.compile(
    r"\s*(?:(?P<null>null)|(?P<plain>true|false|[+-]?[0-9.]+(?:e[+-]?[0-9]+)?)|'(?P<quoted>(?:[^']|'')*)')"
    r"(?:::[\w \[\]\"().]+)?\s*",
    re.IGNORECASE,
)


def _of_sql(text: str, type_: ColumnType) -> Any:
    match = _LITERAL.fullmatch(text)
    if match is None:
        raise ValueError("is computed")
    if match["null"]:
        return None
    return _parsed(match["plain"] or match["quoted"].replace("''", "'"), type_)


_TOKENS = re.compile(
    r"""
    \s+ | [-+*/%|&~<>=(),\[\]]
    | [xben]?'(?P<text>(?:[^']|'')*)'
    | (?:0x[0-9a-f]+ | (?:[0-9]+\.?[0-9]* | \.[0-9]+)(?:e[+-]?[0-9]+)?)(?![\w.])
    | (?:null|true|false|not|and|or|array)\b(?!\s*\()
    | (?P<cast>::) (?:\w+|"[^"]+") (?:\.(?:\w+|"[^"]+"))? (?:\([0-9, ]+\))?
      (?:\s(?:varying|precision|with|without|time|zone|year|month|day|hour|minute|second|to)\b)*
      (?:\([0-9]+\))? (?:\[\])*
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""What constants are made of: literals, operators, casts and arrays, and no name of anything."""

_MOMENTS = ("now", "today", "tomorrow", "yesterday")


def constant_default(default: str | None) -> str | None:
    """A live column's default as SQL (NULL where it has none), or None where it may differ from row to row.

    A default that is computed (now(), nextval(…)) says nothing about whether a row was edited.
    """
    if default is None:
        return "NULL"
    end, casts, moment = 0, 0, False
    while end < len(default):
        token = _TOKENS.match(default, end)
        if token is None:
            return None
        end = token.end()
        casts += token["cast"] is not None
        moment |= (token["text"] or "").strip().lower().startswith(_MOMENTS)
    # 'now'::text::date is read anew for each row; with one cast, it was read when the column was made.
    return None if moment and casts > 1 else default


_BOOLEANS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise ValueError("is no boolean")
    return _BOOLEANS[text.lower()]


def _parsed(text: str, type_: ColumnType) -> Any:
    return _PARSERS.get(type_.kind, str)(text)


_PARSERS: dict[str, Callable[[str], Any]] = {
    "integer": int,
    "boolean": _boolean,
    "float": float,
    # One without an offset is no moment: canonical() refuses it.
    "timestamp": datetime.fromisoformat,
    "date": date.fromisoformat,
    "json": json.loads,
}
