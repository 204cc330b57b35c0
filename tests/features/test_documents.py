"""The documents' schemas and the tables' columns say the same."""

import types
import typing
from enum import Enum
from typing import Any

import annotated_types
import pytest
from pydantic import BaseModel, StringConstraints
from pydantic.fields import FieldInfo

from app.features.catalog import METADATA, seed_catalog
from app.features.documents import Document
from app.features.machines.schemas import MachineDocument
from app.features.simulations.schemas import (
    ArtifactDocument,
    LinkDocument,
    ParentReference,
    SimulationDocument,
)
from seedrail.documents.documents import read_rows
from tests.support.documents import Documents, artifact, machine, parent, simulation

SCHEMAS: dict[str, type[Document]] = {
    "machines": MachineDocument,
    "simulations": SimulationDocument,
    "artifacts": ArtifactDocument,
    "external_links": LinkDocument,
}
LINKS = {"machine_id": "machine", "parent_id": "parent"}
"""Columns that a document fills with a reference."""
DERIVED = {"simulation_id"}
"""Columns that follow from where an element stands."""
CHILDREN = {"artifacts", "links"}
TABLES = seed_catalog().tables

FIELDS = [
    pytest.param(table, name, field, id=f"{table}.{name}")
    for table, schema in SCHEMAS.items()
    for name, field in schema.model_fields.items()
    if name not in CHILDREN
]


def column_of(table: str, field: str) -> str:
    return {key: column for column, key in LINKS.items()}.get(field, field)


def constraint(field: FieldInfo, kind: type, name: str) -> Any:
    """A limit of a field, also one inside `… | None`."""
    found: list[Any] = list(field.metadata)
    for branch in typing.get_args(field.annotation):
        found += getattr(branch, "__metadata__", ())
    for one in found:
        if isinstance(one, kind | StringConstraints) and getattr(one, name, None) is not None:
            return getattr(one, name)
    return None


def plain_type(field: FieldInfo) -> Any:
    """The field's type without `None` and constraints."""
    branches = typing.get_args(field.annotation) if _is_union(field.annotation) else (field.annotation,)
    (kind,) = (one for one in branches if one is not type(None))
    return typing.get_args(kind)[0] if typing.get_origin(kind) is typing.Annotated else kind


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


@pytest.mark.parametrize("table", list(SCHEMAS))
def test_every_column_is_reached_from_a_key_and_every_key_has_a_column(table: str) -> None:
    fields = {column_of(table, name) for name in SCHEMAS[table].model_fields} - CHILDREN
    assert fields | (DERIVED & set(TABLES[table].columns)) == set(TABLES[table].columns)


@pytest.mark.parametrize(("table", "name", "field"), FIELDS)
def test_a_key_is_required_exactly_where_the_column_is_not_null(
    table: str, name: str, field: FieldInfo
) -> None:
    column = METADATA.tables[table].columns[column_of(table, name)]
    optional = _is_union(field.annotation) and type(None) in typing.get_args(field.annotation)
    assert optional == column.nullable
    assert field.is_required() == (not column.nullable and column.server_default is None)


@pytest.mark.parametrize(("table", "name", "field"), FIELDS)
def test_a_key_takes_exactly_as_many_characters_as_its_column(
    table: str, name: str, field: FieldInfo
) -> None:
    frozen = TABLES[table].columns[column_of(table, name)]
    kind = plain_type(field)
    longest = constraint(field, annotated_types.MaxLen, "max_length")
    if isinstance(kind, type) and issubclass(kind, Enum):
        assert frozen.type.length is not None
        assert max(len(member.value) for member in kind) <= frozen.type.length
    elif kind is str:
        assert longest == frozen.type.length
        assert frozen.type.kind == ("text" if longest is None else "string")
    else:
        assert frozen.type.length is None


@pytest.mark.parametrize(("table", "name", "field"), FIELDS)
def test_a_key_is_of_its_columns_kind(table: str, name: str, field: FieldInfo) -> None:
    kind = plain_type(field)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        assert column_of(table, name) in LINKS
        return
    name_ = "str" if isinstance(kind, type) and issubclass(kind, Enum) else getattr(kind, "__name__", "dict")
    expected = {"str": {"string", "text"}, "int": {"integer"}, "bool": {"boolean"}, "datetime": {"timestamp"}}
    expected |= {"UUID": {"uuid"}, "dict": {"json"}}
    assert TABLES[table].columns[column_of(table, name)].type.kind in expected[name_]


@pytest.mark.parametrize("table", list(SCHEMAS))
def test_no_part_of_a_natural_key_is_optional(table: str) -> None:
    fields = SCHEMAS[table].model_fields
    for column in set(TABLES[table].key) - DERIVED:
        assert fields[LINKS.get(column, column)].is_required()


def test_a_parent_is_referred_to_by_the_whole_natural_key() -> None:
    named = {column_of("simulations", name) for name in ParentReference.model_fields}
    assert named == set(TABLES["simulations"].key)


@pytest.mark.parametrize("schema", [*SCHEMAS.values(), ParentReference])
def test_keys_are_camel_case_and_nothing_is_coerced_or_dropped(schema: type[Document]) -> None:
    for name, field in schema.model_fields.items():
        head, *rest = name.split("_")
        assert field.alias == head + "".join(part.capitalize() for part in rest)
    config = schema.model_config
    assert (config["extra"], config["strict"], config["validate_by_name"]) == ("forbid", True, False)


@pytest.mark.parametrize("table", ["artifacts", "external_links", "simulations"])
def test_the_values_of_an_enum_are_those_that_the_database_allows(table: str) -> None:
    for name, field in SCHEMAS[table].model_fields.items():
        kind = plain_type(field)
        if isinstance(kind, type) and issubclass(kind, Enum):
            assert METADATA.tables[table].columns[name].type.enums == [one.value for one in kind]


def test_an_element_that_sets_everything_fills_every_column(tmp_path) -> None:
    moment, user = "2015-01-01T00:00:00Z", "6f1d2a5e-7f52-4b13-9a52-0d5b6f3a9c11"
    values: dict[str, Any] = {}
    for field in SimulationDocument.model_fields.values():
        kind = getattr(plain_type(field), "__name__", "dict")
        example = {"str": "x", "datetime": moment, "UUID": user, "dict": {"a": 1}}.get(kind)
        if example is not None and field.alias:
            values[field.alias] = example
    values |= simulation("x", machine={"name": "m"})
    values |= {
        "parent": parent("p", "m"),
        "artifacts": [artifact(label="l", checksum="c", sizeBytes=0)],
        "links": [{"kind": "docs", "url": "u", "label": "l"}],
        "extra": {"a": 1},
    }
    documents = Documents(tmp_path).write(
        machines=[machine("m", gpu=True, notes="n")],
        simulations=[values, simulation("p", machine={"name": "m"})],
    )
    rows = read_rows(documents.catalog)
    for table, found in rows.items():
        filled = {name for row in found.values() for name, value in row.items() if value is not None}
        assert filled == set(TABLES[table].columns)
