"""`seedrail export`, as processes in a copy of the project."""

import json
import os
import shutil
import stat
import subprocess
from typing import Any

import pytest

from tests.support.project import HEAD, Outcome, Project

EDITS = (
    "UPDATE machines SET site = 'Kajaani', notes = NULL WHERE name = 'lumi'",
    "UPDATE simulations SET notes_markdown = 'Restarted – twice.' WHERE case_name = 'v3.LR.SSP126_0051'",
    "DELETE FROM artifacts WHERE kind = 'archive' AND label = 'Full archive incl. restarts'",
)


def run(project: Project, *arguments: str, code: int, **environment: str) -> Outcome:
    """The command; it ends with `code`."""
    outcome = project.run("seedrail.commands", "export", *arguments, **environment)
    assert outcome.code == code, outcome.text
    assert "Traceback" not in outcome.text
    return outcome


def edited(project: Project, *statements: str) -> None:
    project.start_at("head")
    for statement in statements or EDITS:
        project.database.execute(statement)


# -- rows


def test_a_document_is_had_back_from_its_rows(project: Project) -> None:
    project.start_at("head")
    for name in ("machines", "simulations"):
        told = run(project, name, "--output", f"{name}-out.json", code=0)
        assert "that become just what is there" in told.err
        assert told.out == ""
        document = project.document(name)
        shutil.move(project.root / f"{name}-out.json", document)
    assert "No new upgrade operations detected" in project.alembic("check").text


def test_rows_are_chosen_and_come_in_the_order_of_their_keys(project: Project) -> None:
    project.start_at("head")
    rows = json.loads(run(project, "machines", "--where", "gpu=true", "--where", "site=CSC", code=0).out)
    assert [row["name"] for row in rows] == ["lumi"]
    lines = run(project, "machines", "--format", "jsonl", code=0).out.splitlines()
    names = [json.loads(line)["name"] for line in lines]
    assert names == sorted(names)
    assert json.loads(run(project, "machines", "--where", "name=nowhere", code=0).out) == []


@pytest.mark.long_on("postgresql")
def test_a_table_inside_of_another_is_exported_with_its_links_by_name(project: Project) -> None:
    project.start_at("head")
    key = "v3.LR.SSP126_0051,chrysalis,2015-01-01T00:00:00Z"
    outcome = run(project, "artifacts", "--where", f"simulation_id={key}", code=0)
    rows = json.loads(outcome.out)
    assert {row["simulation_id"]["machine"]["name"] for row in rows} == {"chrysalis"}
    assert "no elements of simulations but parts of some" in outcome.err


def test_rows_that_the_document_would_refuse_are_named(project: Project) -> None:
    project.start_at("head")
    project.database.execute("UPDATE machines SET name = ' lumi' WHERE name = 'lumi'")
    told = run(project, "machines", code=0).err
    assert "as elements of machines, 1 row of 22 would not become what is there:" in told
    assert "begins or ends with white space" in told


def test_rows_that_fit_in_no_document_are_refused_by_name(sqlite_project: Project) -> None:
    sqlite_project.start_at("head")
    sqlite_project.database.execute(
        "UPDATE simulations SET simulation_end_date = 'soon' WHERE case_name = 'v3.LR.SSP126_0051'"
    )
    told = run(sqlite_project, "simulations", code=1).err
    assert "1 value of simulations fits in no document" in told
    assert "simulation_end_date holds 'soon'" in told
    assert json.loads(run(sqlite_project, "simulations", "--where", "status=completed", code=0).out)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "which table?"),
        (("users",), "users is in no seed set; those are artifacts, external_links, machines, simulations"),
        (("machines", "--where", "site"), "must be COLUMN=VALUE"),
        (("machines", "--where", "nothing=1"), "machines has no seeded column nothing; those are name, site"),
        (("machines", "--write"), "--write does not go with a table"),
        (("machines", "--settled"), "--settled does not go with a table"),
        (("--edited", "--output", "x"), "--output does not go with --edited"),
        (("--edited", "nothing"), "no such seed set: nothing; there are machines, simulations"),
    ],
)
def test_wrong_usage_is_one_sentence(sqlite_project: Project, arguments: tuple[str, ...], told: str) -> None:
    sqlite_project.start_at("head")
    outcome = run(sqlite_project, *arguments, code=2)
    assert told in outcome.err
    assert outcome.out == ""


def test_a_database_without_the_table_or_without_an_answer_is_one_sentence(sqlite_project: Project) -> None:
    assert "the database does not have" in run(sqlite_project, "machines", code=1).err
    nowhere = "postgresql://nobody:secret@127.0.0.1:1/nothing"
    told = run(sqlite_project, "machines", code=6, DATABASE_URL=nowhere, APP_DATABASE_WAIT="0")
    assert "secret" not in told.text


def test_an_output_that_cannot_be_written_ends_with_8(sqlite_project: Project) -> None:
    sqlite_project.start_at("head")
    told = run(sqlite_project, "machines", "--output", "nowhere/at/all.json", code=8).err
    assert "cannot write nowhere/at/all.json: No such file or directory" in told


# -- edits


