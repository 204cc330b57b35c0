"""`seedrail status` and `seedrail verify`, as processes in a copy of the project."""

import json
from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa

from tests.docs.story import step
from tests.support.project import HEAD, Outcome, Project


def run(project: Project, *arguments: str, code: int, **environment: str) -> Outcome:
    """A command, quietly; it ends with `code`."""
    outcome = project.run("seedrail.commands", *arguments, "--quiet", **environment)
    assert outcome.code == code, outcome.text
    assert "Traceback" not in outcome.text
    return outcome


def in_json(project: Project, *arguments: str, code: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(project, *arguments, "--format", "json", code=code).out)
    return found


def test_an_empty_database_has_everything_pending(project: Project) -> None:
    told = in_json(project, "status", code=10)
    assert (told["heads"], told["sets"]) == ([], [])
    assert told["schema"] == ["0001", "0002", "0003", "seed_base"]
    assert told["seeds"][-1] == HEAD
    assert not sa.inspect(project.database.engine).has_table("seed_state")


def test_a_seeded_database_is_up_to_date_and_no_password_is_shown(project: Project) -> None:
    project.start_at("head")
    told = in_json(project, "status", code=0)
    assert [one["revision"] for one in told["sets"]] == [HEAD, HEAD]
    assert not told["pending"]
    text = run(project, "status", code=0).out
    assert "pending      nothing" in text
    password = project.database.engine.url.password
    assert not password or password not in text.replace("postgresql", "")


@pytest.mark.long_on("postgresql")
def test_what_documents_say_that_no_revision_ships_is_pending(project: Project) -> None:
    project.start_at("head")
    file = project.document("machines")
    file.write_text(file.read_text("utf-8").replace('"CSC"', '"CSC, Kajaani"'), "utf-8")
    told = in_json(project, "status", code=10)
    assert told["documents"] == {"update": 1}
    assert "documents: 1 update that no revision ships yet" in run(project, "status", code=10).out


def test_edits_and_what_the_ledger_remembers_are_counted(project: Project) -> None:
    project.start_at("seed_0003")
    project.database.execute("UPDATE machines SET site = 'Kajaani' WHERE name = 'lumi'")
    project.alembic("-x", "seed_conflict=keep", "downgrade", "seed_base")
    project.alembic("-x", "seed_conflict=keep", "upgrade", "head")
    told = in_json(project, "status", code=0)
    claims = {(one["table"], one["what"]): one["count"] for one in told["claims"]}
    assert claims["machines", "row that is somebody's"] == 1
    assert claims["machines", "value kept"] == 1
    assert "machines: 1 value kept" in run(project, "status", code=0).out
    project.database.execute("UPDATE machines SET site = 'mine' WHERE name = 'perlmutter'")
    assert in_json(project, "status", code=12)["edited"]


def test_verify_lists_each_row_that_differs_with_its_columns(project: Project) -> None:
    project.start_at("head")
    assert "every seeded row is as the seed left it" in run(project, "verify", code=0).out
    project.database.execute("UPDATE machines SET site = 'Kajaani' WHERE name = 'lumi'")
    project.database.execute("DELETE FROM artifacts WHERE kind = 'archive'")
    gone = in_json(project, "verify", code=12)
    kinds = {(row["table"], row["kind"]) for row in gone["rows"]}
    assert kinds == {("machines", "edited"), ("artifacts", "deleted")}
    (lumi,) = [row for row in gone["rows"] if row["table"] == "machines"]
    assert lumi["row"] == {"name": "lumi"}
    assert lumi["cells"] == [{"column": "site", "expected": "CSC", "found": "Kajaani"}]
    lines = run(project, "verify", "--format", "jsonl", code=12).out.splitlines()
    assert [json.loads(line) for line in lines] == gone["rows"]
    text = run(project, "verify", code=12).out
    assert "more (--rows lists all)" in text
    assert "more (--rows" not in run(project, "verify", "--rows", code=12).out


