"""What a document's rows may go through over time: renamed, moved, taken out, released, brought back."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.databases import LEDGER
from tests.support.project import Project

# Every case is a history of several revisions, each made by the real command.
pytestmark = pytest.mark.long

LEAF = "u-cx214-ukesm1p1-historical"


def find(simulations: list[dict[str, Any]], case: str = LEAF) -> dict[str, Any]:
    return next(one for one in simulations if one["caseName"] == case)


def take_out(project: Project, *options: str) -> None:
    project.edit("simulations", lambda simulations: simulations.remove(find(simulations)))
    project.alembic(*options, "revision", "--autogenerate", "-m", "take one out")


def without(project: Project, name: str, goes: Callable[[Any], bool]) -> None:
    """Take elements out of a document."""
    kept = [one for one in project.read(name) if not goes(one)]
    project.edit(name, lambda elements: elements.__setitem__(slice(None), kept))


def there(project: Project, case: str = LEAF) -> int:
    return project.database.scalar("SELECT count(*) FROM simulations WHERE case_name = :c", c=case)


def test_a_row_that_left_the_document_is_deleted_with_its_children_and_comes_back(project: Project) -> None:
    project.start_at("head")
    before = project.database.content()
    take_out(project)
    project.alembic("upgrade", "head")
    assert there(project) == 0
    project.alembic("downgrade", "-1")
    assert project.database.content() == before


def test_a_released_row_stays_and_is_nobodys_but_the_users(project: Project) -> None:
    project.start_at("head")
    before = project.database.content()
    take_out(project, "-x", "seed_removed=release")
    released = (project.root / "migrations/seeds/seed_0005.jsonl").read_text()
    assert '"release":true' in released
    project.alembic("upgrade", "head")
    assert project.database.content() == {**before, "alembic_version": [("seed_0005",)]}
    assert "No new" in project.alembic("check").out

    project.database.execute("UPDATE simulations SET description = 'ours now' WHERE case_name = :c", c=LEAF)
    project.alembic("downgrade", "-1")
    project.alembic("upgrade", "head")
    assert there(project) == 1
    # Below its insert the row is the seed's again, and the edit is seen.
    outcome = project.alembic_fails("downgrade", "seed_base")
    assert "description was changed" in outcome.err


def test_a_fresh_install_has_a_released_row_as_a_stepwise_one_does(project: Project) -> None:
    take_out_on(project)
    project.alembic("upgrade", "head")
    fresh = project.database.content()
    assert there(project) == 1
    project.alembic("downgrade", "seed_base")
    assert there(project) == 0
    for revision in ("seed_0004", "seed_0005"):
        project.alembic("upgrade", revision)
    assert project.database.content() == fresh


def take_out_on(project: Project) -> None:
    project.start_at("head")
    take_out(project, "-x", "seed_removed=release")
    project.alembic("downgrade", "seed_base")


def test_a_released_row_that_returns_to_the_document_is_updated_in_place(project: Project) -> None:
    project.start_at("head")
    simulation = find(project.read("simulations"))
    take_out(project, "-x", "seed_removed=release")
    project.alembic("upgrade", "head")
    again = {**simulation, "description": "back again"}
    project.edit("simulations", lambda simulations: simulations.append(again))
    project.alembic("revision", "--autogenerate", "-m", "back")
    project.alembic("downgrade", "seed_0004")
    project.alembic("upgrade", "seed_0006")
    query = "SELECT description FROM simulations WHERE case_name = :c"
    assert project.database.scalar(query, c=LEAF) == "back again"
    project.alembic("downgrade", "seed_base")
    assert there(project) == 0


def test_a_renamed_row_is_another_row_and_users_rows_on_the_old_one_stop_it(project: Project) -> None:
    project.start_at("head")
    project.edit("simulations", lambda all_: find(all_).update(caseName="renamed"))
    project.alembic("revision", "--autogenerate", "-m", "rename")
    identity = project.database.scalar("SELECT id FROM simulations WHERE case_name = :c", c=LEAF)
    project.database.execute(
        "INSERT INTO external_links (id, simulation_id, kind, url)"
        " VALUES ('3a5e7f10000040008000000000000001', :s, 'other', 'https://example.org/mine')",
        s=identity,
    )
    outcome = project.alembic_fails("upgrade", "head")
    assert "1 row of external_links.simulation_id points at it" in outcome.err
    assert there(project, "renamed") == 0

    project.alembic("-x", "seed_conflict=keep", "upgrade", "head")
    assert (there(project), there(project, "renamed")) == (1, 1)
    project.alembic("downgrade", "-1")
    assert (there(project), there(project, "renamed")) == (1, 0)
    mine = "SELECT count(*) FROM external_links WHERE url = 'https://example.org/mine'"
    assert project.database.scalar(mine) == 1


def test_a_row_moves_to_another_machine(project: Project) -> None:
    project.start_at("head")
    before = project.database.content()
    project.edit("simulations", lambda all_: find(all_).update(machine={"name": "lumi"}))
    project.alembic("revision", "--autogenerate", "-m", "move")
    project.alembic("upgrade", "head")
    query = "SELECT m.name FROM simulations s JOIN machines m ON m.id = s.machine_id WHERE s.case_name = :c"
    assert project.database.scalar(query, c=LEAF) == "lumi"
    project.alembic("downgrade", "-1")
    assert project.database.content() == before


def own_machine(project: Project) -> None:
    project.database.execute(
        "INSERT INTO machines (id, name, site, architecture, scheduler, notes)"
        " VALUES ('3a5e7f10000040008000000000000001', 'zephyr', 'Oslo', 'x86', 'slurm', 'mine')"
    )


def test_an_adopted_row_that_leaves_and_returns_is_its_owners_at_every_step_back(project: Project) -> None:
    project.start_at("head")
    own_machine(project)
    zephyr = {"name": "zephyr", "site": "Oslo", "architecture": "x86", "scheduler": "slurm", "notes": "seed"}
    states = {"seed_0004": project.database.content(ledger=True)}
    for number in (5, 6, 7, 8):
        comes = number % 2 == 1
        project.edit(
            "machines", lambda all_, comes=comes: all_.append(zephyr) if comes else all_.remove(zephyr)
        )
        project.alembic("revision", "--autogenerate", "-m", f"step {number}")
        project.alembic("-x", "seed_conflict=overwrite", "upgrade", "head")
        states[f"seed_000{number}"] = project.database.content(ledger=True)
    notes = "SELECT notes FROM machines WHERE name = 'zephyr'"
    for revision, found in (("seed_0007", "seed"), ("seed_0006", "mine"), ("seed_0005", "seed")):
        project.alembic("downgrade", revision)
        assert project.database.scalar(notes) == found
        now, then = project.database.content(ledger=True), states[revision]
        assert outcomes(now) == outcomes(then), revision
        assert now["machines"] == then["machines"]
    project.alembic("-x", "seed_conflict=overwrite", "upgrade", "head")
    project.alembic("downgrade", "seed_0005")
    assert outcomes(project.database.content(ledger=True)) == outcomes(states["seed_0005"])
    project.alembic("downgrade", "seed_0004")
    assert project.database.content() == {
        name: rows for name, rows in states["seed_0004"].items() if name not in LEDGER
    }


def outcomes(content: dict[str, list[Any]]) -> list[Any]:
    """What the ledger says of each row and column, without the revisions that said it."""
    return sorted((str(row[2]), row[3], str(row[5]), row[6]) for row in content["seed_claims"])


def test_a_revision_that_takes_away_what_a_released_row_needs_is_refused(project: Project) -> None:
    """A fresh install inserts the released row, and would find no machine for it ever after."""
    project.start_at("head")
    take_out(project, "-x", "seed_removed=release")
    project.alembic("upgrade", "head")
    before = project.versions()
    without(project, "machines", lambda one: one["name"] == "archer2")
    without(project, "simulations", lambda one: one["machine"]["name"] == "archer2")
    outcome = project.alembic_fails("revision", "--autogenerate", "-m", "take its machine")
    assert "its machine_id leads to a row that goes" in outcome.err
    assert project.versions() == before
    project.alembic("-x", "seed_removed=release", "revision", "--autogenerate", "-m", "release it, too")
