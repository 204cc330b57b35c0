"""What production leaves out, who may bring it in, and that a rollback knows what was applied."""

import pytest

from tests.support.project import HEAD, Project

PRODUCTION = {"APP_ENVIRONMENT": "production"}
LEFT_OUT = "seed set simulations is left out in production; -x seed_sets=all brings it in"
MACHINES, SIMULATIONS = 22, 98


def count(project: Project, table: str) -> int:
    return int(project.database.scalar(f"SELECT count(*) FROM {table}"))


def states(project: Project) -> dict[str, tuple[str, str]]:
    """`seed_state` by seed set: the revision and the status."""
    rows = project.database.rows("SELECT seed_set, revision, status FROM seed_state")
    return {name: (revision, status) for name, revision, status in rows}


@pytest.fixture
def production(project: Project) -> Project:
    """A project whose commands all run in production."""
    project.environment.update(PRODUCTION)
    return project


@pytest.mark.long_on("postgresql")
def test_production_loads_the_reference_data_and_leaves_the_demo_catalog_out(production: Project) -> None:
    outcome = production.alembic("upgrade", "head")
    assert outcome.err.count("left out") == 1
    assert LEFT_OUT in outcome.err
    assert count(production, "machines") == MACHINES
    assert [count(production, name) for name in ("simulations", "artifacts", "external_links")] == [0, 0, 0]
    assert states(production) == {"machines": (HEAD, "applied"), "simulations": ("seed_base", "left out")}
    assert production.heads() == {HEAD}


@pytest.mark.long_on("postgresql")
def test_what_is_left_out_stays_out_and_is_said_at_every_upgrade(production: Project) -> None:
    production.start_at("head")
    before = production.database.content(ledger=True, volatile=True)
    outcome = production.alembic("upgrade", "head")
    assert outcome.err.count(LEFT_OUT) == 1
    assert production.database.content(ledger=True, volatile=True) == before


BRINGS_IN = {
    "-x": (("alembic", "-x", "seed_sets=all", "upgrade", "head"), {}),
    "-x by name": (("alembic", "-x", "seed_sets=machines, simulations", "upgrade", "head"), {}),
    "--sets": (("app.scripts.db.seed", "--sets", "all"), {}),
    "setting": (("alembic", "upgrade", "head"), {"APP_SEED_SETS": "all"}),
}


@pytest.mark.parametrize("way", BRINGS_IN)
@pytest.mark.long
def test_asking_for_a_set_brings_it_in_later(production: Project, way: str) -> None:
    production.start_at("head")
    arguments, environment = BRINGS_IN[way]
    outcome = production.run(*arguments, **environment)
    assert outcome.code == 0, outcome.text
    assert "simulations: 98 inserted" in outcome.err
    assert "machines:" not in outcome.err
    assert "left out" not in outcome.err
    assert count(production, "simulations") == SIMULATIONS
    assert states(production) == {"machines": (HEAD, "applied"), "simulations": (HEAD, "applied")}


@pytest.mark.long_on("postgresql")
def test_a_catalog_brought_in_later_is_the_one_that_development_has(production: Project) -> None:
    production.start_at("head")
    production.alembic("-x", "seed_sets=all", "upgrade", "head")
    later = production.database.content()
    production.database.empty()
    production.alembic("upgrade", "head", APP_ENVIRONMENT="development")
    assert production.database.content() == later


@pytest.mark.long_on("postgresql")
def test_a_set_that_was_brought_in_stays_when_nobody_asks_for_it_any_more(production: Project) -> None:
    production.alembic("-x", "seed_sets=all", "upgrade", "head")
    before = production.database.content(ledger=True, volatile=True)
    production.alembic("upgrade", "head")
    assert production.database.content(ledger=True, volatile=True) == before