def test_verify_tells_rows_that_people_added_to_seeded_ones(project: Project) -> None:
    project.start_at("head")
    columns = "simulation_id, kind, uri, created_at, updated_at"
    project.database.execute(
        f"INSERT INTO artifacts (id, {columns}) SELECT :id, {columns.replace('uri', ':uri')}"
        " FROM artifacts LIMIT 1",
        id="3a5e7f10000040008000000000000001",
        uri="mine:1",
    )
    (row,) = in_json(project, "verify", code=0)["rows"]
    assert (row["table"], row["kind"], row["row"]["uri"]) == ("artifacts", "extra", "mine:1")


def test_verify_fast_counts_by_table_what_verify_lists(project: Project) -> None:
    assert "the database has no seeded rows to compare" in run(project, "verify", "--fast", code=0).out
    project.start_at("head")
    assert "machines: 22 seeded rows as the seed left them" in run(project, "verify", "--fast", code=0).out
    project.database.execute("UPDATE machines SET site = 'Kajaani' WHERE name = 'lumi'")
    shown = step("docs/reference/commands.md", "example", "verify --fast").body
    assert run(project, "verify", "--fast", code=12).out == shown
    project.database.execute("DELETE FROM artifacts WHERE kind = 'archive'")
    listed = Counter(row["table"] for row in in_json(project, "verify", code=12)["rows"])
    told = in_json(project, "verify", "--fast", code=12)
    assert {one["table"]: one["differ"] for one in told["tables"] if one["differ"]} == listed
    lines = run(project, "verify", "--fast", "--format", "jsonl", code=12).out.splitlines()
    assert [json.loads(line) for line in lines] == told["tables"]


@pytest.mark.long_on("postgresql")
def test_verify_fast_knows_no_rows(project: Project) -> None:
    outcome = run(project, "verify", "--fast", "--rows", code=2)
    assert outcome.err.startswith("ERROR: --fast does not know which rows differ")


@pytest.mark.long_on("postgresql")
def test_verify_refuses_a_change_file_that_is_not_as_it_was_pinned(project: Project) -> None:
    project.start_at("head")
    (file,) = (project.root / "migrations" / "seeds").glob("seed_0002*")
    file.write_bytes(file.read_bytes() + b"\n")
    assert "do not match the digest" in run(project, "verify", code=1).err


def test_status_says_who_holds_a_lock(postgresql_project: Project) -> None:
    postgresql_project.start_at("head")
    with postgresql_project.database.engine.begin() as other:
        other.execute(sa.text("SET application_name = 'a busy one'"))
        other.execute(sa.text("UPDATE machines SET site = site WHERE name = 'lumi'"))
        (lock,) = in_json(postgresql_project, "status", code=0)["locks"]
        assert (lock["what"], lock["application"], lock["waits"]) == ("machines", "a busy one", False)
        assert "(postgres a busy one) holds machines" in run(postgresql_project, "status", code=0).out


@pytest.mark.parametrize("command", ["status", "verify"])
def test_a_database_that_cannot_be_reached_is_one_sentence(sqlite_project: Project, command: str) -> None:
    nowhere = "postgresql://nobody:secret@127.0.0.1:1/nothing"
    outcome = run(sqlite_project, command, code=6, DATABASE_URL=nowhere, APP_DATABASE_WAIT="0")
    assert outcome.err.startswith("ERROR: ")
    assert "secret" not in outcome.text


OTHER = {
    "content": ("UPDATE seed_state SET sha256 = 'another'", "of a revision seed_0004 with another content"),
    "revision": ("UPDATE alembic_version SET version_num = 'seed_0099'", "the database is at 'seed_0099'"),
    "ledger": ("UPDATE seed_state SET revision = 'seed_0099'", "no seed revision 'seed_0099'"),
}
"""What the database of another branch has, and what is said of it."""


@pytest.mark.parametrize("which", OTHER)
def test_the_database_of_another_history_is_called_that_by_each_command(
    sqlite_project: Project, which: str
) -> None:
    sqlite_project.start_at("head")
    statement, words = OTHER[which]
    sqlite_project.database.execute(statement)
    for command in (["status"], ["verify"], ["blame", "machines", "lumi"], ["plan", "seed_base"]):
        outcome = run(sqlite_project, *command, code=1)
        assert words in outcome.err.partition("\n")[0], command
        assert outcome.out == ""
    assert words in run(sqlite_project, "doctor", code=1).text
    assert words in sqlite_project.alembic_fails("check").text
