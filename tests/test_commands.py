"""The promise of the README, command by command: the real `alembic` in a process, on both databases."""

import re

import pytest

from tests.support.project import HEAD, Project

COUNTS = {"machines": 22, "simulations": 98, "artifacts": 221, "external_links": 155}


def counts(project: Project) -> dict[str, int]:
    return {name: project.database.scalar(f"SELECT count(*) FROM {name}") for name in COUNTS}


def add_ssp370(simulations: list[dict]) -> None:
    simulations.append({**simulations[0], "caseName": "new.ssp370", "artifacts": [], "links": []})


@pytest.mark.long_on("postgresql")
def test_upgrade_head_seeds_and_downgrade_to_seed_base_leaves_the_schema(project: Project) -> None:
    project.alembic("upgrade", "head")
    assert counts(project) == COUNTS
    assert project.heads() == {HEAD}
    seeded = project.database.content()

    project.alembic("downgrade", "seed_base")
    assert set(counts(project).values()) == {0}
    assert project.heads() == {"seed_base", "0003"}
    assert "known_issues" in {
        column for (column,) in project.database.rows(_columns_of(project, "simulations"))
    }

    project.alembic("upgrade", "head")
    assert project.database.content() == seeded

    project.alembic("downgrade", "base")
    assert project.database.tables() == {"alembic_version"}


def _columns_of(project: Project, table: str) -> str:
    if project.database.kind == "sqlite":
        return f"SELECT name FROM pragma_table_info('{table}')"
    return f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'"


@pytest.mark.long_on("postgresql")
def test_a_second_upgrade_writes_nothing(project: Project) -> None:
    project.start_at("head")
    before = project.database.content(ledger=True, volatile=True)
    outcome = project.alembic("upgrade", "head")
    assert "Running" not in outcome.text
    assert project.database.content(ledger=True, volatile=True) == before


@pytest.mark.long_on("postgresql")
def test_upgrading_to_a_schema_revision_alone_seeds_nothing(project: Project) -> None:
    project.alembic("upgrade", "0002")
    assert project.heads() == {"0002"}
    assert set(counts(project).values()) == {0}
    assert "seed_state" not in project.database.tables()
    project.alembic("upgrade", "head")
    assert counts(project) == COUNTS


@pytest.mark.long
def test_minus_one_and_plus_one_walk_the_seed_rail(project: Project) -> None:
    project.start_at("seed_0003")
    seeded = project.database.content()
    project.alembic("downgrade", "-1")
    assert project.heads() == {"seed_0002"}
    assert counts(project)["simulations"] == 80
    project.alembic("upgrade", "+1")
    assert project.database.content() == seeded


@pytest.mark.long
def test_stepwise_and_direct_upgrades_end_in_the_same_rows(project: Project) -> None:
    for revision in ("0001", "seed_base", "seed_0001", "0002", "seed_0002", "seed_0003", "0003", "head"):
        project.alembic("upgrade", revision)
    stepwise = project.database.content()
    project.alembic("downgrade", "base")
    project.alembic("upgrade", "head")
    assert project.database.content() == stepwise
    for revision in ("seed_0002", "seed_0001", "seed_base"):
        project.alembic("downgrade", revision)
    assert set(counts(project).values()) == {0}


@pytest.mark.long_on("postgresql")
def test_history_current_heads_and_check_know_one_head(project: Project) -> None:
    project.start_at("head")
    assert project.alembic("heads").out.strip() == f"{HEAD} (head)"
    assert project.alembic("current").out.strip() == f"{HEAD} (head) (mergepoint)"
    history = project.alembic("history").out
    assert "seed_0001, 0002 -> seed_0002 (mergepoint)" in history
    assert "0001 -> seed_base" in history
    assert "No new upgrade operations" in project.alembic("check").out


@pytest.mark.long_on("sqlite")
def test_offline_scripts_run_by_the_native_client_leave_the_same_database(project: Project) -> None:
    project.start_at("head")
    online = project.database.content(ledger=True)
    project.alembic("downgrade", "seed_base")
    online_down = project.database.content(ledger=True)
    project.alembic("downgrade", "base")
    project.database.execute("DROP TABLE alembic_version")

    script = project.alembic("upgrade", "head", "--sql").out
    done = project.database.run_script(script)
    assert done.returncode == 0, done.stderr
    offline = project.database.content(ledger=True)
    assert _without_times(offline) == _without_times(online)

    script = project.alembic("downgrade", f"{HEAD}:seed_base", "--sql").out
    done = project.database.run_script(script)
    assert done.returncode == 0, done.stderr
    assert _without_times(project.database.content(ledger=True)) == _without_times(online_down)


def _without_times(content: dict) -> dict:
    return {**content, "seed_state": [row[:3] for row in content.get("seed_state", [])]}


