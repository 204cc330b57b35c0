"""`assert_round_trip` on a project of somebody else, and on this one's own history."""

from typing import Any

import pytest

from seedrail.schema.tables import FrozenTable
from seedrail.testing.content import Rows, differences
from tests.seedrail.testing.conftest import Shop, said
from tests.support.project import Project


def fails(shop: Shop) -> str:
    outcome = shop.pytest("tests/test_seeds.py")
    assert "1 failed" in outcome.out, outcome.text
    return said(outcome).replace(" E ", " ")


@pytest.mark.long_on("postgresql")
def test_rows_that_are_gone_or_new_are_named(shop: Shop) -> None:
    shop.help_itself("DELETE FROM authors WHERE name LIKE 'Ada %'")
    assert "authors ('Ada Lovelace') is gone" in fails(shop)


@pytest.mark.long_on("sqlite")
def test_a_row_that_a_way_down_leaves_is_new(shop: Shop) -> None:
    id_ = "'3a5e7f10000040008000000000000001'"
    shop.help_itself(f"INSERT INTO authors (id, name) VALUES ({id_}, 'Nobody')", way="downgrade")
    assert "authors ('Nobody') is new" in fails(shop)


@pytest.mark.long_on("postgresql")
def test_a_document_that_no_revision_ships_fails_the_check(shop: Shop) -> None:
    shop.edit("library/authors.json", "280", "281")
    assert "alembic check: New upgrade operations detected" in fails(shop)


OWN = """
import pytest
import sqlalchemy as sa
from seedrail.testing import assert_round_trip

def people(connection):
    values = "'CSC', 'x86', 'slurm', false, '2020-01-01', '2020-01-01'"
    columns = "id, name, site, architecture, scheduler, gpu, created_at, updated_at"
    for number, name in enumerate(("mine", "lumi")):
        id_ = f"'3a5e7f1000004000800000000000000{number}'"
        connection.execute(sa.text(f"INSERT INTO machines ({columns}) VALUES ({id_}, '{name}', {values})"))

def test_it_leads_back_where_edits_are_kept(empty_database):
    empty_database.options = ["seed_conflict=keep", "seed_sets=all"]
    assert_round_trip(empty_database, people)

def test_it_is_refused_where_they_are_not(empty_database):
    with pytest.raises(AssertionError, match=r"^alembic upgrade heads: the database differs") as raised:
        assert_round_trip(empty_database, people, steps=False)
    assert "machines (lumi)" in str(raised.value)
"""


def test_this_projects_own_history_leads_back_at_once_and_one_by_one(project: Project) -> None:
    (project.root / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (project.root / "conftest.py").write_text('pytest_plugins = ["seedrail.testing"]\n')
    (project.root / "test_own.py").write_text(OWN)
    outcome = Shop(project.root, project.database).pytest("test_own.py")
    assert "2 passed" in outcome.out, outcome.text


# -- what differs ----------------------------------------------------------------------------------


def rows(*found: dict[str, str | None], key: tuple[str, ...] = ("id",)) -> Rows:
    return Rows(key, {tuple(row[name] for name in key): row for row in found})


def seeded(*columns: str) -> Any:
    table: Any = dict.fromkeys(columns)
    return {"t": FrozenTable("t", "s", "id", ("name",), table, (), {}, ())}


def test_of_a_seeds_own_rows_only_seeded_columns_count() -> None:
    before = {"t": rows({"id": "1", "name": "'a'", "at": "1"}, {"id": "2", "name": "'b'", "at": "1"})}
    after = {"t": rows({"id": "1", "name": "'a'", "at": "2"}, {"id": "2", "name": "'b'", "at": "2"})}
    theirs = {"t": rows({"id": "2", "name": "'b'", "at": "1"})}
    assert [*differences(before, after, seeded("name"), theirs)] == ["t ('b'): at was '1', is '2'"]


def test_a_table_that_is_gone_or_new_is_told_by_its_rows() -> None:
    one = {"u": rows({"id": "1", "x": None})}
    assert [*differences(one, {}, {})] == ["u ('1') is gone"]
    assert [*differences({}, one, {})] == ["u ('1') is new"]
    assert [*differences(one, {"u": rows({"id": "1", "x": "7"})}, {})] == ["u ('1'): x was NULL, is '7'"]