def test_edits_are_shown_as_a_diff_that_applies_and_written_when_asked(project: Project) -> None:
    edited(project)
    before = {name: project.document(name).read_bytes() for name in ("machines", "simulations")}
    shown = run(project, "--edited", code=10)
    assert {name: project.document(name).read_bytes() for name in before} == before
    assert '-    "site": "CSC",\n+    "site": "Kajaani",\n' in shown.out
    assert '+    "notesMarkdown": "Restarted – twice.",\n' in shown.out
    assert "to write, 0 left" in shown.err
    applied = subprocess.run(
        ["git", "apply", "--unsafe-paths", "--directory", str(project.root), "-"],
        input=shown.out.encode(),
        cwd=project.root,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(project.root.parent)},
        check=True,
    )
    assert applied.returncode == 0
    after = {name: project.document(name).read_bytes() for name in before}
    for name, content in before.items():
        project.document(name).write_bytes(content)
    assert "app/scripts/db/machines.json: written" in run(project, "--edited", "--write", code=0).out
    assert {name: project.document(name).read_bytes() for name in before} == after


def test_what_was_exported_is_shipped_and_the_database_takes_it_as_it_is(project: Project) -> None:
    edited(project)
    run(project, "--edited", "--write", code=0)
    assert "the documents say already" in run(project, "--edited", code=0).err
    project.alembic("revision", "--autogenerate", "-m", "edits")
    assert "no row had to change" in project.alembic("upgrade", "head").text
    assert "every seeded row is as the seed left it" in project.run("seedrail.commands", "verify").out
    assert "no edit of a seeded row to export" in run(project, "--edited", code=0).err


def test_one_set_is_exported_alone(project: Project) -> None:
    edited(project)
    assert "simulations.json" not in run(project, "--edited", "machines", code=10).out


def test_what_no_document_can_say_is_left_with_its_reason(project: Project) -> None:
    columns = "simulation_id, kind, uri, created_at, updated_at"
    edited(
        project,
        "UPDATE machines SET name = 'Frontier' WHERE name = 'frontier'",
        f"INSERT INTO artifacts (id, {columns}) SELECT '3a5e7f10000040008000000000000001',"
        f" {columns.replace('uri', repr('mine:1'))} FROM artifacts LIMIT 1",
    )
    told = run(project, "--edited", code=12)
    assert told.out == ""
    assert "left: machines (frontier) name: it is part of the natural key" in told.err
    assert "output, mine:1): it is somebody's own row" in told.err or "mine:1" in told.err
    found: dict[str, Any] = json.loads(run(project, "--edited", "--format", "json", code=12).out)
    assert {(one["table"], one["why"]) for one in found["left"]} == {
        ("machines", "left"),
        ("artifacts", "settled"),
    }
    assert run(project, "--edited", "--write", code=12).out == ""


def test_rows_that_a_policy_kept_are_passed_over(project: Project) -> None:
    project.start_at("seed_0003")
    project.database.execute("UPDATE machines SET site = 'Kajaani' WHERE name = 'lumi'")
    project.alembic("-x", "seed_conflict=keep", "downgrade", "seed_base")
    project.alembic("-x", "seed_conflict=keep", "upgrade", "head")
    told = run(project, "--edited", code=0)
    assert told.out == ""
    assert "passed over: machines (lumi)" in told.err
    assert '+    "site": "Kajaani",' in run(project, "--edited", "--settled", code=10).out


def test_a_database_behind_the_head_is_exported_too(project: Project) -> None:
    project.start_at("seed_0002")
    project.database.execute("UPDATE machines SET site = 'Kajaani' WHERE name = 'lumi'")
    run(project, "--edited", "--write", code=0)
    project.alembic("upgrade", HEAD)
    project.alembic("revision", "--autogenerate", "-m", "edits")
    assert "no row had to change" in project.alembic("upgrade", "head").text


def test_a_link_stays_one_and_a_file_keeps_its_mode(sqlite_project: Project) -> None:
    edited(sqlite_project, EDITS[0])
    document = sqlite_project.document("machines")
    real = document.rename(sqlite_project.root / "elsewhere.json")
    real.chmod(0o640)
    document.symlink_to(real)
    run(sqlite_project, "--edited", "--write", code=0)
    assert document.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert "Kajaani" in real.read_text("utf-8")
    assert [*real.parent.glob(".*.partial")] == []


def test_documents_with_faults_are_refused_before_anything_is_written(sqlite_project: Project) -> None:
    edited(sqlite_project)
    document = sqlite_project.document("machines")
    document.write_text(document.read_text("utf-8").replace('"gpu": true', '"gpu": 1', 1), "utf-8")
    assert "1 fault in app/scripts/db/machines.json" in run(sqlite_project, "--edited", "--write", code=1).err
    assert "Restarted" not in sqlite_project.document("simulations").read_text("utf-8")


def test_a_value_in_another_spelling_than_the_seeds_is_left(sqlite_project: Project) -> None:
    edited(
        sqlite_project, "UPDATE simulations SET extra = '{ \"a\": 1 }' WHERE case_name = 'v3.LR.SSP126_0051'"
    )
    told = run(sqlite_project, "--edited", code=12)
    assert "an upgrade would find another value there" in told.err
