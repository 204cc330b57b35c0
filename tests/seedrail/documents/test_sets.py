"""What a feature declares: what Python takes, and means something else, is refused by its name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from app.features.machines import Machine
from app.features.simulations import Simulation
from seedrail import SeedCatalog, SeedRow, SeedSet, SeedTable, SetupError


class Element(BaseModel):
    """An element of a document."""


def rows(_: Element) -> Iterator[SeedRow]:
    yield from ()


MACHINES = SeedTable.of(Machine, key=("name",))


def declared(**changed: Any) -> SeedSet:
    """A seed set that is right but for what is `changed`."""
    fine = {
        "name": "set",
        "document": Path("a.json"),
        "schema": Element,
        "flatten": rows,
        "tables": (MACHINES,),
    }
    return SeedSet(**{**fine, **changed})


def refusal(**changed: Any) -> str:
    with pytest.raises(SetupError) as caught:
        SeedCatalog([declared(**changed)])
    return str(caught.value)


def of_table(**changed: Any) -> str:
    return refusal(tables=(SeedTable(**{"table": Machine.__table__, "key": ("name",), **changed}),))


COMMA = "\n  one alone has a comma behind it: "


def test_what_is_declared_well_is_taken() -> None:
    links = SeedTable.of(Simulation, key=("case_name",), missing_as_null=("created_by",))
    others = [SeedTable.of(Machine.__table__, ["name"]), links]  # type: ignore[arg-type] -- a list will do
    catalog = SeedCatalog(iter([declared(tables=others, refused_in={"production"})]))
    assert list(catalog.models) == ["machines", "simulations"]


def test_one_table_or_name_without_its_comma_is_told_of_the_comma() -> None:
    assert refusal(tables=MACHINES) == (
        f"seed set set: tables must be a tuple of SeedTables, and not one SeedTable{COMMA}"
        "tables=(SeedTable.of(…),)"
    )
    assert of_table(key="name") == (
        f"seed set set: machines: key must be a tuple of names, and not 'name'{COMMA}key=('name',)"
    )
    assert "volatile must be a tuple of names, and not 'notes'" + COMMA in of_table(volatile="notes")
    assert COMMA + "missing_as_null=('name',)" in of_table(missing_as_null="site")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"tables": ()}, "tables must be at least one SeedTable, and not ()"),
        ({"tables": None}, "tables must be a tuple of SeedTables, and not None"),
        ({"tables": (Machine,)}, "tables must be a tuple of SeedTables, and not the class Machine"),
        ({"document": "a.json"}, "document must be a pathlib.Path, and not 'a.json'"),
        ({"document": None}, "document must be a pathlib.Path, and not None"),
        ({"schema": Element()}, "schema must be a class of pydantic.BaseModel, and not one Element"),
        ({"schema": dict}, "schema must be a class of pydantic.BaseModel, and not the class dict"),
        ({"flatten": None}, "flatten must be a function that yields SeedRows, and not None"),
        ({"refused_in": "production"}, "refused_in must be a frozenset of names, and not 'production'"),
        ({"name": None}, "name must be a text without commas that is not 'all', and not None"),
        ({"name": "all"}, "that is not 'all', and not 'all'"),
        ({"name": "a, b"}, "without commas"),
        ({"name": " "}, "and not ' '"),
    ],
)
def test_each_part_of_a_set_is_what_it_should_be(changed: dict[str, Any], words: str) -> None:
    assert words in refusal(**changed)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"table": "machines"}, "a SeedTable is of a mapped class or a table, and not of 'machines'"),
        ({"key": ()}, "key must be at least one column, and not ()"),
        ({"key": None}, "key must be a tuple of names, and not None"),
        ({"key": (("name",),)}, "key must be a tuple of names, and not (('name',),)"),
        ({"volatile": ("nots",)}, "volatile names no column: nots"),
        ({"missing_as_null": ("site",)}, "missing_as_null names no foreign key: site"),
    ],
)
def test_each_part_of_a_table_is_what_it_should_be(changed: dict[str, Any], words: str) -> None:
    assert words in of_table(**changed)


def test_a_catalog_is_of_sets_of_different_names() -> None:
    for given, words in [
        (declared(), "a SeedCatalog takes a list of SeedSets, and not one SeedSet: SeedCatalog([…])"),
        (None, "and not None"),
        ([MACHINES], "a SeedCatalog holds SeedSets, and not one SeedTable"),
        ([declared(), declared()], "the name of two seed sets: set"),
    ]:
        with pytest.raises(SetupError) as caught:
            SeedCatalog(given)  # type: ignore[arg-type] -- as somebody may write it
        assert words in str(caught.value)
