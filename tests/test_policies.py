"""What a run does with rows that people made, edited, deleted or linked to: abort, keep, overwrite."""

import re
from typing import Any
from uuid import UUID

import pytest

from tests.support.project import HEAD, Project

# Every case runs a handful of commands, for each policy; the laws of `make test` try policies too.
pytestmark = pytest.mark.long

OWN = "3a5e7f10000040008000000000000001"
"""The id of somebody's own row."""
LUMI = "icon-r2b8-ssp370-lumi-t02"
"""A simulation of seed_0003: it runs on `lumi`, has one artifact and no children."""
FINISHED = "39acd1529274520b82a73ecae23aba95"
"""The seed id of a simulation of seed_0001 that seed_0003 sets to `completed`."""
SETTLING = ["keep", "overwrite"]
POLICIES = ["abort", *SETTLING]
DOWN = ("downgrade", "seed_base")


def policy(name: str, *command: str) -> tuple[str, ...]:
    return ("-x", f"seed_conflict={name}", *command)


def rows(project: Project) -> dict[str, list[Any]]:
    """The application's rows."""
    return {name: all_ for name, all_ in project.database.content().items() if name != "alembic_version"}


def everything(project: Project) -> dict[str, list[Any]]:
    return project.database.content(ledger=True, volatile=True)


def count(project: Project, table: str, where: str = "1 = 1", **values: Any) -> int:
    return int(project.database.scalar(f"SELECT count(*) FROM {table} WHERE {where}", **values))


def add_machine(project: Project, name: str = "lumi", id_: str = OWN) -> None:
    project.database.execute(
        "INSERT INTO machines (id, name, site, architecture, scheduler, gpu, notes)"
        " VALUES (:id, :name, 'Kajaani', 'AMD', 'slurm', true, 'ours')",
        id=id_,
        name=name,
    )


def add_artifact(project: Project, case: str = LUMI, id_: str = OWN) -> None:
    project.database.execute(
        "INSERT INTO artifacts (id, simulation_id, kind, uri)"
        " SELECT :id, id, 'output', :uri FROM simulations WHERE case_name = :case",
        id=id_,
        uri=f"/users/{id_}",
        case=case,
    )


def rolled_back(project: Project, choice: str, said: str) -> bool:
    """Whether a rollback went through, which it does but under `abort`; it says what it met either way."""
    before = everything(project)
    outcome = project.run("alembic", *policy(choice, *DOWN))
    assert said in outcome.err
    assert outcome.code == (choice == "abort"), outcome.text
    if choice == "abort":
        assert everything(project) == before
    return choice != "abort"


def site(project: Project) -> str:
    return str(project.database.scalar("SELECT site FROM machines WHERE name = 'lumi'"))


# -- a machine that somebody made before the seed did ----------------------------------------------


def test_keep_adopts_a_machine_of_other_values_as_it_is(project: Project) -> None:
    project.start_at("0002")
    add_machine(project)
    before = rows(project)
    outcome = project.alembic(*policy("keep", "upgrade", "head"))
    assert "settled by seed_conflict=keep" in outcome.err
    assert "exists: machines (lumi) is there already with another site" in outcome.err
    assert "machines: 21 inserted, 1 adopted" in outcome.err
    assert [row for row in rows(project)["machines"] if row in before["machines"]] == before["machines"]
    assert count(project, "simulations", "machine_id = :id AND case_name = :case", id=OWN, case=LUMI) == 1

    # The way down needs no policy any more.
    project.alembic(*DOWN)
    assert rows(project) == before


def test_overwrite_gives_a_machine_the_seed_s_values_and_the_rollback_its_own(project: Project) -> None:
    project.start_at("0002")
    add_machine(project)
    before = rows(project)
    outcome = project.alembic(*policy("overwrite", "upgrade", "head"))
    assert "settled by seed_conflict=overwrite" in outcome.err
    assert site(project) == "CSC"
    assert count(project, "machines", "id = :id AND notes <> 'ours'", id=OWN) == 1
    assert count(project, "simulations", "machine_id = :id AND case_name = :case", id=OWN, case=LUMI) == 1

    project.alembic(*DOWN)
    assert rows(project) == before


