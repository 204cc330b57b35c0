"""Seeded tables that change: what becomes of rows where columns and tables come, go or are renamed."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from seedrail import ConflictError, SeedError, SetupError
from seedrail.errors import StateError
from tests.support.databases import Database, Servers
from tests.support.evolving import PLAIN, REQUIRED, Evolving, Step
from tests.support.items import Items

ROWS = {"ada": {"one": "a"}, "bob": {"one": "b"}}
CHILDREN = {"ada": ["x", "y"]}
START = Step({"one": PLAIN}, ROWS, CHILDREN)


@pytest.fixture
def new(database: Database, servers: Servers, tmp_path: Path) -> Iterator[Database]:
    """Another database, which is empty."""
    (tmp_path / "new").mkdir()
    with servers.database(database.kind, tmp_path / "new") as other:
        yield other


@pytest.fixture
def project(database: Database, tmp_path: Path) -> Evolving:
    """A project whose first seed revision is applied."""
    made = Evolving.opened(database, tmp_path / "project")
    made.ship(database, START)
    return made


def claims(database: Database) -> int:
    return int(database.scalar("SELECT count(*) FROM seed_claims"))


def without(column: str) -> dict[str, dict[str, str | None]]:
    return {row: {n: v for n, v in values.items() if n != column} for row, values in ROWS.items()}


def lines(project: Evolving, revision: str) -> Sequence[dict[str, object]]:
    """What a change file says after its header."""
    text = (project.root / "seeds" / f"{revision}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()[1:]]


# -- tables


def test_a_table_that_leaves_the_seeds_is_done_with_after_one_revision(
    project: Evolving, database: Database, new: Database
) -> None:
    project.ship(database, replace(START, seeded=False))
    assert {(line["table"], str(line["row"])) for line in lines(project, "seed_0002")} == {
        ("children", "{'parent_id': {'name': 'ada'}, 'name': 'x'}"),
        ("children", "{'parent_id': {'name': 'ada'}, 'name': 'y'}"),
    }
    project.run(database, "check")
    project.ship(database, replace(START, rows={"ada": {"one": "other"}}, seeded=False))
    assert {line["table"] for line in lines(project, "seed_0003")} == {"parents"}
    project.run(new, "upgrade", "head")
    assert project.rows(new) == project.rows(database) == {"parents": {("ada", "other")}, "children": set()}
    project.run(database, "downgrade", "seed_0001")
    assert project.rows(database)["children"] == {("x",), ("y",)}


def test_rows_of_a_table_that_was_released_come_to_new_databases_and_go_with_a_rollback(
    project: Evolving, database: Database, new: Database
) -> None:
    project.ship(database, replace(START, seeded=False, release=True))
    project.run(database, "check")
    project.run(new, "upgrade", "head")
    for one in (database, new):
        assert project.rows(one)["children"] == {("x",), ("y",)}
        project.run(one, "downgrade", "seed_base")
        assert project.rows(one) == {"parents": set(), "children": set()}


def test_a_table_that_comes_again_has_its_rows_again(
    project: Evolving, database: Database, new: Database
) -> None:
    project.ship(database, replace(START, seeded=False))
    project.ship(database, START)
    assert {line["table"] for line in lines(project, "seed_0003")} == {"children"}
    project.run(new, "upgrade", "head")
    for one in (database, new):
        assert project.rows(one)["children"] == {("x",), ("y",)}
        for stop in ("seed_0002", "seed_0001", "seed_base"):
            project.run(one, "downgrade", stop)
        assert project.rows(one) == {"parents": set(), "children": set()}


def test_rows_go_with_the_table_that_a_schema_revision_drops(
    project: Evolving, database: Database, new: Database
) -> None:
    project.ship(database, replace(START, table=False, seeded=False))
    project.run(database, "check")
    project.run(new, "upgrade", "head")
    for one in (database, new):
        project.run(one, "downgrade", "seed_0001")
        assert "children" not in one.tables()
        project.run(one, "upgrade", "head")
        project.run(one, "downgrade", "seed_base")
        assert project.rows(one) == {"parents": set()}


def test_a_table_that_is_dropped_and_comes_again_has_its_rows_in_a_database_that_jumps(
    project: Evolving, database: Database, new: Database
) -> None:
    project.run(new, "upgrade", "head")
    project.ship(database, replace(START, table=False, seeded=False))
    project.ship(database, START)
    project.run(new, "upgrade", "head")
    for one in (database, new):
        assert project.rows(one)["children"] == {("x",), ("y",)}
        assert claims(one) == 0
        project.run(one, "downgrade", "seed_base")
        assert project.rows(one) == {"parents": set(), "children": set()}


def test_a_table_that_comes_to_another_set_takes_its_rows_along(
    project: Evolving, database: Database, new: Database
) -> None:
    rows = {"ada": {"one": "other"}, "bob": {"one": "b"}}
    project.ship(database, replace(START, rows=rows, set="people"))
    project.run(new, "upgrade", "head")
    for one in (database, new):
        assert project.rows(one)["parents"] == {("ada", "other"), ("bob", "b")}
        assert claims(one) == 0
        project.run(one, "downgrade", "seed_0001")
        assert project.rows(one)["parents"] == {("ada", "a"), ("bob", "b")}
        project.run(one, "upgrade", "head")
        project.run(one, "downgrade", "seed_0001")
        project.run(one, "downgrade", "seed_base")
        assert project.rows(one) == {"parents": set(), "children": set()}


def test_a_table_whose_set_was_left_out_waits_for_that_set(
    project: Evolving, database: Database, new: Database
) -> None:
    rows = {"ada": {"one": "a"}, "bob": {"one": "other"}}
    project.ship(database, replace(START, rows=rows, apart=True), seed_sets="all")
    project.run(new, "upgrade", "head")
    assert project.rows(new)["children"] == set()
    project.ship(database, START, seed_sets="all")
    assert project.rows(database)["children"] == {("x",), ("y",)}
    with pytest.raises(
        StateError,
        match=r"(?s)children changes .* kids is at seed_base.*seed_0002, with",
    ):
        project.run(new, "upgrade", "head")
    project.run(new, "upgrade", "seed_0002", options={"seed_sets": "all"})
    project.run(new, "upgrade", "head")
    assert project.rows(new) == project.rows(database)


@pytest.mark.parametrize("key", [("parent_id",), ("name",)])
def test_refuses_a_renamed_table_whatever_its_key(
    project: Evolving, database: Database, key: tuple[str, ...]
) -> None:
    step = replace(START, children={"ada": ["x"], "bob": ["y"]})
    project.ship(database, step)
    with pytest.raises(SetupError, match="children goes, and kids comes with the same rows"):
        project.ship(database, replace(step, child="kids", key=key))


def test_refuses_to_take_a_renamed_table_for_one_that_goes_and_another_that_comes(
    project: Evolving, database: Database
) -> None:
    files = sorted(project.root.rglob("*"))
    with pytest.raises(SetupError, match="children goes, and kids comes with the same rows; no revision"):
        project.ship(database, replace(START, child="kids"))
    assert sorted(project.root.rglob("*")) == files


# -- columns


def test_a_column_that_comes_again_has_its_values_again(
    project: Evolving, database: Database, new: Database
) -> None:
    project.ship(database, replace(START, columns={}, rows=without("one")))
    project.ship(database, START)
    assert [line["new"] for line in lines(project, "seed_0003")] == [{"one": "a"}, {"one": "b"}]
    project.run(new, "upgrade", "head")
    for one in (database, new):
        assert project.rows(one)["parents"] == {("ada", "a"), ("bob", "b")}
        project.run(one, "downgrade", "seed_0001")
        assert project.rows(one)["parents"] == {("ada", None), ("bob", None)}
        project.run(one, "downgrade", "seed_base")
        assert project.rows(one)["parents"] == set()


def test_a_column_that_comes_again_is_empty_where_the_documents_say_nothing(
    project: Evolving, database: Database, new: Database
) -> None:
    project.ship(database, replace(START, columns={}, rows=without("one")))
    project.ship(database, replace(START, rows={"ada": {"one": None}, "bob": {"one": "b"}}))
    project.run(new, "upgrade", "head")
    assert project.rows(new)["parents"] == project.rows(database)["parents"] == {("ada", None), ("bob", "b")}
    project.run(new, "check")


def test_an_edit_of_a_column_that_came_again_is_one(project: Evolving, database: Database) -> None:
    project.ship(database, replace(START, columns={}, rows=without("one")))
    project.ship(database, START)
    database.execute("UPDATE parents SET one = 'mine' WHERE name = 'ada'")
    with pytest.raises(ConflictError, match="one was changed from 'a' to 'mine'"):
        project.run(database, "downgrade", "seed_base")


def test_what_was_met_in_a_column_says_nothing_of_another_one_with_its_name(
    project: Evolving, database: Database
) -> None:
    database.execute("UPDATE parents SET one = 'mine' WHERE name = 'ada'")
    rows = {"ada": {"one": "seeded"}, "bob": {"one": "b"}}
    project.ship(database, replace(START, rows=rows), seed_conflict="overwrite")
    assert claims(database) == 1
    project.ship(database, replace(START, columns={}, rows=without("one")))
    project.ship(database, START)
    project.run(database, "downgrade", "seed_base")
    assert project.rows(database)["parents"] == set()


def test_a_schema_revision_that_needs_what_earlier_seeds_wrote_says_how_it_has_that(
    project: Evolving, database: Database, new: Database
) -> None:
    project.run(new, "upgrade", "head")
    columns, rows = {"one": PLAIN, "two": PLAIN}, {row: {**v, "two": "t"} for row, v in ROWS.items()}
    project.ship(database, replace(START, columns=columns, rows=rows))
    project.ship(database, replace(START, columns={**columns, "two": REQUIRED}, rows=rows))
    with pytest.raises(SeedError, match=r"(?s)failed: .*two.*run alembic upgrade seed_0002 first"):
        project.run(new, "upgrade", "head")
    for stop in ("seed_0002", "head"):
        project.run(new, "upgrade", stop)
    assert project.rows(new) == project.rows(database)


def test_a_column_that_a_schema_revision_renames_keeps_its_values_and_is_nobodys_edit(
    project: Evolving, database: Database, new: Database
) -> None:
    values = {row: {"two": of_row["one"]} for row, of_row in ROWS.items()}
    project.ship(database, replace(START, columns={"two": PLAIN}, rows=values, renamed=("two", "one")))
    assert project.rows(database)["parents"] == {("ada", "a"), ("bob", "b")}
    assert claims(database) == 0
    project.run(new, "upgrade", "head")
    assert project.rows(new) == project.rows(database)
    project.run(database, "downgrade", "seed_base")
    assert project.rows(database)["parents"] == set()


def test_what_somebody_wrote_into_a_column_before_it_was_seeded_is_theirs(
    project: Evolving, database: Database
) -> None:
    """Between the schema's run and the seeds' anybody may write."""
    columns = {"one": PLAIN, "two": PLAIN}
    rows = {row: {**values, "two": "seeded"} for row, values in ROWS.items()}
    project.step = replace(START, columns=columns)
    database.execute("ALTER TABLE parents ADD COLUMN two VARCHAR(20)")
    database.execute("UPDATE parents SET two = 'seeded' WHERE name = 'ada'")
    project.ship(database, replace(START, columns=columns, rows=rows))
    assert claims(database) == 1
    with pytest.raises(ConflictError, match="ada"):
        project.run(database, "downgrade", "seed_base")


def test_a_column_that_must_have_a_value_keeps_it_below_the_seed_that_gave_it(
    project: Evolving, database: Database, new: Database
) -> None:
    rows = {row: {**values, "two": "filled"} for row, values in ROWS.items()}
    project.ship(database, replace(START, columns={"one": PLAIN, "two": REQUIRED}, rows=rows))
    assert claims(database) == 0
    project.run(new, "upgrade", "head")
    for one in (database, new):
        project.run(one, "downgrade", "seed_0001")
        assert project.rows(one)["parents"] == {("ada", "a", "filled"), ("bob", "b", "filled")}
        project.run(one, "downgrade", "seed_base")
        project.run(one, "upgrade", "seed_0001")
        project.run(one, "upgrade", "head")
        assert claims(one) == 0
        project.run(one, "downgrade", "seed_base")
        assert project.rows(one)["parents"] == set()


def test_what_a_schema_revision_filled_in_gives_way_to_the_documents_value(
    project: Evolving, database: Database, new: Database
) -> None:
    rows = {row: {**values, "two": "own"} for row, values in ROWS.items()}
    project.ship(database, replace(START, columns={"one": PLAIN, "two": REQUIRED}, rows=rows))
    project.run(new, "upgrade", "head")
    assert project.rows(database) == project.rows(new)
    assert project.rows(new)["parents"] == {("ada", "a", "own"), ("bob", "b", "own")}


def test_refuses_to_bring_back_a_row_with_nothing_for_a_column_that_must_have_a_value(
    project: Evolving, database: Database
) -> None:
    rows = {"bob": {"one": "b", "two": "filled"}}
    project.ship(database, Step({"one": PLAIN, "two": REQUIRED}, rows))
    with pytest.raises(SetupError, match="1 row of parents would come with seed_0001, and nothing is known"):
        project.run(database, "downgrade", "seed_0001")
    assert project.rows(database)["parents"] == {("bob", "b", "filled")}
    project.run(database, "downgrade", "seed_base")
    assert project.rows(database)["parents"] == set()


# -- natural keys


def test_a_natural_key_in_another_order_is_another_and_its_rows_change_places(
    project: Evolving, database: Database, new: Database
) -> None:
    project.ship(database, replace(START, key=("name", "parent_id")))
    assert [("old" in line, "new" in line) for line in lines(project, "seed_0002")].count((False, True)) == 2
    project.run(new, "upgrade", "head")
    for one in (database, new):
        assert project.rows(one)["children"] == {("x",), ("y",)}
        project.run(one, "downgrade", "seed_0001")
        assert project.rows(one)["children"] == {("x",), ("y",)}
        project.run(one, "downgrade", "seed_base")
        assert project.rows(one)["children"] == set()


def test_a_name_in_other_letters_takes_the_place_of_the_one_that_its_unique_key_holds_equal(
    servers: Servers, tmp_path: Path
) -> None:
    # SQLite's alone: a PostgreSQL has such collations where it was built with ICU.
    ddl = "CREATE TABLE items (id CHAR(32) PRIMARY KEY, name VARCHAR(50) COLLATE NOCASE NOT NULL UNIQUE)"
    with servers.database("sqlite", tmp_path) as database:
        items = Items(database, tmp_path, ddl=ddl)
        items.ship({"name": "lumi"})
        items.ship({"name": "LUMI"})
        assert set(items.values("name")) == {"LUMI"}
        items.downgrade("seed_0001")
        assert set(items.values("name")) == {"lumi"}
        items.downgrade()
        assert items.values("name") == {}