@pytest.mark.parametrize("brought_in", [False, True])
@pytest.mark.long
def test_a_rollback_takes_back_what_was_applied(production: Project, brought_in: bool) -> None:
    production.start_at("head")
    if brought_in:
        production.alembic("-x", "seed_sets=all", "upgrade", "head")
    outcome = production.alembic("downgrade", "seed_base")
    assert "machines: 22 deleted" in outcome.err
    assert ("simulations: 98 deleted" in outcome.err) is brought_in
    assert (count(production, "machines"), count(production, "simulations")) == (0, 0)
    assert production.heads() == {"seed_base", "0003"}
    assert states(production).keys() <= {"simulations"}

    production.alembic("upgrade", "head")
    assert count(production, "machines") == MACHINES
    production.alembic("downgrade", "base")
    assert production.database.tables() == {"alembic_version"}


@pytest.mark.long
def test_a_rollback_by_one_revision_knows_that_a_set_was_left_out(production: Project) -> None:
    production.start_at("seed_0003")
    before = production.database.content()
    production.alembic("downgrade", "-1")
    assert (count(production, "machines"), count(production, "simulations")) == (20, 0)
    production.alembic("upgrade", "seed_0003")
    assert production.database.content() == before


@pytest.mark.long
def test_a_catalog_loaded_before_the_database_became_production_stays_as_it_is(project: Project) -> None:
    project.start_at("seed_0002")
    loaded = {name: project.database.content()[name] for name in ("simulations", "artifacts")}
    project.environment.update(PRODUCTION)

    outcome = project.alembic("upgrade", "head")
    assert outcome.err.count(LEFT_OUT) == 1
    assert {name: project.database.content()[name] for name in loaded} == loaded
    assert states(project) == {"machines": (HEAD, "applied"), "simulations": ("seed_0002", "left out")}
    assert count(project, "machines") == MACHINES

    # Each set goes back from where it is.
    project.alembic("downgrade", "seed_base")
    assert (count(project, "machines"), count(project, "simulations")) == (0, 0)


@pytest.mark.long
def test_a_catalog_that_stayed_behind_catches_up_when_it_is_asked_for(project: Project) -> None:
    project.start_at("seed_0002")
    project.alembic("upgrade", "head", **PRODUCTION)
    project.alembic("-x", "seed_sets=all", "upgrade", "head", **PRODUCTION)
    assert states(project) == {"machines": (HEAD, "applied"), "simulations": (HEAD, "applied")}
    behind = project.database.content()
    project.database.empty()
    project.alembic("upgrade", "head")
    assert project.database.content() == behind


@pytest.mark.long
def test_a_script_for_production_leaves_the_demo_catalog_out(production: Project) -> None:
    script = production.alembic("upgrade", "head", "--sql")
    assert script.err.count(LEFT_OUT) == 1
    assert "v3.LR.historical_0101" not in script.out
    done = production.database.run_script(script.out)
    assert done.returncode == 0, done.stderr
    assert (count(production, "machines"), count(production, "simulations")) == (MACHINES, 0)
    assert states(production)["machines"] == (HEAD, "applied")

    # The database that the script left is one that the commands go on with.
    production.alembic("upgrade", "head")
    production.alembic("-x", "seed_sets=all", "upgrade", "head")
    assert count(production, "simulations") == SIMULATIONS
    production.alembic("downgrade", "seed_base")
    assert (count(production, "machines"), count(production, "simulations")) == (0, 0)


@pytest.mark.long_on("postgresql")
def test_a_script_for_production_holds_the_demo_catalog_where_it_is_asked_for(production: Project) -> None:
    script = production.alembic("-x", "seed_sets=all", "upgrade", "head", "--sql")
    assert "left out" not in script.err
    done = production.database.run_script(script.out)
    assert done.returncode == 0, done.stderr
    assert count(production, "simulations") == SIMULATIONS