@pytest.mark.parametrize("choice", SETTLING)
def test_after_a_settled_upgrade_the_next_one_writes_nothing(sqlite_project: Project, choice: str) -> None:
    project = sqlite_project
    project.start_at("0002")
    add_machine(project)
    project.alembic(*policy(choice, "upgrade", "head"))
    settled = everything(project)
    project.alembic("upgrade", "head")
    assert everything(project) == settled


def test_abort_lists_every_conflict_and_what_may_be_done(project: Project) -> None:
    project.start_at("0002")
    add_machine(project, "lumi")
    add_machine(project, "aurora", OWN[:-1] + "2")
    before = everything(project)
    for command in (("upgrade", "head"), policy("abort", "upgrade", "head")):
        outcome = project.alembic_fails(*command)
        assert outcome.code == 1
        # Three columns of lumi; aurora has another scheduler too.
        assert "7 conflicts; nothing was written" in outcome.err
        expected = "exists: machines (lumi) is there already with another site: the seed wants 'CSC'"
        assert f"{expected}, found 'Kajaani'" in outcome.err
        for name in ("lumi", "aurora"):
            for column in ("site", "architecture", "notes"):
                assert f"exists: machines ({name}) is there already with another {column}" in outcome.err
        for choice in POLICIES:
            assert outcome.err.count(f"-x seed_conflict={choice} ") == 1
        assert everything(project) == before


def test_abort_counts_what_it_does_not_list(sqlite_project: Project) -> None:
    project = sqlite_project
    project.start_at("head")
    changed = project.database.execute("UPDATE simulations SET campaign = 'ours'")
    assert changed == 98
    before = everything(project)
    outcome = project.alembic_fails(*DOWN)
    # Rows that an edited one holds are in the way of the rollback, too.
    assert "98 edited in simulations" in outcome.err
    found = re.search(r"(\d+) conflicts; nothing was written", outcome.err)
    assert found
    listed = outcome.err.count("\n  - ")
    assert 0 < listed < 98 < int(found[1])
    assert f"… and {int(found[1]) - listed} more" in outcome.err
    assert everything(project) == before


WAYS = {
    "-x": (("alembic", "-x", "seed_conflict={}", "upgrade", "head"), {}),
    "--conflict": (("app.scripts.db.seed", "--conflict", "{}"), {}),
    "setting": (("alembic", "upgrade", "head"), {"APP_SEED_CONFLICT": "{}"}),
    "setting of the script": (("app.scripts.db.seed",), {"APP_SEED_CONFLICT": "{}"}),
    "-x before the setting": (
        ("alembic", "-x", "seed_conflict={}", "upgrade", "head"),
        {"APP_SEED_CONFLICT": "abort"},
    ),
    "--conflict before the setting": (
        ("app.scripts.db.seed", "--conflict", "{}"),
        {"APP_SEED_CONFLICT": "abort"},
    ),
}


@pytest.mark.parametrize("choice", SETTLING)
@pytest.mark.parametrize("way", WAYS)
def test_a_policy_may_be_given_in_several_ways(sqlite_project: Project, way: str, choice: str) -> None:
    project = sqlite_project
    project.start_at("0002")
    add_machine(project)
    arguments, environment = WAYS[way]
    outcome = project.run(
        *(one.format(choice) for one in arguments),
        **{name: value.format(choice) for name, value in environment.items()},
    )
    assert outcome.code == 0, outcome.text
    assert site(project) == {"keep": "Kajaani", "overwrite": "CSC"}[choice]


