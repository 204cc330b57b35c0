"""`seedrail doctor`, as a process in a copy of the project."""

import json
import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.adopters import Adopter
from tests.support.databases import Database
from tests.support.project import Project


def findings(project: Project, code: int, **environment: str) -> dict[str, dict[str, str]]:
    """What was found, by question; the command ends with `code`."""
    outcome = project.run("seedrail.commands", "doctor", "--quiet", "--format", "json", **environment)
    assert outcome.code == code, outcome.text
    assert "Traceback" not in outcome.text
    return {one["question"]: one for one in json.loads(outcome.out)}


def test_a_healthy_project_has_no_faults_and_no_warnings(project: Project) -> None:
    project.start_at("head")
    assert {one["state"] for one in findings(project, 0).values()} == {"ok"}
    text = project.run("seedrail.commands", "doctor", "--quiet").out
    assert text.endswith("0 faults, 0 warnings\n")


def test_an_empty_database_is_a_warning_with_the_way_on(project: Project) -> None:
    found = findings(project, 0)["revision"]
    assert found["state"] == "warning"
    assert "pending: 4 schema revisions and 4 seed revisions" in found["told"]
    assert "alembic upgrade head" in found["mend"]
    assert not sa.inspect(project.database.engine).has_table("seed_state")


@pytest.mark.long_on("postgresql")
def test_a_document_and_a_change_file_that_are_wrong_are_faults(project: Project) -> None:
    project.start_at("head")
    file = project.document("machines")
    whole = file.read_text("utf-8")
    file.write_text(whole.replace('"CSC"', "17"), "utf-8")
    assert findings(project, 1)["documents"]["state"] == "fault"
    file.write_text(whole.replace('"CSC"', '"Kajaani"'), "utf-8")
    assert findings(project, 0)["documents"]["mend"].startswith("alembic revision --autogenerate")
    (changes,) = (project.root / "migrations" / "seeds").glob("seed_0002*")
    changes.write_bytes(changes.read_bytes() + b"\n")
    history = findings(project, 1)["history"]
    assert history["state"] == "fault"
    assert "restore the file" in history["mend"]


def test_what_env_py_forgot_is_a_fault_with_the_line_to_add(sqlite_project: Project) -> None:
    env = sqlite_project.root / "migrations" / "env.py"
    env.write_text(env.read_text("utf-8").replace("**seedrail.options(seed_catalog),", ""), "utf-8")
    outcome = sqlite_project.run("seedrail.commands", "doctor", "--quiet")
    assert outcome.code == 1
    assert "seedrail.options(seeds)" in outcome.err
    assert "- environment  env.py ended with 1 and a message" in outcome.out


def test_loggers_that_are_mute_are_a_warning(sqlite_project: Project) -> None:
    ini = sqlite_project.root / "alembic.ini"
    ini.write_text(ini.read_text("utf-8").replace("qualname = seedrail", "qualname = elsewhere"), "utf-8")
    found = findings(sqlite_project, 0)["logging"]
    assert found["state"] == "warning"
    assert "[logger_seedrail]" in found["mend"]


def test_rights_that_are_missing_are_named(postgresql_project: Project) -> None:
    postgresql_project.start_at("head")
    database = postgresql_project.database
    database.execute("CREATE ROLE reader LOGIN")
    try:
        database.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        url = database.engine.url.set(username="reader").render_as_string(hide_password=False)
        told = findings(postgresql_project, 1, DATABASE_URL=url)["rights"]["told"]
        assert "CREATE on the schema public" in told
        assert "UPDATE on machines" in told
        assert "SELECT on machines" not in told
    finally:
        database.execute("DROP OWNED BY reader")
        database.execute("DROP ROLE reader")


def test_a_database_that_cannot_be_reached_is_a_fault(sqlite_project: Project) -> None:
    nowhere = "postgresql://nobody:secret@127.0.0.1:1/nothing"
    outcome = sqlite_project.run(
        "seedrail.commands", "doctor", "-q", DATABASE_URL=nowhere, APP_DATABASE_WAIT="0"
    )
    assert outcome.code == 1
    assert "- environment  env.py ended with 6" in outcome.out
    # Its models are told of all the same.
    assert "machines        seeded in machines, by (name)" in outcome.out
    assert "secret" not in outcome.text


