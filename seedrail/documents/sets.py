"""Seed sets: what a feature hands to the engine, and the catalog of all of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel

from seedrail.errors import SetupError
from seedrail.quoting import escaped, quoted, shown
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
        if not isinstance(sets, Iterable):
            raise SetupError(
                f"a SeedCatalog takes a list of SeedSets, and not {_kind(sets)}: SeedCatalog([…])"
            )
        self.sets = tuple(sets)
        for one in self.sets:
            _check(one)
        _refuse_repeated("the name of two seed sets", [one.name for one in self.sets])
        names = [declared.table.name for one in self.sets for declared in one.tables]
        _refuse_repeated("filled by two seed sets", names)

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


def _refuse_repeated(what: str, names: Sequence[str]) -> None:
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise SetupError(f"{what}: {', '.join(sorted(map(shown, repeated)))}")


_SEVERAL = "a tuple of SeedTables", "(SeedTable.of(…),)"


def _check(one: object) -> None:
    """Raise SetupError for a declaration that Python takes, and that means something else."""
    if not isinstance(one, SeedSet):
        raise SetupError(f"a SeedCatalog holds SeedSets, and not {_kind(one)}")
    name, where = one.name, f"seed set {shown(one.name)}"
    named = isinstance(name, str) and name.strip() and "," not in name and name != "all"
    is_schema = isinstance(one.schema, type) and issubclass(one.schema, BaseModel)
    is_names = _is_several(one.refused_in) or isinstance(one.refused_in, (set, frozenset))
    _require(named, "a seed set", "name", "a text without commas that is not 'all'", name)
    _require(isinstance(one.document, Path), where, "document", "a pathlib.Path", one.document)
    _require(is_schema, where, "schema", "a class of pydantic.BaseModel", one.schema)
    _require(callable(one.flatten), where, "flatten", "a function that yields SeedRows", one.flatten)
    _require(is_names, where, "refused_in", "a frozenset of names", one.refused_in)
    _require(_is_several(one.tables), where, "tables", _SEVERAL[0], one.tables, _SEVERAL[1])
    _require(one.tables, where, "tables", "at least one SeedTable", one.tables)
    for table in one.tables:
        _require(isinstance(table, SeedTable), where, "tables", _SEVERAL[0], table)
        _check_table(table, where)


def _check_table(declared: SeedTable, where: str) -> None:
    table = declared.table
    if not isinstance(table, sa.Table):
        raise SetupError(f"{where}: a SeedTable is of a mapped class or a table, and not of {_kind(table)}")
    where = f"{where}: {table.name}"
    for part in ("key", "volatile", "missing_as_null"):
        names = getattr(declared, part)
        fine = _is_several(names) and all(isinstance(name, str) for name in names)
        _require(fine, where, part, "a tuple of names", names, "('name',)")
    _require(declared.key, where, "key", "at least one column", declared.key)
    links = {column.name for column in table.columns if column.foreign_keys}
    known = {*table.columns.keys(), *SeedTable.volatile}
    for part, kind, odd in (
        ("volatile", "column", set(declared.volatile) - known),
        ("missing_as_null", "foreign key", set(declared.missing_as_null) - links),
    ):
        if odd:
            raise SetupError(f"{where}: {part} names no {kind}: {', '.join(map(shown, sorted(odd)))}")


def _require(fine: object, where: str, what: str, kind: str, given: object, comma: str = "") -> None:
    if not fine:
        alone = comma and given is not None and not _is_several(given)
        remedy = f"\n  one alone has a comma behind it: {what}={comma}" if alone else ""
        raise SetupError(f"{where}: {what} must be {kind}, and not {_kind(given)}{remedy}")


def _is_several(given: object) -> bool:
    return isinstance(given, (tuple, list))


def _kind(given: object) -> str:
    """What somebody gave in place of what was asked for."""
    if isinstance(given, str):
        return quoted(given)
    if given is None or isinstance(given, (tuple, list)):
        return escaped(repr(given))
    return f"the class {given.__name__}" if isinstance(given, type) else f"one {type(given).__name__}"