@pytest.mark.parametrize("choice", POLICIES)
def test_the_rollback_script_takes_a_policy_too(sqlite_project: Project, choice: str) -> None:
    project = sqlite_project
    project.start_at("head")
    project.database.execute("UPDATE machines SET site = 'Kajaani' WHERE name = 'lumi'")
    outcome = project.run("app.scripts.db.rollback_seed", "--conflict", choice, APP_SEED_CONFLICT="keep")
    assert outcome.code == (choice == "abort"), outcome.text
    assert count(project, "machines") == {"abort": 22, "keep": 1, "overwrite": 0}[choice]


UNKNOWN = {
    "-x": (("alembic", "-x", "seed_conflict=force", "upgrade", "head"), {}),
    "-x downgrade": (("alembic", "-x", "seed_conflict=force", "downgrade", "seed_base"), {}),
    "--conflict": (("app.scripts.db.seed", "--conflict", "force"), {}),
    "--conflict rollback": (("app.scripts.db.rollback_seed", "--conflict", "force"), {}),
    "setting": (("alembic", "upgrade", "head"), {"APP_SEED_CONFLICT": "force"}),
}


@pytest.mark.parametrize("way", UNKNOWN)
def test_an_unknown_policy_is_refused_with_those_there_are(sqlite_project: Project, way: str) -> None:
    project = sqlite_project
    project.start_at("seed_0002")
    before = everything(project)
    arguments, environment = UNKNOWN[way]
    outcome = project.run(*arguments, **environment)
    assert outcome.code == 2, outcome.text
    assert "Traceback" not in outcome.text
    for name in POLICIES:
        assert name in outcome.err
    assert everything(project) == before


# -- rows of people that point at seeded ones ------------------------------------------------------


@pytest.mark.parametrize("choice", POLICIES)
def test_a_rollback_never_cascades_a_user_s_artifact_away(project: Project, choice: str) -> None:
    project.start_at("head")
    add_artifact(project)
    referenced = f"referenced: simulations ({LUMI}, lumi, 2020-01-01T00:00:00Z) would be deleted"
    if not rolled_back(project, choice, f"{referenced}, but 1 row of artifacts.simulation_id points at it"):
        return
    assert [count(project, name) for name in ("machines", "simulations", "artifacts")] == [1, 1, 1]
    assert count(project, "artifacts", "id = :id", id=OWN) == 1


def test_the_rows_that_point_at_one_are_named_up_to_three(project: Project) -> None:
    project.start_at("head")
    own = [f"{n}a5e7f10000040008000000000000001" for n in range(1, 6)]
    for id_ in own[:3]:
        add_artifact(project, id_=id_)
    named = [str(UUID(id_)) if project.database.kind == "postgresql" else id_ for id_ in own]
    err = project.alembic_fails(*DOWN).err
    assert f"3 rows of artifacts.simulation_id point at it (id {', '.join(named[:3])})" in err
    for id_ in own[3:]:
        add_artifact(project, id_=id_)
    err = project.alembic_fails(*DOWN).err
    assert f"5 rows of artifacts.simulation_id point at it (id {', '.join(named[:3])}, …)" in err


@pytest.mark.parametrize("choice", POLICIES)
def test_an_upgrade_never_cascades_a_user_s_artifact_away(project: Project, choice: str) -> None:
    project.start_at("head")
    add_artifact(project)
    project.edit("simulations", lambda all_: all_.remove(next(s for s in all_ if s["caseName"] == LUMI)))
    project.alembic("revision", "--autogenerate", "-m", "take one out")
    before = rows(project)
    outcome = project.run("alembic", *policy(choice, "upgrade", "head"))
    assert "artifacts.simulation_id points at it" in outcome.err
    assert outcome.code == (choice == "abort"), outcome.text
    assert count(project, "artifacts", "id = :id", id=OWN) == 1
    assert count(project, "simulations", "case_name = :case", case=LUMI) == 1
    if choice != "abort":
        project.alembic("downgrade", "-1")
    assert rows(project) == before