def test_production_without_a_database_url_is_refused(sqlite_project: Project) -> None:
    for command, code in (
        (("alembic", "upgrade", "head"), 2),
        (("alembic", "downgrade", "seed_base"), 2),
        (("alembic", "upgrade", "head", "--sql"), 2),
        (("app.scripts.db.seed",), 2),
        (("app.scripts.db.rollback_seed",), 2),
    ):
        outcome = sqlite_project.run(*command, DATABASE_URL="", **PRODUCTION)
        assert outcome.code == code, outcome.text
        assert outcome.err.count("production never falls back to the embedded SQLite file") == 1
        assert "Traceback" not in outcome.text
        assert outcome.out == ""
    assert not (sqlite_project.root / "seedrail.db").exists()


def test_an_unset_environment_is_development_with_all_sets(sqlite_project: Project) -> None:
    outcome = sqlite_project.run("app.scripts.db.seed", DATABASE_URL="")
    assert outcome.code == 0, outcome.text
    assert "left out" not in outcome.err
    assert "simulations: 98 inserted" in outcome.err
    assert (sqlite_project.root / "seedrail.db").exists()


@pytest.mark.parametrize("environment", ["test", "staging"])
def test_only_production_leaves_sets_out(sqlite_project: Project, environment: str) -> None:
    sqlite_project.alembic("upgrade", "head", APP_ENVIRONMENT=environment)
    assert count(sqlite_project, "simulations") == SIMULATIONS


def test_an_unknown_environment_is_refused_with_the_ones_there_are(sqlite_project: Project) -> None:
    outcome = sqlite_project.alembic_fails("upgrade", "head", APP_ENVIRONMENT="prod")
    assert "APP_ENVIRONMENT" in outcome.err
    for name in ("development", "test", "staging", "production"):
        assert name in outcome.err
    assert sqlite_project.database.tables() == set()


@pytest.mark.long
def test_a_set_asked_for_by_name_leaves_the_others_out_and_says_so(sqlite_project: Project) -> None:
    project = sqlite_project
    outcome = project.alembic("-x", "seed_sets=machines", "upgrade", "head")
    assert outcome.err.count("seed set simulations is left out") == 1
    assert (count(project, "machines"), count(project, "simulations")) == (MACHINES, 0)
    project.alembic("upgrade", "head")
    assert count(project, "simulations") == SIMULATIONS


@pytest.mark.long_on("sqlite")
def test_a_catalog_without_the_machines_that_it_needs_is_refused(project: Project) -> None:
    outcome = project.alembic_fails("-x", "seed_sets=simulations", "upgrade", "head")
    assert outcome.code == 1
    sentence = (
        "seed set simulations leads to rows of the seed set machines, which is left out and not in the"
        " database: 98 rows cannot come without them"
    )
    assert sentence in outcome.err
    assert "-x seed_sets=machines,simulations" in outcome.err
    assert "somebody" not in outcome.err
    planned = project.run("seedrail.commands", "plan", "-x", "seed_sets=simulations")
    assert (planned.code, planned.out) == (1, "")
    assert sentence in planned.err
    assert project.database.tables() == set()


UNKNOWN = {
    "-x": (("alembic", "-x", "seed_sets=machines,simulatoins", "upgrade", "head"), {}),
    "-x downgrade": (("alembic", "-x", "seed_sets=simulatoins", "downgrade", "seed_base"), {}),
    "--sets": (("app.scripts.db.seed", "--sets", "simulatoins"), {}),
    "setting": (("alembic", "upgrade", "head"), {"APP_SEED_SETS": "simulatoins"}),
    "-x --sql": (("alembic", "-x", "seed_sets=simulatoins", "upgrade", "head", "--sql"), {}),
}


@pytest.mark.parametrize("way", UNKNOWN)
def test_an_unknown_set_is_refused_with_the_ones_there_are(sqlite_project: Project, way: str) -> None:
    project = sqlite_project
    project.start_at("seed_0001")
    before = project.database.content(ledger=True)
    arguments, environment = UNKNOWN[way]
    outcome = project.run(*arguments, **environment)
    assert outcome.code == 2, outcome.text
    assert "Traceback" not in outcome.text
    assert "simulatoins" in outcome.err
    assert "machines, simulations" in outcome.err
    assert project.database.content(ledger=True) == before
