"""`seedrail plan`, as a process in a copy of the project; tests/laws/test_plan.py holds what it says."""

import json
from typing import Any

import pytest
import sqlalchemy as sa

from seedrail.dialects.postgresql import ADVISORY_LOCK
from tests.support.project import HEAD, Outcome, Project


def plan(project: Project, *arguments: str, code: int, **environment: str) -> Outcome:
    """What `seedrail plan` says, quietly; it ends with `code`, and leaves the database as it was."""
    outcome = project.run("seedrail.commands", "plan", "--quiet", *arguments, **environment)
    assert outcome.code == code, outcome.text
    assert "Traceback" not in outcome.text
    return outcome


def in_json(project: Project, *arguments: str, code: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(plan(project, *arguments, "--format", "json", code=code).out)
    return found


def test_of_an_empty_database_it_says_what_an_upgrade_then_logs(project: Project) -> None:
    told = in_json(project, code=10)
    assert (told["up"], told["at"], told["undecided"]) == (True, [], 0)
    assert told["schema"] == ["0001", "0002", "0003", "seed_base"]
    assert told["seeds"] == ["seed_0001", "seed_0002", "seed_0003", HEAD]
    assert not sa.inspect(project.database.engine).has_table("machines")
    log = project.alembic("upgrade", "head").err
    for table, counts in told["tables"].items():
        assert f"seeds at {HEAD}: {table}: {counts['inserted']} inserted" in log


def test_where_nothing_is_to_be_done_it_ends_with_0(project: Project) -> None:
    project.start_at("head")
    assert "no seeded row would change" in plan(project, code=0).out
    assert in_json(project, "--table", "machines", "--where", "name=lumi", code=0)["rows"] == []


@pytest.mark.long_on("postgresql")
def test_a_schema_revision_alone_is_a_change(project: Project) -> None:
    project.start_at("0001")
    told = in_json(project, "seed_base", code=10)
    assert (told["schema"], told["seeds"], told["tables"]) == (["seed_base"], [], {})


def test_columns_that_are_still_to_come_are_no_obstacle(project: Project) -> None:
    project.start_at("seed_0001")
    told = in_json(project, code=10)
    assert told["schema"] == ["0002", "0003"]
    assert told["tables"]["machines"]["inserted"] > 0
    log = project.alembic("upgrade", "head").err
    for table, counts in told["tables"].items():
        assert f"{counts['inserted']} inserted" in log, table


def test_conflicts_are_told_in_the_run_s_own_words_and_a_policy_settles_them(project: Project) -> None:
    project.start_at("head")
    project.database.execute("UPDATE machines SET site = 'Kajaani' WHERE name = 'lumi'")
    told = plan(project, "seed_base", code=11)
    (line,) = [line for line in told.out.splitlines() if "edited: machines (lumi)" in line]
    refusal = project.alembic_fails("downgrade", "seed_base").err
    assert line.strip() in refusal
    kept = in_json(project, "seed_base", "-x", "seed_conflict=keep", code=10)
    assert kept["tables"]["machines"]["kept"] >= 1
    assert kept["conflicts"]
    assert project.database.scalar("SELECT site FROM machines WHERE name = 'lumi'") == "Kajaani"


@pytest.mark.long_on("postgresql")
def test_rows_are_shown_on_request_by_table_and_by_value(project: Project) -> None:
    project.start_at("head")
    every = in_json(project, "seed_base", "--rows", code=10)["rows"]
    assert {row["table"] for row in every} == {"machines", "simulations", "artifacts", "external_links"}
    machines = in_json(project, "seed_base", "--table", "machines", code=10)["rows"]
    assert [row for row in every if row["table"] == "machines"] == machines
    (lumi,) = in_json(project, "seed_base", "--where", "name=lumi", code=10)["rows"]
    assert (lumi["action"], lumi["row"]) == ("delete", {"name": "lumi"})
    text = plan(project, "seed_base", "--where", "name=lumi", code=10).out
    assert "- machines (lumi)" in text
    assert "-   site: 'CSC'" in text


@pytest.mark.long_on("postgresql")
def test_each_line_of_jsonl_is_an_object_that_says_what_it_is(project: Project) -> None:
    project.start_at("head")
    project.database.execute("UPDATE machines SET site = :site WHERE name = 'lumi'", site="a\n\x1b[2Kb")
    lines = plan(project, "seed_base", "--rows", "--format", "jsonl", code=11).out.splitlines()
    told = [json.loads(line) for line in lines]
    assert told[0]["is"] == "plan"
    assert {one["is"] for one in told} == {"plan", "conflict", "row"}
    (edited,) = [one for one in told if one.get("column") == "site"]
    assert edited["found"] == "a\n\x1b[2Kb"


@pytest.mark.long_on("postgresql")
def test_it_writes_the_file_for_decisions_and_takes_it_back(project: Project) -> None:
    project.start_at("head")
    project.database.execute("UPDATE machines SET site = 'Kajaani' WHERE name = 'lumi'")
    plan(project, "seed_base", "-x", "seed_report=report.jsonl", code=11)
    file = project.root / "report.jsonl"
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    file.write_text("".join(json.dumps({**line, "decision": "keep"}) + "\n" for line in lines), "utf-8")
    decided = in_json(project, "seed_base", "-x", "seed_decisions=report.jsonl", code=10)
    other = plan(project, "-x", "seed_decisions=report.jsonl", code=0)
    assert "made for moves that this run did not make" in other.err
    assert decided["undecided"] == 0


def test_it_waits_for_no_other_run(postgresql_project: Project) -> None:
    postgresql_project.start_at("head")
    with postgresql_project.database.engine.begin() as other:
        other.execute(sa.select(sa.func.pg_advisory_xact_lock(ADVISORY_LOCK)))
        other.execute(sa.text("LOCK TABLE machines IN ROW EXCLUSIVE MODE"))
        plan(postgresql_project, "seed_base", code=10)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nonsense"], 1, "nonsense"),
        (["seed_base", "--where", "name"], 2, "--where must be COLUMN=VALUE"),
        (["seed_base", "--table", "users"], 2, "--table: users is no seeded table; those are"),
        (["seed_base", "--where", "nosuch=1"], 2, "--where: nosuch is no seeded column; those are"),
        (["--table", "machines", "--where", "case_name=1"], 2, "case_name is no seeded column of machines;"),
        ([""], 2, "'' names no revision"),
        (["seed_0"], 2, "seed_0 may be any of seed_0001, seed_0002"),
        (["seed_base", "-x", "seed_conflict=ask"], 2, "seed_conflict must be one of"),
    ],
    ids=["revision", "where", "table", "column", "column of a table", "empty", "several", "policy"],
)
def test_what_cannot_be_planned_is_one_sentence(
    sqlite_project: Project, arguments: list[str], code: int, words: str
) -> None:
    sqlite_project.start_at("head")
    outcome = plan(sqlite_project, *arguments, code=code)
    assert words in outcome.err
    assert outcome.out == ""


def test_a_database_that_cannot_be_reached_is_one_sentence(sqlite_project: Project) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    outcome = plan(sqlite_project, code=6, DATABASE_URL=nowhere, APP_DATABASE_WAIT="0")
    assert outcome.err.startswith("ERROR: ")