@pytest.mark.parametrize("choice", POLICIES)
def test_an_operator_s_own_table_protects_its_rows_whatever_its_key_says(
    project: Project, choice: str
) -> None:
    project.start_at("head")
    uuid = "UUID" if project.database.kind == "postgresql" else "CHAR(32)"
    project.database.execute(
        f"CREATE TABLE reviews (simulation {uuid} REFERENCES simulations (id) ON DELETE CASCADE, text TEXT)"
    )
    project.database.execute(
        "INSERT INTO reviews SELECT id, 'good' FROM simulations WHERE case_name = :case", case=LUMI
    )
    before = everything(project)
    outcome = project.run("alembic", *policy(choice, *DOWN))
    assert "1 row of reviews.simulation points at it" in outcome.err
    assert outcome.code == (choice == "abort"), outcome.text
    assert count(project, "reviews JOIN simulations ON simulations.id = reviews.simulation") == 1
    if choice == "abort":
        assert everything(project) == before
    else:
        assert [count(project, name) for name in ("machines", "simulations")] == [1, 1]


# -- columns that people edited --------------------------------------------------------------------


@pytest.mark.parametrize("choice", SETTLING)
def test_an_edit_of_a_column_that_the_seed_changes_survives_the_way_up_and_down(
    project: Project, choice: str
) -> None:
    project.start_at("seed_0002")
    project.database.execute("UPDATE simulations SET status = 'failed' WHERE id = :id", id=FINISHED)
    before = rows(project)
    outcome = project.alembic_fails("upgrade", "head")
    assert "status was changed to 'failed', the seed wants to set it to 'completed'" in outcome.err
    assert rows(project) == before

    project.alembic(*policy(choice, "upgrade", "head"))
    status = {"keep": "failed", "overwrite": "completed"}[choice]
    where = "id = :id AND status = :status AND run_end_date IS NOT NULL"
    assert count(project, "simulations", where, id=FINISHED, status=status) == 1
    project.alembic("downgrade", "seed_0002")
    assert rows(project) == before


@pytest.mark.parametrize("choice", POLICIES)
def test_an_edited_row_is_not_rolled_back_unless_that_is_asked_for(project: Project, choice: str) -> None:
    project.start_at("head")
    project.database.execute("UPDATE machines SET site = 'Kajaani' WHERE name = 'lumi'")
    said = "machines (lumi) would be deleted, but its site was changed from 'CSC' to 'Kajaani'"
    if not rolled_back(project, choice, said):
        return
    assert count(project, "machines") == (choice == "keep")
    assert count(project, "simulations") == 0
    if choice == "keep":
        assert site(project) == "Kajaani"


def test_edit_times_and_columns_that_the_seed_does_not_change_are_no_conflict(project: Project) -> None:
    project.start_at("seed_0002")
    machines = count(project, "machines")
    long_ago = "created_at = '2001-01-01 00:00:00', updated_at = '2002-02-02 00:00:00'"
    for table in ("machines", "simulations", "artifacts"):
        project.database.execute(f"UPDATE {table} SET {long_ago}")
    project.database.execute("UPDATE simulations SET campaign = 'ours' WHERE id = :id", id=FINISHED)
    project.alembic("upgrade", "head")
    assert count(project, "simulations", "campaign = 'ours' AND status = 'completed'") == 1
    assert count(project, "machines", "updated_at < '2003-01-01 00:00:00'") == machines
    # Rows that go are compared whole.
    outcome = project.alembic_fails(*DOWN)
    assert "1 edited in simulations" in outcome.err
    assert "its campaign was changed" in outcome.err


def test_rows_whose_edit_times_alone_changed_are_rolled_back(project: Project) -> None:
    project.start_at("head")
    project.database.execute("UPDATE machines SET updated_at = '2002-02-02 00:00:00'")
    project.alembic(*DOWN)
    assert count(project, "machines") == 0


