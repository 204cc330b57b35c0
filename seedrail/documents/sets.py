"""Seed sets: what a feature hands to the engine, and the catalog of all of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel

from seedrail.errors import SetupError
from seedrail.schema.tables import FrozenTable, SeedTable, freeze


@dataclass(frozen=True)
class SeedRow:
    """One row that a document asks for.

    `values` are Python values for seeded columns, foreign keys as seed ids; a column left out is NULL.
    `path` is where the row stands inside its document's element, and `paths` where a column stands
    inside the row, for columns whose key is not simply their name.
    """

    table: str
    values: Mapping[str, Any]
    path: tuple[str | int, ...] = ()
    paths: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class SeedSet:
    """A named JSON document, its schema, and the tables it fills.

    The document is a list; each element is validated by `schema` and turned into rows by `flatten`.
    `refused_in` are the environments that the set only goes into when it is asked for.
    """

    name: str
    document: Path
    schema: type[BaseModel]
    flatten: Callable[[Any], Iterator[SeedRow]]
    tables: tuple[SeedTable, ...]
    refused_in: frozenset[str] = frozenset()


class SeedCatalog:
    """All seed sets of an application, and the tables they fill."""

    def __init__(self, sets: Iterable[SeedSet]) -> None:
        self.sets = tuple(sets)
        names = [declared.table.name for one in self.sets for declared in one.tables]
        repeated = {name for name in names if names.count(name) > 1}
        if repeated:
            raise SetupError(f"filled by two seed sets: {', '.join(sorted(repeated))}")

    def refused_in(self, seed_set: str) -> frozenset[str]:
        """The environments that a set needs asking for; none for a set that is declared no more."""
        return next((one.refused_in for one in self.sets if one.name == seed_set), frozenset())

    @cached_property
    def tables(self) -> dict[str, FrozenTable]:
        """Today's seed tables by name, frozen from the models."""
        return {
            declared.table.name: freeze(declared, one.name) for one in self.sets for declared in one.tables
        }

    @property
    def models(self) -> dict[str, sa.Table]:
        """Today's seed tables by name, as the models have them."""
        return {declared.table.name: declared.table for one in self.sets for declared in one.tables}
