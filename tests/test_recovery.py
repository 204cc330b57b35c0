"""Stamps, a ledger edited by hand, branched rails, altered change files: each is seen and explained."""

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from seedrail.history.changefile import sha256
from tests.support.project import HEAD, Project

MACHINES, SIMULATIONS = 22, 98


def count(project: Project, table: str) -> int:
    return int(project.database.scalar(f"SELECT count(*) FROM {table}"))


def rows(project: Project) -> dict[str, list[Any]]:
    """The application's rows."""
    return {name: all_ for name, all_ in project.database.content().items() if name != "alembic_version"}


def refused(project: Project, *commands: tuple[str, ...]) -> list[str]:
    """Each command fails with code 1 and one message, and writes nothing; the messages."""
    database, files = project.database.content(ledger=True, volatile=True), project.versions()
    messages = []
    for command in commands:
        outcome = project.alembic_fails(*command)
        assert outcome.code == 1, outcome.text
        assert outcome.err.count("ERROR: ") == 1, outcome.err
        messages.append(outcome.err.partition("ERROR: ")[2])
    assert project.database.content(ledger=True, volatile=True) == database
    assert project.versions() == files
    return messages


# -- stamps ----------------------------------------------------------------------------------------


@pytest.mark.long
def test_an_upgrade_applies_what_was_only_stamped_and_says_so(project: Project) -> None:
    project.start_at("head")
    seeded = rows(project)
    project.alembic("downgrade", "seed_base")
    project.alembic("stamp", HEAD)
    assert count(project, "machines") == 0

    outcome = project.alembic("upgrade", "head")
    assert f"alembic_version says {HEAD}, but the ledger says" in outcome.err
    assert "the version was stamped" in outcome.err
    assert "machines: 22 inserted" in outcome.err
    assert rows(project) == seeded
    project.alembic("downgrade", "seed_base")
    assert count(project, "machines") == 0


@pytest.mark.long_on("postgresql")
def test_a_rollback_of_what_was_only_stamped_takes_nothing_back(project: Project) -> None:
    project.start_at("head")
    project.alembic("downgrade", "seed_base")
    project.alembic("stamp", HEAD)
    outcome = project.alembic("downgrade", "seed_base")
    assert "no row had to change" in outcome.err
    assert project.heads() == {"seed_base", "0003"}


@pytest.mark.long_on("postgresql")
def test_an_upgrade_after_a_stamp_back_finds_what_is_there(project: Project) -> None:
    project.start_at("seed_0003")
    seeded = rows(project)
    project.alembic("stamp", "seed_0002")
    outcome = project.alembic("upgrade", "seed_0003")
    assert "no row had to change" in outcome.err
    assert rows(project) == seeded
    assert project.heads() == {"seed_0003"}
    assert project.database.scalar("SELECT count(*) FROM seed_claims") == 0


@pytest.mark.long_on("postgresql")
def test_a_rollback_after_a_stamp_back_takes_everything_back(project: Project) -> None:
    project.start_at("head")
    project.alembic("stamp", "seed_0002")
    project.alembic("downgrade", "seed_base")
    assert (count(project, "machines"), count(project, "simulations")) == (0, 0)
    assert project.database.content(ledger=True)["seed_state"] == []


# -- the ledger edited by hand ---------------------------------------------------------------------


@pytest.mark.long
def test_a_lost_record_of_a_seed_set_is_restored_by_adopting_its_rows(project: Project) -> None:
    project.start_at("head")
    seeded = rows(project)
    project.database.execute("DELETE FROM seed_state WHERE seed_set = 'machines'")
    outcome = project.alembic("upgrade", "head")
    assert f"alembic_version says {HEAD}, but the ledger says machines at seed_base" in outcome.err
    assert "the ledger was edited" in outcome.err
    assert "machines: 22 adopted" in outcome.err
    assert rows(project) == seeded

    # What nobody can tell from a user's own row is not deleted.
    project.alembic("downgrade", "seed_base")
    assert (count(project, "machines"), count(project, "simulations")) == (MACHINES, 0)


@pytest.mark.long
def test_a_record_of_an_older_revision_is_brought_to_the_version(project: Project) -> None:
    project.start_at("seed_0002")
    older = project.database.rows("SELECT revision, sha256 FROM seed_state WHERE seed_set = 'simulations'")[0]
    project.alembic("upgrade", "head")
    seeded = rows(project)
    project.database.execute(
        "UPDATE seed_state SET revision = :revision, sha256 = :sha256 WHERE seed_set = 'simulations'",
        revision=older[0],
        sha256=older[1],
    )
    outcome = project.alembic("upgrade", "head")
    assert f"alembic_version says {HEAD}, but the ledger says simulations at seed_0002" in outcome.err
    assert rows(project) == seeded


