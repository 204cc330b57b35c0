"""How a seed set's document spells a row: by the keys of the set's schema, as far as it has fields for it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_origin

from pydantic import BaseModel

from seedrail.documents.sets import SeedCatalog, SeedSet
from seedrail.documents.suggest import fields_of, key_of, models_below, models_in
from seedrail.history.rownames import flat
from seedrail.integration.export.keys import LiveKeys
from seedrail.schema.tables import FrozenTable


@dataclass(frozen=True)
class Inside:
    """A table whose rows stand in a list inside of another's: under `key`, without their link to it."""

    table: FrozenTable
    key: str
    link: str
    link_key: str


class Speller:
    """Makes objects of canonical rows whose links are live ids."""

    def __init__(self, catalog: SeedCatalog, keys: LiveKeys) -> None:
        self.catalog, self.keys = catalog, keys
        self._models: dict[str, type[BaseModel]] = {}
        self._below: dict[str, list[Inside]] = {}

    def spelled(self, frozen: FrozenTable, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row: NULLs left out where they may be, links as the natural keys of what they lead to."""
        model = self.model(frozen)
        found: dict[str, Any] = {}
        for name, value in row.items():
            key, field = self._key(model, frozen, name)
            if value is not None:
                found[key] = self._value(frozen, name, value, field)
            elif field is not None and field.is_required():
                found[key] = None
        return found

    def model(self, frozen: FrozenTable) -> type[BaseModel]:
        """The model of the set's schema with most fields for a table's columns; of equal ones the outer."""
        if frozen.name not in self._models:
            models = models_below(self._set(frozen).schema)
            self._models[frozen.name] = max(models, key=lambda one: self._fitting(one, frozen))
        return self._models[frozen.name]

    def is_element(self, frozen: FrozenTable) -> bool:
        """Whether a row of the table is an element of its set's document."""
        return self.model(frozen) is self._set(frozen).schema

    def inside(self, frozen: FrozenTable) -> list[Inside]:
        """The tables of the same set whose natural key leads to this one, and that its model has lists of."""
        if frozen.name not in self._below:
            self._below[frozen.name] = list(self._find_inside(frozen))
        return self._below[frozen.name]

    def _find_inside(self, frozen: FrozenTable) -> Iterator[Inside]:
        for one in self.catalog.tables.values():
            links = [name for name in one.key if name in one.foreign_keys]
            link = next((name for name in links if one.foreign_keys[name].table == frozen.name), None)
            if link is None or one.set != frozen.set or one.name == frozen.name:
                continue
            model = self.model(one)
            for keys, field in fields_of(self.model(frozen)):
                if model in models_in(field.annotation) and _is_list(field.annotation):
                    yield Inside(one, keys[0], link, self._key(model, one, link)[0])
                    break

    def _fitting(self, model: type[BaseModel], frozen: FrozenTable) -> int:
        return sum(self._key(model, frozen, name)[1] is not None for name in frozen.columns)

    def _set(self, frozen: FrozenTable) -> SeedSet:
        return next(one for one in self.catalog.sets if one.name == frozen.set)

    def _key(self, model: type[BaseModel], frozen: FrozenTable, column: str) -> tuple[str, Any]:
        """The key for a column with its field; a link may stand under its name without `_id`."""
        names = [column, *([column.removesuffix("_id")] if column in frozen.foreign_keys else [])]
        found = (key_of(model, name) for name in names)
        return next((one for one in found if one is not None), (column, None))

    def _value(self, frozen: FrozenTable, column: str, value: Any, field: Any) -> Any:
        link = frozen.foreign_keys.get(column)
        if link is None or link.table not in self.catalog.tables:
            return value
        words = self.keys.words(link.table, value)
        parts = list(flat(words)) if words else [value]
        if len(parts) == 1 and field is not None and not list(models_in(field.annotation)):
            return parts[0]
        return self._reference(self.catalog.tables[link.table], value)

    def _reference(self, frozen: FrozenTable, id_: str) -> dict[str, Any]:
        """A natural key as an object, in the words of its own set."""
        return self.spelled(frozen, self.keys.of(frozen.name, id_) or {})


def _is_list(annotation: Any) -> bool:
    """Whether a field's values are lists, or may be."""
    origin = get_origin(annotation)
    if origin in (list, tuple):
        return True
    return any(_is_list(one) for one in getattr(annotation, "__args__", ())) if origin is not dict else False