# -- natural keys that people edited ---------------------------------------------------------------

RENAME = "UPDATE machines SET name = 'chrysalis-2' WHERE name = 'chrysalis'"


def test_a_machine_that_was_renamed_keeps_its_name_and_gets_the_new_simulations(project: Project) -> None:
    project.start_at("seed_0002")
    project.database.execute(RENAME)
    project.alembic("upgrade", "head")
    assert count(project, "machines", "name = 'chrysalis'") == 0
    where = "machine_id = (SELECT id FROM machines WHERE name = 'chrysalis-2')"
    assert count(project, "simulations", where) == 40
    # It is no row of somebody else's, and the next upgrade does not make a second one.
    before = everything(project)
    project.alembic("upgrade", "head")
    assert everything(project) == before


@pytest.mark.parametrize("choice", POLICIES)
def test_a_rollback_takes_a_renamed_machine_for_an_edited_one(project: Project, choice: str) -> None:
    project.start_at("head")
    project.database.execute(RENAME)
    if not rolled_back(project, choice, "its name was changed from 'chrysalis' to 'chrysalis-2'"):
        return
    assert count(project, "machines") == (choice == "keep")
    # What stayed under its new name is adopted when the seeds come back.
    if choice == "keep":
        project.alembic(*policy("keep", "upgrade", "head"))
        assert count(project, "machines", "name = 'chrysalis-2'") == 1
        assert count(project, "simulations") == 98


def test_a_machine_of_the_user_that_takes_a_freed_name_is_not_touched(project: Project) -> None:
    project.start_at("head")
    project.database.execute(RENAME)
    add_machine(project, "chrysalis")
    project.alembic("upgrade", "head")
    project.alembic(*policy("overwrite", *DOWN))
    assert count(project, "machines") == 1
    assert count(project, "machines", "id = :id AND site = 'Kajaani'", id=OWN) == 1


# -- rows that people deleted ----------------------------------------------------------------------


def delete_simulation(project: Project, id_: str) -> None:
    for table in ("artifacts", "external_links"):
        project.database.execute(f"DELETE FROM {table} WHERE simulation_id = :id", id=id_)
    project.database.execute("UPDATE simulations SET parent_id = NULL WHERE parent_id = :id", id=id_)
    project.database.execute("DELETE FROM simulations WHERE id = :id", id=id_)


@pytest.mark.parametrize("choice", POLICIES)
def test_a_row_that_is_gone_comes_back_only_where_that_is_asked_for(project: Project, choice: str) -> None:
    project.start_at("seed_0002")
    delete_simulation(project, FINISHED)
    before = rows(project)
    outcome = project.run("alembic", *policy(choice, "upgrade", "head"))
    assert "is gone, and the seed wants to update it" in outcome.err
    if choice == "abort":
        assert outcome.code == 1
        assert rows(project) == before
        assert project.heads() == {"seed_0002"}
        return
    assert outcome.code == 0, outcome.text
    back = count(project, "simulations", "id = :id AND status = 'completed'", id=FINISHED)
    assert back == (choice == "overwrite")
    project.alembic("downgrade", "seed_0002")
    assert rows(project) == before
    assert project.heads() == {"seed_0002", "0003"}


def test_a_rollback_does_not_miss_rows_that_are_gone(project: Project) -> None:
    project.start_at("head")
    assert project.database.execute("DELETE FROM artifacts") == 221
    project.alembic(*DOWN)
    assert count(project, "simulations") == 0
    assert project.heads() == {"seed_base", "0003"}


def test_an_upgrade_does_not_bring_back_deleted_rows_that_it_does_not_change(project: Project) -> None:
    project.start_at("seed_0002")
    deleted = project.database.execute("DELETE FROM artifacts")
    assert deleted > 100
    project.alembic("upgrade", "head")
    assert project.heads() == {HEAD}
    assert count(project, "artifacts") == 221 - deleted
