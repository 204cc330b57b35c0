"""`seedrail blame`, as a process in a copy of the project."""

import json
import subprocess
from typing import Any

import pytest

from tests.support.project import Outcome, Project

CASE = "v3.LR.historical_0101"


def blame(project: Project, *arguments: str, code: int = 0) -> Outcome:
    outcome = project.run("seedrail.commands", "blame", "--quiet", *arguments)
    assert outcome.code == code, outcome.text
    assert "Traceback" not in outcome.text
    return outcome


def cell(project: Project, *arguments: str) -> dict[str, Any]:
    """The one cell of a blame of a column."""
    (found,) = json.loads(blame(project, *arguments, "--format", "json").out)["cells"]
    return dict(found)


def test_each_value_has_its_revision_and_what_is_still_to_come_is_said(project: Project) -> None:
    project.start_at("seed_0001")
    notes = cell(project, "machines", "polaris", "notes")
    assert [(one["revision"], one["applied"]) for one in notes["given"]] == [
        ("seed_0001", True),
        ("seed_0002", False),
    ]
    assert notes["given"][0]["value"] is None
    assert notes["stands"] == "the seed"
    assert "(not applied here)" in blame(project, "machines", "polaris", "notes").out


def test_what_people_had_and_have_is_told_with_who_stands_on_top(project: Project) -> None:
    project.start_at("seed_0001")
    project.database.execute("UPDATE machines SET notes = 'ours' WHERE name = 'polaris'")
    assert cell(project, "machines", "polaris", "notes")["stands"] == "an edit"
    project.alembic("-x", "seed_conflict=keep", "upgrade", "head")
    notes = cell(project, "machines", "polaris", "notes")
    assert notes["met"] == [{"revision": "seed_0002", "value": "ours", "stands": "owner"}]
    assert (notes["stands"], notes["now"]) == ("its owner", "ours")
    text = blame(project, "machines", "polaris", "notes").out
    assert "met 'ours': kept for its owner" in text
    assert "now: its owner: 'ours'" in text


@pytest.mark.long_on("postgresql")
def test_a_whole_row_shows_its_life_and_links_by_name(project: Project) -> None:
    project.start_at("head")
    text = blame(project, "simulations", CASE).out
    assert "the row\n  seed_0001  inserted" in text
    (link,) = [line for line in text.splitlines() if "seed_0001  'machines (" in line]
    assert "machines (chrysalis)" in link


@pytest.mark.long_on("postgresql")
def test_a_row_that_somebody_deleted_is_nobodys(project: Project) -> None:
    project.start_at("head")
    project.database.execute("DELETE FROM external_links WHERE kind = 'docs'")
    project.database.execute("DELETE FROM artifacts WHERE kind = 'archive'")
    gone = json.loads(project.run("seedrail.commands", "verify", "-q", "--format", "json").out)["rows"]
    row = next(one for one in gone if one["table"] == "artifacts" and one["kind"] == "deleted")
    assert cell(project, "artifacts", row["id"], "label")["stands"] == "nobody"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["machines", "nowhere"], "no revision ever had a row nowhere of machines"),
        (["users", "somebody"], "users is no seeded table; those are"),
        (["machines", "lumi", "colour"], "machines has no seeded column colour"),
        (["artifacts", CASE], "rows of artifacts begin with"),
    ],
    ids=["row", "table", "column", "several"],
)
def test_what_is_not_there_is_one_sentence(sqlite_project: Project, arguments: list[str], words: str) -> None:
    sqlite_project.start_at("head")
    outcome = blame(sqlite_project, *arguments, code=2)
    assert words in outcome.err
    assert outcome.out == ""


def test_authors_and_dates_are_those_of_git(sqlite_project: Project) -> None:
    sqlite_project.start_at("head")
    assert cell(sqlite_project, "machines", "lumi", "site")["given"][0]["author"] == ""
    git = ["git", "-c", "user.name=Ada\x1b[2K", "-c", "user.email=ada@example.org"]
    commit = ["commit", "-q", "-m", "seeds", "--date=2026-01-02T03:04:05Z"]
    for arguments in (["init", "-q"], ["add", "migrations"], commit):
        subprocess.run([*git, *arguments], cwd=sqlite_project.root, check=True, capture_output=True)
    given = cell(sqlite_project, "machines", "lumi", "site")["given"][0]
    assert given["author"].startswith("Ada")
    assert given["date"] == "2026-01-02"
    assert "\x1b" not in blame(sqlite_project, "machines", "lumi").out
