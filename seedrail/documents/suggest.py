"""What keys a document's schema has: which one an unknown one comes near to, and which a column has."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo

_NEAR = 0.75
"""From here on a key is near enough, on difflib's scale up to 1."""

_LONGEST = 100
"""Characters; to compare what is longer takes long, and no key is."""


def nearest_key(schema: type[BaseModel], location: Sequence[str | int]) -> str | None:
    """The known key that the unknown one, the last of pydantic's location, may mean."""
    *above, unknown = location
    if not isinstance(unknown, str) or len(unknown) > _LONGEST:
        return None
    models = [schema]
    for part in above:
        models = list(_inside(models, part))
    known: dict[str, str] = {}
    for key in (key for model in models for field in fields_of(model) for key in field[0]):
        known.setdefault(_plain(key), key)
    near = get_close_matches(_plain(unknown), known, n=1, cutoff=_NEAR)
    return known[near[0]] if near else None


def _plain(key: str) -> str:
    """A key without what tells one way of spelling from another."""
    return key.replace("_", "").replace("-", "").casefold()


def _inside(models: Iterable[type[BaseModel]], part: str | int) -> Iterator[type[BaseModel]]:
    """The models below a part of a location: a field's, or the same for an index or a branch of a union."""
    for model in models:
        annotations = [field.annotation for keys, field in fields_of(model) if part in keys]
        if annotations:
            yield from (one for annotation in annotations for one in models_in(annotation))
        else:
            yield model


def fields_of(model: type[BaseModel]) -> Iterator[tuple[list[str], FieldInfo]]:
    """A model's fields with the keys that documents may give them."""
    by_name = bool(model.model_config.get("validate_by_name") or model.model_config.get("populate_by_name"))
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        keys = [choice for choice in choices if isinstance(choice, str)]
        yield [*keys, *([name] if by_name or not keys else [])], field


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a value of an annotation may be of, or hold as a member of a list or a mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Annotated, Union, UnionType, list, tuple, dict, set, frozenset):
        for part in get_args(annotation):
            yield from models_in(part)


def models_below(schema: type[BaseModel]) -> list[type[BaseModel]]:
    """A model and those of what it holds, each once, from the outside in."""
    found = [schema]
    for model in found:
        inside = (one for _, field in fields_of(model) for one in models_in(field.annotation))
        found += [one for one in dict.fromkeys(inside) if one not in found]
    return found


def key_of(model: type[BaseModel], name: str) -> tuple[str, FieldInfo] | None:
    """The key that documents have for a field, and the field; None where the model has none of that name."""
    field = model.model_fields.get(name)
    if field is None:
        return None
    return next((keys[0] for keys, one in fields_of(model) if one is field and keys), name), field