@pytest.mark.long_on("postgresql")
def test_an_offline_script_stops_at_a_conflict_and_writes_nothing(project: Project) -> None:
    project.start_at("head")
    project.database.execute("UPDATE machines SET site = 'elsewhere' WHERE name = 'lumi'")
    before = project.database.content(ledger=True)
    script = project.alembic("downgrade", f"{HEAD}:seed_base", "--sql").out
    done = project.database.run_script(script)
    assert done.returncode != 0
    assert "seed_refused" in done.stderr
    assert project.database.content(ledger=True) == before


@pytest.mark.long
def test_an_offline_script_for_another_state_refuses_to_run(project: Project) -> None:
    project.start_at("seed_0002")
    before = project.database.content(ledger=True)
    script = project.alembic("downgrade", f"{HEAD}:seed_base", "--sql").out
    assert project.database.run_script(script).returncode != 0
    assert project.database.content(ledger=True) == before


def test_refuses_a_step_down_from_two_revisions_that_would_take_the_schema_s(sqlite_project: Project) -> None:
    project = sqlite_project
    project.start_at("head")
    project.alembic("downgrade", "seed_base")
    before = project.database.content(ledger=True)
    outcome = project.alembic_fails("downgrade", "-1")
    assert outcome.code == 1
    assert "-1 may mean a step of the schema or one of the seeds" in outcome.err
    assert "alembic downgrade seed_base" in outcome.err
    assert "UserWarning" not in outcome.text
    assert project.database.content(ledger=True) == before


@pytest.mark.long
def test_a_script_advises_options_that_it_has(sqlite_project: Project) -> None:
    project = sqlite_project
    project.start_at("head")
    project.database.execute("UPDATE machines SET site = 'elsewhere' WHERE name = 'lumi'")
    outcome = project.run("app.scripts.db.rollback_seed")
    assert outcome.code == 1
    assert "    --conflict keep       the rows stay as they are" in outcome.err
    assert "-x " not in outcome.err
    advised = project.alembic_fails("downgrade", "seed_base")
    assert "    -x seed_conflict=keep       the rows stay as they are" in advised.err


@pytest.mark.long_on("postgresql")
def test_an_edit_is_pending_until_a_revision_ships_it(project: Project) -> None:
    project.start_at("head")
    project.edit("simulations", add_ssp370)

    outcome = project.alembic_fails("check")
    assert "simulations: 1 insert (insert new.ssp370" in outcome.text
    assert project.versions() == project.versions()

    project.alembic("revision", "--autogenerate", "-m", "add ssp370")
    assert {"seed_0005.jsonl", "seed_0005_add_ssp370.py"} <= project.versions()
    change_file = (project.root / "migrations/seeds/seed_0005.jsonl").read_text().splitlines()
    assert len(change_file) == 2

    outcome = project.alembic("upgrade", "head")
    assert "simulations: 1 inserted" in outcome.text
    assert counts(project) == {**COUNTS, "simulations": 99}
    project.alembic("check")

    written = project.versions()
    outcome = project.alembic("revision", "--autogenerate", "-m", "nothing")
    assert "no revision written" in outcome.text
    assert project.versions() == written

    project.alembic("downgrade", "-1")
    assert counts(project) == COUNTS


def test_check_writes_no_files(sqlite_project: Project) -> None:
    sqlite_project.start_at("head")
    sqlite_project.edit("simulations", add_ssp370)
    before = sqlite_project.versions()
    sqlite_project.alembic_fails("check")
    assert sqlite_project.versions() == before


def _add_column(project: Project) -> None:
    models = project.root / "app/features/machines/models.py"
    text = models.read_text()
    models.write_text(text + "    nodes: Mapped[int | None]\n")
    schemas = project.root / "app/features/machines/schemas.py"
    schemas.write_text(schemas.read_text() + "    nodes: int | None = None\n")


@pytest.mark.long
def test_one_command_puts_a_model_change_and_a_seed_change_on_their_rails(project: Project) -> None:
    project.start_at("head")
    _add_column(project)
    project.edit("machines", lambda machines: machines[0].update(nodes=4608))

    outcome = project.alembic_fails("check")
    assert "add_column" in outcome.text
    assert "machines: 1 update" in outcome.text

    project.alembic("revision", "--autogenerate", "-m", "node counts", "--rev-id", "0004")
    history = project.alembic("history").out
    assert "0003 -> 0004" in history
    assert "seed_0004, 0004 -> seed_0005 (head) (mergepoint)" in history

    before = project.database.content()
    project.alembic("upgrade", "head")
    assert project.database.scalar("SELECT count(*) FROM machines WHERE nodes = 4608") == 1
    project.alembic("check")
    project.alembic("downgrade", "seed_base")
    assert project.heads() == {"seed_base", "0004"}
    project.alembic("downgrade", "base")
    project.alembic("upgrade", "seed_0004")
    assert project.database.content() == before


