"""Which tables can be seeded: what is said agrees with what the engine takes."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from app.features.catalog import METADATA, seed_catalog
from seedrail import SeedTable, SetupError
from seedrail.integration.health.tables import CAN, CANNOT, SEEDED, Seedable, seedable
from seedrail.schema.tables import freeze
from seedrail.schema.uniques import uniques_of


def told(*columns: Any, name: str = "items", **options: Any) -> tuple[sa.Table, Seedable]:
    """A table with an id and a name, and more, beside one with an integer for its key."""
    metadata = sa.MetaData()
    sa.Table("numbered", metadata, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table("parents", metadata, sa.Column("id", sa.Uuid, primary_key=True))
    key = [] if any(isinstance(one, sa.Column) and one.primary_key for one in columns) else [
        sa.Column("id", sa.Uuid, primary_key=True)
    ]  # fmt: skip
    table = sa.Table(name, metadata, *key, *columns, **options)
    return table, next(one for one in seedable(metadata, {}) if one.name == table.key)


def named(**options: Any) -> sa.Column[Any]:
    return sa.Column("name", sa.String(50), **{"nullable": False, "unique": True, **options})


TABLES: list[tuple[list[Any], str]] = [
    ([named()], ""),
    ([named(), sa.Column("parent_id", sa.ForeignKey("parents.id"))], ""),
    ([named(), sa.Column("n", sa.Integer, sa.Computed("1"))], ""),
    ([named(), sa.Column("bytes", sa.LargeBinary)], ""),
    ([named(), sa.Column("bytes", sa.LargeBinary, nullable=False, server_default="x")], ""),
    ([named(), sa.Column("created_at", sa.DateTime, nullable=False, server_default=sa.func.now())], ""),
    ([sa.Column("a", sa.Integer, nullable=False), named(unique=False), sa.UniqueConstraint("a", "name")], ""),
    ([named(), sa.Column("id", sa.Integer, primary_key=True)], "a primary key of one UUID column"),
    ([named(), sa.Column("id", sa.Uuid(native_uuid=False), primary_key=True)], "the database's own type"),
    ([named(primary_key=True), sa.Column("id", sa.Uuid, primary_key=True)], "a primary key of one UUID"),
    ([named(unique=False)], "no unique constraint over columns that are NOT NULL"),
    ([named(nullable=True)], "of its unique columns (name) some may be NULL"),
    ([named(unique=False), sa.Index("u", "name", unique=True, sqlite_where=sa.text("1"))], "no natural key"),
    ([sa.Column("a", ARRAY(sa.Text), nullable=False, unique=True)], "cannot hold the type"),
    ([named(), sa.Column("a", sa.DateTime, nullable=False)], "cannot hold the type DateTime()"),
    ([named(), sa.Column("n", sa.ForeignKey("numbered.id"), nullable=False)], "numbered: a seed table needs"),
    (
        [
            named(),
            sa.Column("p", sa.Uuid, nullable=False),
            sa.Column("q", sa.Uuid, nullable=False),
            sa.ForeignKeyConstraint(["p", "q"], ["items.p", "items.q"]),
        ],
        "must hold the id of one row",
    ),
    ([named(), sa.Column("created_at", sa.DateTime, nullable=False, default=1)], "has no value for it"),
]


@pytest.mark.parametrize(("columns", "why"), TABLES, ids=[str(number) for number in range(len(TABLES))])
def test_what_is_said_of_a_table_is_what_the_engine_makes_of_it(columns: list[Any], why: str) -> None:
    table, one = told(*columns)
    reasons = " ".join(reason.told for reason in one.reasons)
    assert (one.state, why in reasons, bool(why) == bool(reasons)) == (CANNOT if why else CAN, True, True)
    assert all(reason.mend for reason in one.reasons if "leave native_uuid=False out" not in reason.told)
    volatile = (*SeedTable(table, ()).volatile, *(column.name for column in one.volatile))
    if not why:
        for key in one.keys:
            freeze(SeedTable(table, key, volatile=volatile), "set")
    elif "no value" not in why:
        for unique in uniques_of(table):
            with pytest.raises(SetupError):
                freeze(SeedTable(table, unique.columns, volatile=volatile), "set")


def test_every_key_is_named_and_none_with_a_column_that_cannot_be_seeded() -> None:
    _, one = told(
        named(),
        sa.Column("a", sa.Integer, nullable=False),
        sa.Column("b", sa.Integer, nullable=False),
        sa.Column("c", sa.DateTime, nullable=False, server_default="x"),
        sa.UniqueConstraint("a", "b"),
        sa.UniqueConstraint("a", "c"),
    )
    assert one.keys == (("a", "b"), ("name",))
    assert [column.name for column in one.volatile] == ["c"]


def test_a_schema_in_the_model_is_named_with_its_mend() -> None:
    _, one = told(named(), schema="elsewhere")
    assert (one.name, one.state) == ("elsewhere.items", CANNOT)
    assert one.reasons[0].told.startswith("the model puts the table items into the schema 'elsewhere'")
    assert one.reasons[0].mend.startswith("leave the schema out of the model")


def test_the_catalogs_tables_are_seeded_by_their_sets_and_nothing_is_in_the_way() -> None:
    declared = {table.table.name: (one.name, table) for one in seed_catalog().sets for table in one.tables}
    seeded = {one.name: one for one in seedable(METADATA, declared) if one.state == SEEDED}
    assert {name: one.set for name, one in seeded.items()} == {
        "artifacts": "simulations",
        "external_links": "simulations",
        "machines": "machines",
        "simulations": "simulations",
    }
    assert seeded["machines"].keys == (("name",),)
    assert not any(one.reasons for one in seeded.values())


def test_several_metadata_count_and_none_has_no_tables() -> None:
    others = [sa.MetaData(), sa.MetaData()]
    for number, metadata in enumerate(others):
        sa.Table(f"t{number}", metadata, sa.Column("id", sa.Uuid, primary_key=True), named())
    assert [one.name for one in seedable(others, {})] == ["t0", "t1"]
    assert seedable(None, {}) == ()
