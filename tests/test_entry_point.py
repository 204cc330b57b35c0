"""`python -m app`: the scripts and the library's commands in groups, as they are by themselves."""

import json

import pytest

from tests.support.project import HEAD, Project


def test_the_groups_name_their_commands(sqlite_project: Project) -> None:
    whole = sqlite_project.run("app", "--help")
    assert whole.code == 0
    assert "db" in whole.out
    assert "users" in whole.out
    db = sqlite_project.run("app", "db", "--help").out
    for name in ("seed", "rollback", "plan", "status", "verify", "show", "blame"):
        assert f"\n  {name} " in db, name
    users = sqlite_project.run("app", "users", "--help").out
    assert "create-admin-account" in users
    assert "provision-service-account" in users


@pytest.mark.long_on("postgresql")
def test_seeds_are_planned_made_verified_and_taken_back_from_any_folder(project: Project) -> None:
    assert project.run("app", "db", "plan", "--quiet").code == 10
    seeded = project.run("app", "db", "seed", "--quiet")
    assert seeded.code == 0, seeded.text
    assert project.run("app", "db", "verify", "--quiet").code == 0
    status = project.run("app", "db", "status", "--quiet", "--format", "json")
    assert {one["revision"] for one in json.loads(status.out)["sets"]} == {HEAD}
    assert project.run("app", "db", "rollback", "--quiet").code == 0
    assert project.database.scalar("SELECT count(*) FROM machines") == 0


def test_errors_have_the_scripts_own_codes_and_words(sqlite_project: Project) -> None:
    sqlite_project.start_at("0001")
    behind = sqlite_project.run(
        "app", "users", "create-admin-account", "--email", "ada@example.org", "--no-input"
    )
    alone = sqlite_project.run(
        "app.scripts.users.create_admin_account", "--email", "ada@example.org", "--no-input"
    )
    assert (behind.code, behind.err) == (alone.code, alone.err)
    assert behind.code != 0
    unknown = sqlite_project.run("app", "db", "nonsense")
    assert unknown.code == 2


def test_a_secret_on_the_command_line_is_refused_there_too(sqlite_project: Project) -> None:
    outcome = sqlite_project.run("app", "users", "create-admin-account", "swordfish")
    assert outcome.code == 2
    assert "swordfish" not in outcome.text