def test_each_table_is_seeded_or_says_why_it_cannot_be(sqlite_project: Project) -> None:
    outcome = sqlite_project.run("seedrail.commands", "doctor", "--quiet", "--format", "json")
    tables = {one["name"]: one for one in findings(sqlite_project, 0)["tables"]["tables"]}
    assert tables["machines"] == {
        "name": "machines", "state": "seeded", "set": "machines", "keys": [["name"]],
        "volatile": [], "reasons": [],
    }  # fmt: skip
    assert tables["audit_events"]["reasons"][0]["mend"].startswith("give it a unique constraint")
    assert [one["question"] for one in json.loads(outcome.out) if "tables" in one] == ["tables"]
    text = sqlite_project.run("seedrail.commands", "doctor", "--quiet").out
    assert "artifacts       seeded in simulations, by (simulation_id, kind, uri)\n" in text
    assert "audit_events    cannot be seeded\n" in text


@pytest.fixture
def adopter(sqlite: Database, tmp_path: Path) -> Adopter:
    return Adopter.made(tmp_path / "adopter", sqlite)


def asked(adopter: Adopter, code: int) -> dict[str, dict[str, str]]:
    out = adopter.seedrail("doctor", "--quiet", "--format", "json", code=code).out
    return {one["question"]: one for one in json.loads(out)}


def test_a_project_without_seeds_is_told_of_its_tables_and_of_init(adopter: Adopter) -> None:
    found = asked(adopter, 1)
    assert found["history"]["mend"] == "seedrail init makes it"
    assert found["settings"]["state"] == "warning"
    assert "seedrail init" in found["environment"]["mend"]
    assert "tags  can be seeded, by (name)\n" in adopter.seedrail("doctor", "-q", code=1).out
    adopter.seedrail("init", "--write-env", "--seeds", "seeds:seed_catalog")
    assert {name for name, one in asked(adopter, 0).items() if one["state"] != "ok"} == {
        "documents",
        "revision",
    }
    assert "tags  seeded in tags, by (name)\n" in adopter.seedrail("doctor", "-q").out


def test_a_template_and_a_git_that_are_in_the_way_are_named(adopter: Adopter) -> None:
    adopter.seedrail("init", "--write-env")
    adopter.edit("migrations/script.py.mako", '${imports if imports else ""}', "")
    subprocess.run(["git", "init", "-q"], cwd=adopter.root, check=True)
    adopter.edit(".gitattributes", "migrations/seeds/* -text", "#")
    found = asked(adopter, 1)
    assert found["template"]["mend"].startswith('add `${imports if imports else ""}` below its imports')
    assert found["git"]["state"] == "warning"
    (adopter.root / "migrations/script.py.mako").unlink()
    assert "restore it" in asked(adopter, 1)["template"]["mend"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("import nothing_there", "ModuleNotFoundError: No module named 'nothing_there'"),
        ("(", "SyntaxError: "),
        ("raise ValueError('\\x1b[2J\\n')", "ValueError: "),
    ],
)  # fmt: skip
def test_an_env_py_that_fails_is_a_fault(damage: str, words: str, adopter: Adopter) -> None:
    adopter.edit("migrations/env.py", "from models import metadata", damage)
    told = adopter.seedrail("doctor", "-q", code=1)
    assert f"- environment  env.py fails: {words}" in told.out
    assert "\x1b" not in told.out


def test_a_table_that_its_set_cannot_fill_is_a_warning(adopter: Adopter) -> None:
    adopter.edit(
        "models.py", "unique=True)", "unique=True), sa.Column('created_at', sa.DateTime, nullable=False)"
    )
    adopter.seedrail("init", "--write-env", "--seeds", "seeds:seed_catalog")
    found = asked(adopter, 0)["tables"]
    assert (found["state"], found["mend"]) == ("warning", "mend what is said of tags")
    assert (
        "created_at: is left to the database, which has no value for it"
        in adopter.seedrail("doctor", "-q").out
    )


def test_a_seed_base_that_makes_no_ledger_is_a_fault(adopter: Adopter) -> None:
    adopter.seedrail("init", "--write-env")
    name = "migrations/versions/seed_base_create_the_seed_ledger.py"
    adopter.edit(name, "op.create_seed_ledger(version=2)", "pass")
    assert "let its upgrade() call op.create_seed_ledger" in asked(adopter, 1)["history"]["mend"]
    told = adopter.seedrail("init").out
    assert f"! seed_base     {name}: let its upgrade() call op.create_seed_ledger(version=2)\n" in told


def test_models_are_told_of_where_the_database_is_out_of_reach(adopter: Adopter) -> None:
    url = adopter.database.url
    adopter.edit("alembic.ini", url, "postgresql+psycopg://nobody:secret@127.0.0.1:1/nothing")
    for options in ((), ("--write-env", "--seeds", "seeds:seed_catalog")):
        if options:
            adopter.seedrail("init", *options)
        told = adopter.seedrail("doctor", code=1)
        assert told.out.count("the database cannot be used: ") == 1
        assert "tags  seeded in tags" in told.out if options else "tags  can be seeded" in told.out
        assert "secret" not in told.text
        assert "BEGIN" not in told.text
