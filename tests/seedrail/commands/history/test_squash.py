"""`seedrail squash`, as a process: the files of a project, and the databases that are on its way."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.adopters import Adopter
from tests.support.databases import Database

DOCUMENTS = [["red"], ["red", "blue"], ["red", "blue", "green"]]


@pytest.fixture
def adopter(database: Database, tmp_path: Path) -> Adopter:
    """Three seed revisions, with a schema revision behind the second; the database is at the second."""
    adopter = Adopter.made(tmp_path / "project", database)
    adopter.seedrail("init", "--write-env", "--seeds", "seeds:seed_catalog")
    for number, names in enumerate(DOCUMENTS):
        (adopter.root / "tags.json").write_text(json.dumps([{"name": name} for name in names]))
        adopter.succeed("upgrade", "head")
        adopter.succeed("revision", "--autogenerate", "-m", f"tags {number}")
    return adopter


def names(adopter: Adopter) -> list[str]:
    return sorted(row[0] for row in adopter.database.rows("SELECT name FROM tags"))


def version(adopter: Adopter) -> list[str]:
    return sorted(row[0] for row in adopter.database.rows("SELECT version_num FROM alembic_version"))


def test_a_database_in_the_middle_goes_on_by_the_old_ids(adopter: Adopter) -> None:
    assert version(adopter) == ["seed_0002"]
    told = adopter.seedrail("squash").out
    assert told.startswith("seed_0003 stands for 3 revisions, seed_0001 to seed_0003: 3 rows\n")
    assert "- migrations/versions/" in told
    assert "3 change files stay" in told
    assert "seed_0002" in adopter.succeed("current").out
    assert "inserted" in adopter.seedrail("plan", code=10).out
    assert "seeds: seed_0003" in adopter.seedrail("status", code=10).out
    back = adopter.succeed("downgrade", "seed_0001")
    assert "Running downgrade seed_0002 -> seed_0001" in back.text
    up = adopter.succeed("upgrade", "head")
    assert "Running upgrade seed_0002 -> seed_0003, tags 2" in up.text
    assert names(adopter) == ["blue", "green", "red"]
    assert adopter.seedrail("verify", "-q").out.endswith("every seeded row is as the seed left it\n")
    adopter.succeed("check")


def test_a_new_database_has_one_seed_step_up_and_one_down(adopter: Adopter) -> None:
    adopter.seedrail("squash")
    adopter.succeed("downgrade", "base")
    up = adopter.succeed("upgrade", "head").text
    assert up.count("Running upgrade") == 3
    assert "Running upgrade seed_base -> seed_0003, squash seed_0001 to seed_0003" in up
    assert names(adopter) == ["blue", "green", "red"]
    adopter.succeed("check")
    assert "Running downgrade seed_0003 -> seed_base" in adopter.succeed("downgrade", "seed_base").text
    assert names(adopter) == []
    history = adopter.succeed("history").out
    assert history.count("\n") == 3
    assert "seed_base -> seed_0003 (head), squash seed_0001 to seed_0003" in history


def test_the_next_revision_follows_it_as_it_would_have_followed_the_last(adopter: Adopter) -> None:
    adopter.succeed("upgrade", "head")
    before = adopter.files()["migrations/seeds/seed_0003.jsonl"]
    adopter.seedrail("squash")
    (adopter.root / "tags.json").write_text("[]")
    adopter.succeed("revision", "--autogenerate", "-m", "none")
    adopter.succeed("upgrade", "head")
    assert (names(adopter), version(adopter)) == ([], ["seed_0004"])
    adopter.succeed("downgrade", "seed_0003")
    adopter.succeed("downgrade", "seed_0001")
    assert names(adopter) == ["red"]
    assert adopter.files()["migrations/seeds/seed_0003.jsonl"] == before


@pytest.mark.parametrize(
    "command", [("current",), ("upgrade", "head"), ("downgrade", "seed_base"), ("check",)], ids=" ".join
)
def test_below_it_a_database_without_the_old_files_is_told_which_are_missing(
    adopter: Adopter, command: tuple[str, ...]
) -> None:
    adopter.seedrail("squash")
    adopter.seedrail("squash", "--finish")
    told = adopter.alembic(*command)
    assert told.code != 0
    assert "Traceback" not in told.text
    assert (
        "seed_0002 was squashed into seed_0003, and 3 of the change files that lead there are gone"
        in told.text
    )
    assert "git log --diff-filter=D -- '*/seed_0001.jsonl'" in told.text
    assert (names(adopter), version(adopter)) == (["blue", "red"], ["seed_0002"])


def test_an_old_id_is_told_to_be_gone_wherever_it_is_named(adopter: Adopter) -> None:
    adopter.succeed("upgrade", "head")
    adopter.seedrail("squash")
    assert "after seed_base: 1 insert" in adopter.seedrail("show", "seed_0001").out
    adopter.seedrail("squash", "--finish")
    for told in (
        adopter.seedrail("show", "seed_0001", code=1),
        adopter.seedrail("plan", "seed_0001", code=1),
        adopter.seedrail("squash", "--before", "seed_0001", code=1),
        adopter.alembic("downgrade", "seed_0001"),
        adopter.alembic("downgrade", "seed_0003:seed_0001", "--sql"),
    ):
        assert "seed_0001 was squashed into seed_0003" in told.text


@pytest.mark.parametrize("span", ["seed_0002:head", "seed_0003:seed_base"])
def test_scripts_go_the_old_way_as_long_as_it_is_there(adopter: Adopter, span: str) -> None:
    adopter.seedrail("squash")
    up = span.endswith("head")
    if not up:
        adopter.succeed("upgrade", "head")
    script = adopter.alembic("upgrade" if up else "downgrade", span, "--sql").out
    adopter.database.close()
    done = adopter.database.run_script(script)
    assert done.returncode == 0, done.stderr
    assert names(adopter) == (["blue", "green", "red"] if up else [])
    assert "seed_0003" in version(adopter) if up else "seed_base" in version(adopter)


def test_a_script_past_it_stops_where_people_were_met_at_a_revision_that_is_gone(adopter: Adopter) -> None:
    adopter.succeed("downgrade", "seed_0001")
    adopter.database.execute(
        "INSERT INTO tags (id, name) VALUES ('00000000000000000000000000000007', 'blue')"
    )
    adopter.succeed("upgrade", "head")
    adopter.seedrail("squash")
    adopter.seedrail("squash", "--finish")
    refused = adopter.alembic("downgrade", "seed_base")
    assert "seed_0001 was squashed into seed_0003" in refused.text
    script = adopter.alembic("downgrade", "seed_0003:seed_base", "--sql").out
    assert "-- stops here if there are rows that were met before seed_0003 was squashed" in script
    adopter.database.close()
    assert adopter.database.run_script(script).returncode != 0
    assert names(adopter) == ["blue", "green", "red"]


def git(adopter: Adopter, *arguments: str) -> None:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    subprocess.run(["git", *who, *arguments], cwd=adopter.root, check=True, capture_output=True)


@pytest.mark.parametrize("state", ["new", "edited"])
def test_what_git_does_not_have_is_not_deleted(adopter: Adopter, state: str) -> None:
    git(adopter, "init", "-q")
    if state == "edited":
        git(adopter, "add", "-A")
        git(adopter, "commit", "-qm", "all")
        path = next((adopter.root / "migrations/versions").glob("seed_0002*"))
        path.write_text(path.read_text() + "# a word\n")
    before = adopter.files()
    for options in ((), ("--dry-run",)):
        assert (
            "git does not have migrations/versions/seed_000"
            in adopter.seedrail("squash", *options, code=1).err
        )
    assert adopter.files() == before
    git(adopter, "add", "-A")
    git(adopter, "commit", "-qm", "all")
    adopter.seedrail("squash")


def test_a_dry_run_writes_nothing_and_says_what_it_would(adopter: Adopter) -> None:
    before = adopter.files()
    told = adopter.seedrail("squash", "--dry-run", code=10).out
    assert told.endswith("nothing was written\n")
    assert (
        json.loads(adopter.seedrail("squash", "--dry-run", "--format", "json", code=10).out)["written"] == []
    )
    assert adopter.files() == before
    adopter.seedrail("squash", "-m", "all in one")
    adopter.succeed("upgrade", "head")
    assert "all in one" in adopter.succeed("history", "-r", "seed_base:head").out
    before = adopter.files()
    adopter.seedrail("squash", "--finish", "--dry-run", code=10)
    assert adopter.files() == before
    found = json.loads(adopter.seedrail("squash", "--finish", "--format", "json").out)
    assert found["deleted"] == found["found"] == [f"migrations/seeds/seed_000{n}.jsonl" for n in (1, 2, 3)]
    assert adopter.seedrail("squash", "--finish", "--before", "seed_0001", code=2).err


def test_words_of_git_show_what_a_squashed_revision_stands_for(adopter: Adopter) -> None:
    adopter.seedrail("squash")
    told = adopter.seedrail("textconv", "migrations/seeds/seed_0003.squashed.jsonl").out
    assert told.startswith("seed_0003, after seed_base: 3 inserts\n")
    assert '"revision":"seed_0001"' in told
