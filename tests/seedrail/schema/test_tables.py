"""Seed tables: their frozen form, and the declarations that cannot be seeded safely."""

import json
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from app.features.catalog import METADATA, seed_catalog
from app.features.machines import Machine
from seedrail import SeedCatalog, SeedSet, SeedTable, SetupError
from seedrail.schema.identity import canonical_json, seed_id
from seedrail.schema.tables import FrozenForeignKey, FrozenTable, freeze, in_foreign_key_order
from seedrail.schema.types import ColumnType

TABLES = seed_catalog().tables


@pytest.mark.parametrize("name", list(TABLES))
def test_a_table_is_read_back_from_a_header_as_it_was_written(name: str) -> None:
    entry = json.loads(canonical_json(TABLES[name].to_json()))
    assert FrozenTable.from_json(entry) == TABLES[name]


@pytest.mark.parametrize("name", list(TABLES))
def test_every_column_of_a_seed_table_is_seeded_or_declared_otherwise(name: str) -> None:
    frozen, table = TABLES[name], METADATA.tables[name]
    assert {frozen.id, *frozen.columns, *frozen.volatile} == set(table.columns.keys())
    for column, kind in frozen.columns.items():
        assert kind.nullable == table.columns[column].nullable
        assert kind.type == ColumnType.freeze(table.columns[column].type, column)


def test_the_frozen_simulations_know_their_keys_and_who_points_at_them() -> None:
    frozen = TABLES["simulations"]
    assert {name: str(key) for name, key in frozen.foreign_keys.items()} == {
        "created_by": "users.id?",
        "last_updated_by": "users.id?",
        "machine_id": "machines.id",
        "parent_id": "simulations.id",
    }
    assert [ref.table for ref in frozen.referenced_by] == ["artifacts", "external_links", "simulations"]


def test_parents_come_before_children_whatever_the_order_they_are_given_in() -> None:
    expected = ["machines", "simulations", "artifacts", "external_links"]
    for tables in (TABLES.values(), reversed(TABLES.values()), sorted(TABLES.values(), key=repr)):
        assert [table.name for table in in_foreign_key_order(tables)] == expected


@given(st.from_regex(r"[a-z_]+", fullmatch=True), st.from_regex(r"[a-z_]+", fullmatch=True), st.booleans())
def test_a_foreign_key_is_read_back_as_it_was_written(table: str, column: str, optional: bool) -> None:
    key = FrozenForeignKey(table, column, optional)
    assert FrozenForeignKey.parse(str(key)) == key


@pytest.mark.parametrize("text", ["", "users", "a.b.c", "?"])
def test_a_foreign_key_that_nobody_wrote_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="unpack"):
        FrozenForeignKey.parse(text)


def table(*columns: Any, name: str = "things", metadata: sa.MetaData | None = None) -> sa.Table:
    return sa.Table(name, metadata or sa.MetaData(), sa.Column("id", sa.Uuid, primary_key=True), *columns)


def name_column(**options: Any) -> sa.Column[str]:
    return sa.Column("name", sa.String(20), **{"nullable": False, **options})


def refusal(declared: sa.Table, key: tuple[str, ...] = ("name",), **options: Any) -> str:
    with pytest.raises(SetupError) as caught:
        freeze(SeedTable(declared, key, **options), "set")
    return str(caught.value)


def test_a_table_needs_one_uuid_as_its_primary_key() -> None:
    metadata = sa.MetaData()
    number = sa.Table("a", metadata, sa.Column("id", sa.Integer, primary_key=True), name_column(unique=True))
    pair = sa.Table(
        "b", metadata, sa.Column("x", sa.Uuid, primary_key=True), sa.Column("y", sa.Uuid, primary_key=True)
    )
    none = sa.Table("c", metadata, name_column(unique=True))
    for declared in (number, pair, none):
        assert "needs a primary key of one UUID column" in refusal(declared)


def test_a_natural_key_must_be_unique_not_null_and_there() -> None:
    assert "no such seeded column: nam" in refusal(table(name_column(unique=True)), ("nam",))
    assert "no such seeded column: created_at" in refusal(
        table(sa.Column("created_at", sa.String(5), unique=True, nullable=False)), ("created_at",)
    )
    assert "must be NOT NULL" in refusal(table(name_column(unique=True, nullable=True)))
    assert "no unique constraint covers the natural key (name)" in refusal(table(name_column()))
    assert "no unique constraint" in refusal(table(name_column(index=True)))
    wide = table(name_column(), sa.Column("b", sa.Integer, nullable=False), sa.UniqueConstraint("name", "b"))
    assert "no unique constraint" in refusal(wide)
    assert freeze(SeedTable(wide, ("b", "name")), "set").key == ("b", "name")