@pytest.mark.long
def test_a_model_change_alone_still_leaves_one_head(sqlite_project: Project) -> None:
    project = sqlite_project
    project.start_at("head")
    _add_column(project)
    project.alembic("revision", "--autogenerate", "-m", "node counts", "--rev-id", "0004")
    assert project.alembic("heads").out.strip() == "seed_0005 (head)"
    project.alembic("upgrade", "head")
    project.alembic("check")


@pytest.mark.long
def test_a_plain_revision_lands_on_the_schema_rail_and_keeps_one_head(project: Project) -> None:
    project.start_at("head")
    project.edit("simulations", add_ssp370)
    project.alembic("revision", "-m", "by hand", "--rev-id", "0004")
    assert "0003 -> 0004" in project.alembic("history").out
    assert project.alembic("heads").out.strip() == "seed_0005 (head)"
    # What is pending stays pending: a plain revision takes no seed changes along.
    project.alembic("upgrade", "head")
    assert counts(project) == COUNTS
    assert "1 insert" in project.alembic_fails("check").text


@pytest.mark.parametrize("module", ["seed", "rollback_seed"])
def test_the_scripts_explain_themselves(sqlite_project: Project, module: str) -> None:
    outcome = sqlite_project.run(f"app.scripts.db.{module}", "--help")
    assert outcome.code == 0
    assert "Exit codes" in outcome.out
    assert sqlite_project.run(f"app.scripts.db.{module}", "--nonsense").code == 2


@pytest.mark.long_on("postgresql")
def test_the_scripts_do_what_the_commands_do_and_may_be_repeated(project: Project) -> None:
    rollback = project.run("app.scripts.db.rollback_seed")
    assert rollback.code == 0, rollback.text
    assert "no revision" in rollback.out
    for _ in range(2):
        seed = project.run("app.scripts.db.seed")
        assert seed.code == 0, seed.text
        assert seed.out.rstrip().endswith(f"is at {HEAD}")
        assert counts(project) == COUNTS
    for _ in range(2):
        rollback = project.run("app.scripts.db.rollback_seed")
        assert rollback.code == 0, rollback.text
        assert set(counts(project).values()) == {0}
    assert project.heads() == {"seed_base", "0003"}


@pytest.mark.long_on("sqlite")
def test_a_seed_script_that_is_refused_exits_with_1(project: Project) -> None:
    project.start_at("head")
    project.database.execute("UPDATE machines SET site = 'elsewhere' WHERE name = 'lumi'")
    outcome = project.run("app.scripts.db.rollback_seed")
    assert outcome.code == 1
    assert "Traceback" not in outcome.text
    assert "edited: machines (lumi) would be deleted, but its site was changed" in outcome.err
    assert counts(project) == COUNTS


@pytest.mark.long
def test_no_user_who_is_absent_is_linked_and_one_warning_counts_them(project: Project) -> None:
    user = "6f1d2a5e-7f52-4b13-9a52-0d5b6f3a9c11"
    project.start_at("head")

    def attribute(simulations: list[dict]) -> None:
        for simulation in simulations[:3]:
            simulation["createdBy"] = user

    project.edit("simulations", attribute)
    project.alembic("revision", "--autogenerate", "-m", "who made them")
    outcome = project.alembic("upgrade", "head")
    assert len(re.findall("left empty", outcome.err)) == 1
    assert "3 links of seed rows to users left empty" in outcome.err
    assert project.database.scalar("SELECT count(created_by) FROM simulations") == 0
    project.alembic("downgrade", "-1")
    project.alembic("downgrade", "seed_base")

    identity = user.replace("-", "") if project.database.kind == "sqlite" else user
    project.database.execute(
        "INSERT INTO users (id, kind, email) VALUES (:id, 'person', 'a@example.org')", id=identity
    )
    outcome = project.alembic("upgrade", "head")
    assert "left empty" not in outcome.err
    assert project.database.scalar("SELECT count(created_by) FROM simulations") == 3
    project.alembic("downgrade", "seed_base")
    assert project.database.scalar("SELECT count(*) FROM users") == 1


@pytest.mark.long
def test_a_quiet_run_says_nothing_but_warnings(sqlite_project: Project) -> None:
    for command in (("alembic", "-q", "upgrade", "head"), ("app.scripts.db.rollback_seed", "--quiet")):
        outcome = sqlite_project.run(*command)
        assert (outcome.code, outcome.text) == (0, "")
    outcome = sqlite_project.run("app.scripts.db.seed", "-q", APP_ENVIRONMENT="production")
    assert outcome.code == 0
    assert "left out in production" in outcome.err
    assert "INFO" not in outcome.text