EDITS = {
    "digest": "UPDATE seed_state SET sha256 = 'x' WHERE seed_set = 'machines'",
    "revision": "UPDATE seed_state SET revision = 'seed_0001' WHERE seed_set = 'machines'",
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.long
def test_a_record_that_contradicts_the_history_stops_every_run(project: Project, edit: str) -> None:
    project.start_at("head")
    project.database.execute(EDITS[edit])
    for message in refused(
        project, ("upgrade", "head"), ("downgrade", "seed_base"), ("downgrade", "seed_0001")
    ):
        assert "the database holds seed set 'machines'" in message
        assert "seed_state was edited by hand" in message
        assert "downgrade to seed_base with the version of the project that applied it" in message


@pytest.mark.long_on("postgresql")
def test_a_record_of_a_revision_that_nobody_knows_stops_every_run(project: Project) -> None:
    project.start_at("head")
    project.database.execute("UPDATE seed_state SET revision = 'seed_0099'")
    for message in refused(project, ("upgrade", "head"), ("downgrade", "seed_base")):
        assert "no seed revision 'seed_0099' in this history" in message
        assert "check out that version, or restore the missing revision" in message


# -- a rail that branches --------------------------------------------------------------------------

ALL = (
    ("upgrade", "head"),
    ("downgrade", "seed_base"),
    ("check",),
    ("revision", "--autogenerate", "-m", "more"),
    ("revision", "-m", "more"),
)


def note(text: str, index: int = 0) -> Callable[[list[dict[str, Any]]], None]:
    """An edit of a machine's notes."""
    return lambda machines: machines[index].update(notes=text)


def revision_file(project: Project, name: str) -> Any:
    return project.root / "migrations/versions" / f"{name}.py"


@pytest.mark.long
def test_two_files_of_one_seed_revision_are_refused_by_every_command(sqlite_project: Project) -> None:
    project = sqlite_project
    project.start_at("head")
    project.edit("machines", note("one"))
    project.alembic("revision", "--autogenerate", "-m", "one")
    shutil.copy(revision_file(project, "seed_0005_one"), revision_file(project, "seed_0005_other"))
    for message in refused(project, *ALL):
        assert "the seed rail branches at seed_0005: seed_0005_one.py and seed_0005_other.py" in message
        assert "delete the one that is not published yet, with its change file" in message
        assert 'alembic upgrade head, then alembic revision --autogenerate -m "…"' in message


@pytest.mark.long
def test_two_revisions_after_the_same_one_are_refused_and_the_advice_mends_it(
    sqlite_project: Project,
) -> None:
    project = sqlite_project
    project.start_at("head")
    before = project.document("machines").read_text()
    project.edit("machines", note("theirs"))
    project.alembic("revision", "--autogenerate", "-m", "theirs")
    kept = [
        revision_file(project, "seed_0005_theirs"),
        project.root / "migrations/seeds/seed_0005.jsonl",
    ]
    for file in kept:
        file.rename(project.root / file.name)
    project.document("machines").write_text(before)
    project.edit("machines", note("ours", index=1))
    project.alembic("revision", "--autogenerate", "-m", "ours", "--rev-id", "seed_0006")
    for file in kept:
        (project.root / file.name).rename(file)
    for message in refused(project, *ALL):
        assert "the seed rail branches at seed_0004: seed_0005_theirs.py and seed_0006_ours.py" in message
        assert "two people made a seed revision at the same time" in message
        assert "delete the one that is not published yet, with its change file" in message

    revision_file(project, "seed_0006_ours").unlink()
    (project.root / "migrations/seeds/seed_0006.jsonl").unlink()
    project.edit("machines", note("theirs"))
    project.alembic("upgrade", "head")
    project.alembic("revision", "--autogenerate", "-m", "ours again")
    project.alembic("upgrade", "head")
    project.alembic("check")
    notes = "SELECT count(*) FROM machines WHERE notes IN ('theirs', 'ours')"
    assert project.database.scalar(notes) == 2


# -- change files that are not what they were ------------------------------------------------------


FILLED = "seed_0003"
"""The newest revision whose file has changes in it."""


def change_file(project: Project, revision: str = FILLED) -> Any:
    return project.root / f"migrations/seeds/{revision}.jsonl"


def tamper(project: Project, revision: str = FILLED) -> None:
    """Put another word into a change file."""
    file = change_file(project, revision)
    text = file.read_text()
    assert "slurm" in text
    file.write_text(text.replace("slurm", "slurp", 1))


def claim_parent(project: Project) -> None:
    """Let the newest change file name another parent, and pin it anew as if that were right."""
    file = change_file(project, HEAD)
    header, _, changes = file.read_text().partition("\n")
    entry = json.loads(header)
    entry["parent"]["revision"] = "seed_0001"
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    pin(project, HEAD, f"{text}\n{changes}".encode())


def pin(project: Project, revision: str, content: bytes) -> None:
    """Give a revision another change file and the digest to it."""
    file = change_file(project, revision)
    assert content != file.read_bytes()
    [script] = (project.root / "migrations/versions").glob(f"{revision}_*.py")
    script.write_text(script.read_text().replace(sha256(file.read_bytes()), sha256(content)))
    file.write_bytes(content)


BROKEN: dict[str, tuple[Callable[[Project], Any], str]] = {
    "tampered": (tamper, f"{FILLED}.jsonl: its bytes do not match the digest that revision {FILLED} pins"),
    "missing": (
        lambda project: change_file(project).unlink(),
        f"{FILLED}.jsonl: cannot be read: No such file or directory",
    ),
    "another parent": (
        claim_parent,
        f"{HEAD}.jsonl: was made from another parent than seed_0003 as it is now",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_change_file_is_refused_by_upgrade(sqlite_project: Project, fault: str) -> None:
    sqlite_project.start_at("seed_0002")
    break_it, message = BROKEN[fault]
    break_it(sqlite_project)
    for found in refused(sqlite_project, ("upgrade", "head"), ("upgrade", "seed_0002:head", "--sql")):
        assert message in found
        assert "nothing was written" in found


@pytest.mark.long
@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_change_file_is_refused_by_check_and_revision(sqlite_project: Project, fault: str) -> None:
    project = sqlite_project
    project.start_at("head")
    break_it, message = BROKEN[fault]
    break_it(project)
    for found in refused(project, ("check",), ("revision", "--autogenerate", "-m", "more")):
        assert message in found


@pytest.mark.parametrize("fault", BROKEN)
@pytest.mark.long
def test_a_broken_change_file_is_refused_by_downgrade(sqlite_project: Project, fault: str) -> None:
    sqlite_project.start_at("head")
    break_it, message = BROKEN[fault]
    break_it(sqlite_project)
    if fault == "another parent":
        # The record in the database is that of the file as it was.
        sqlite_project.database.execute(
            "UPDATE seed_state SET sha256 = :new", new=sha256(change_file(sqlite_project, HEAD).read_bytes())
        )
    for found in refused(
        sqlite_project,
        ("downgrade", "seed_base"),
        ("downgrade", "seed_0002"),
        ("downgrade", "base"),
        ("downgrade", f"{HEAD}:seed_base", "--sql"),
    ):
        assert message in found


@pytest.mark.long
def test_a_parent_that_was_made_anew_is_seen_by_its_child(project: Project) -> None:
    project.start_at("seed_0001")
    file = change_file(project, "seed_0002")
    pin(project, "seed_0002", file.read_bytes().replace(b"Long-term archive", b"Archive", 1))
    for found in refused(project, ("upgrade", "head"), ("upgrade", "seed_0001:head", "--sql")):
        assert f"{FILLED}.jsonl: was made from another parent than seed_0002 as it is now" in found
        assert f"delete revision {FILLED} with its change file and generate it again" in found


@pytest.mark.long_on("sqlite")
def test_an_applied_revision_that_was_made_anew_is_seen_by_the_next_run(project: Project) -> None:
    project.start_at(FILLED)
    pin(
        project,
        FILLED,
        change_file(project).read_bytes().replace(b'"scheduler":"slurm"', b'"scheduler":"pbs"'),
    )
    for message in refused(project, ("upgrade", FILLED), ("downgrade", "seed_base")):
        assert "of a revision seed_0003 with another content than this history's" in message


@pytest.mark.long_on("postgresql")
def test_a_broken_change_file_on_an_empty_database_leaves_it_empty(project: Project) -> None:
    tamper(project)
    [message] = refused(project, ("upgrade", "head"))
    assert "do not match the digest" in message
    assert project.database.tables() == set()


@pytest.mark.long
def test_a_restored_change_file_is_all_that_a_refused_run_needs(sqlite_project: Project) -> None:
    project = sqlite_project
    whole = change_file(project).read_bytes()
    tamper(project)
    [message] = refused(project, ("upgrade", "head"))
    assert "restore the file as it was committed" in message
    change_file(project).write_bytes(whole)
    project.alembic("upgrade", "head")
    assert count(project, "simulations") == SIMULATIONS


# -- revision files that are missing, broken, or of another branch of the code -----------------------


def refused_by_all(project: Project) -> set[str]:
    """What `alembic` and the scripts say, all of them with exit code 1."""
    scripts = [project.run(f"app.scripts.db.{name}") for name in ("seed", "rollback_seed")]
    for outcome in scripts:
        assert outcome.code == 1, outcome.text
        assert "Traceback" not in outcome.text
    said = {outcome.err.partition("ERROR: ")[2] for outcome in scripts}
    return said | set(refused(project, ("upgrade", "head"), ("current",)))


@pytest.mark.long
def test_a_broken_revision_file_is_one_sentence_of_alembic_and_the_scripts(sqlite_project: Project) -> None:
    sqlite_project.start_at("head")
    file = revision_file(sqlite_project, "0002_known_issues_and_notes_of_simulations")
    file.write_text("revision = ")
    [sentence] = refused_by_all(sqlite_project)
    assert f"{file.name}: the revision cannot be read: line 1: invalid syntax" in sentence


def test_a_database_of_another_branch_is_one_sentence_of_alembic_and_the_scripts(
    sqlite_project: Project,
) -> None:
    sqlite_project.start_at("head")
    sqlite_project.database.execute("UPDATE alembic_version SET version_num = 'seed_0099'")
    [sentence] = refused_by_all(sqlite_project)
    assert "the database is at 'seed_0099', which no file in" in sentence