def test_an_index_is_as_good_as_a_constraint_only_if_it_holds_for_every_row() -> None:
    whole = table(name_column())
    sa.Index("ix", whole.c.name, unique=True)
    assert freeze(SeedTable(whole, ("name",)), "set").name == "things"
    partial = table(name_column())
    sa.Index("ix", partial.c.name, unique=True, postgresql_where=partial.c.name != "x")
    assert "no unique constraint" in refusal(partial)
    expression = table(name_column())
    sa.Index("ix", sa.func.lower(expression.c.name), unique=True)
    assert "no unique constraint" in refusal(expression)


def test_a_foreign_key_must_hold_the_id_of_one_row() -> None:
    metadata = sa.MetaData()
    table(name_column(unique=True), name="parents", metadata=metadata)
    child = table(
        name_column(unique=True), sa.Column("parent", sa.ForeignKey("parents.name")), metadata=metadata
    )
    assert refusal(child) == "things.parent: a seeded foreign key must hold the id of one row"


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb"])
def test_a_column_whose_name_no_row_can_be_read_into_is_refused(name: str) -> None:
    declared = table(name_column(unique=True), sa.Column(name, sa.Integer))
    assert "cannot have a quotation mark, a backslash" in refusal(declared)
    assert freeze(SeedTable(declared, ("name",), volatile=(name,)), "set").columns.keys() == {"name"}


def test_a_column_type_that_seeds_cannot_hold_is_named() -> None:
    declared = table(name_column(unique=True), sa.Column("blob", sa.LargeBinary))
    assert refusal(declared).startswith("things.blob: a seed table cannot hold the type")
    # Unless seeds leave it alone.
    assert "blob" not in freeze(SeedTable(declared, ("name",), volatile=("blob",)), "set").columns


def test_tables_that_point_at_each_other_are_refused() -> None:
    metadata = sa.MetaData()
    one = table(name_column(unique=True), sa.Column("b", sa.ForeignKey("b.id")), name="a", metadata=metadata)
    two = table(name_column(unique=True), sa.Column("a", sa.ForeignKey("a.id")), name="b", metadata=metadata)
    frozen = [freeze(SeedTable(declared, ("name",)), "set") for declared in (one, two)]
    with pytest.raises(SetupError, match="point at each other in a circle: a, b"):
        in_foreign_key_order(frozen)


def test_a_table_of_two_sets_is_refused(tmp_path) -> None:
    declared = SeedTable.of(Machine, key=("name",))
    sets = [
        SeedSet(name, tmp_path / name, BaseModel, lambda model: iter(()), (declared,))
        for name in ("one", "two")
    ]
    with pytest.raises(SetupError, match="filled by two seed sets: machines"):
        SeedCatalog(sets)


# -- seed ids --------------------------------------------------------------------------------------

KEYS = st.lists(st.text(max_size=5) | st.integers() | st.booleans(), min_size=1, max_size=3)


def test_seed_ids_are_these_for_ever() -> None:
    assert seed_id("machines", "lumi") == "c47019c7-bce9-5eee-aee3-c53acdf46094"
    assert seed_id("machines", "é😀") == "65c85b18-9dbb-59fe-90ce-4d530e8db14c"


@given(st.tuples(st.sampled_from("ab"), KEYS), st.tuples(st.sampled_from("ab"), KEYS))
def test_rows_have_one_seed_id_only_if_they_have_one_table_and_key(one: Any, other: Any) -> None:
    same = canonical_json([one[0], *one[1]]) == canonical_json([other[0], *other[1]])
    assert (seed_id(one[0], *one[1]) == seed_id(other[0], *other[1])) is same


def test_the_parts_of_a_key_do_not_run_into_each_other() -> None:
    ids = {
        seed_id("t", *key)
        for key in (("ab", "c"), ("a", "bc"), ("abc",), ("ab,c",), ('ab","c',), (1,), ("1",))
    }
    assert len(ids) == 7
