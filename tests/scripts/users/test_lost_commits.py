"""A commit whose answer is lost: what was made is kept, what was not is gone, and doubt is said."""

import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.core import commits, witnesses
from tests.features.users.support import EMAIL, PASSWORD
from tests.scripts.users.running import PROVISION, TOKEN, Commands, refused
from tests.support.project import Outcome, Project
from tests.support.proxies import Cut, cut_at_commit

GOOD = PASSWORD.get_secret_value()
MADE = "the connection was lost at the commit, which was made all the same"
NOT_MADE = "it was not made, and nothing was written"
UNKNOWN = "the answer to the commit is lost"


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witnesses, "PATIENCE", 0.5)
    monkeypatch.setattr(witnesses, "ORPHANED", 0.1)
    monkeypatch.setattr(commits, "ANSWERED_WITHIN", 5.0)
    monkeypatch.setattr(witnesses, "_PAUSE", 0.02)


@pytest.fixture
def on_postgresql(postgresql_project: Project) -> Commands:
    return Commands(postgresql_project.database)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "tokens").mkdir()
    return tmp_path / "tokens" / "token"


def tokens(commands: Commands) -> list[dict[str, Any]]:
    """What --list says of ingest-bot; nothing where there is no such account."""
    outcome = commands.bot("--list", "--format", "json")
    listed: list[dict[str, Any]] = json.loads(outcome.out) if outcome.code == 0 else []
    return listed


def active(commands: Commands) -> list[str]:
    return [token["prefix"] for token in tokens(commands) if token["status"] == "active"]


def beside(file: Path) -> list[Path]:
    return [one for one in file.parent.iterdir() if one != file]


def rows(commands: Commands) -> int:
    return sum(
        commands.database.scalar(f"SELECT count(*) FROM {table}")
        for table in ("users", "api_tokens", "audit_events")
    )


def cut(
    commands: Commands, where: Cut, run: Callable[..., Outcome], *arguments: str, returns: bool = True
) -> Outcome:
    """A script behind a proxy that cuts its COMMIT."""
    with cut_at_commit(commands.database.url, where, returns=returns) as proxy:
        outcome = run(*arguments, DATABASE_URL=proxy.url, APP_ADMIN_PASSWORD=GOOD)
        assert proxy.happened
    return outcome


# -- known again -----------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [Cut.ANSWER, pytest.param(Cut.SILENCE, marks=pytest.mark.long)])
def test_a_token_whose_commit_was_made_is_issued_and_its_file_is_there(
    on_postgresql: Commands, file: Path, where: Cut
) -> None:
    outcome = cut(on_postgresql, where, on_postgresql.bot, "--output-file", str(file))
    assert outcome.code == 0, outcome.err
    assert MADE in outcome.err
    assert active(on_postgresql) == [file.read_text()[:10]]
    assert not beside(file)


@pytest.mark.parametrize("where", [Cut.REQUEST, pytest.param(Cut.ORPHAN, marks=pytest.mark.long)])
def test_a_token_whose_commit_was_not_made_leaves_nothing(
    on_postgresql: Commands, file: Path, where: Cut
) -> None:
    outcome = cut(on_postgresql, where, on_postgresql.bot, "--output-file", str(file))
    refused(6, outcome, NOT_MADE)
    assert rows(on_postgresql) == 0
    assert not list(file.parent.iterdir())
    # Nobody holds the lock any more.
    assert on_postgresql.bot("--output-file", str(file), "--lock-timeout", "2").code == 0


@pytest.mark.long
def test_a_token_on_standard_output_is_said_to_be_one_or_none(on_postgresql: Commands) -> None:
    lost = cut(on_postgresql, Cut.REQUEST, on_postgresql.bot, "--format", "text")
    assert lost.code == 6
    assert "what was shown is no token: it was not issued" in lost.err
    assert rows(on_postgresql) == 0
    made = cut(on_postgresql, Cut.ANSWER, on_postgresql.bot, "--format", "text")
    assert made.code == 0
    assert active(on_postgresql) == [made.out[:10]]


@pytest.mark.long
def test_a_rotation_and_a_revocation_are_looked_up_too(on_postgresql: Commands) -> None:
    old = on_postgresql.bot("--format", "text").out[:10]
    rotate = ("--rotate", "--format", "text")
    assert cut(on_postgresql, Cut.REQUEST, on_postgresql.bot, *rotate).code == 6
    assert active(on_postgresql) == [old]
    assert cut(on_postgresql, Cut.ANSWER, on_postgresql.bot, *rotate).code == 0
    newest = tokens(on_postgresql)[0]["id"]
    refused(6, cut(on_postgresql, Cut.REQUEST, on_postgresql.bot, "--revoke", newest), NOT_MADE)
    assert tokens(on_postgresql)[0]["status"] == "active"
    outcome = cut(on_postgresql, Cut.ANSWER, on_postgresql.bot, "--revoke", newest)
    assert outcome.code == 0, outcome.err
    assert tokens(on_postgresql)[0]["status"] == "revoked"


@pytest.mark.long
def test_an_admin_is_looked_up_too(on_postgresql: Commands) -> None:
    refused(6, cut(on_postgresql, Cut.REQUEST, on_postgresql.admin, "--email", EMAIL), NOT_MADE)
    assert rows(on_postgresql) == 0
    outcome = cut(on_postgresql, Cut.ANSWER, on_postgresql.admin, "--email", EMAIL)
    assert (outcome.code, outcome.err) == (0, f"{MADE}\nadmin {EMAIL}: created\n")


@pytest.mark.long
def test_a_role_that_may_not_read_what_it_writes_is_answered_by_the_transactions_number(
    on_postgresql: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witnesses, "_is_there", lambda *_: None)
    assert cut(on_postgresql, Cut.REQUEST, on_postgresql.bot, "--format", "text").code == 6
    assert cut(on_postgresql, Cut.ANSWER, on_postgresql.bot, "--format", "text").code == 0


# -- unknown ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [Cut.ANSWER, pytest.param(Cut.REQUEST, marks=pytest.mark.long)])
def test_where_the_server_stays_away_the_secret_is_kept_and_said_to_be_in_doubt(
    on_postgresql: Commands, file: Path, where: Cut
) -> None:
    outcome = cut(on_postgresql, where, on_postgresql.bot, "--output-file", str(file), returns=False)
    refused(9, outcome, UNKNOWN)
    (kept,) = beside(file)
    assert f"is kept in {kept}" in outcome.err
    assert not file.exists()
    assert re.fullmatch(f"{TOKEN}\n", kept.read_text())
    assert active(on_postgresql) == ([kept.read_text()[:10]] if where is Cut.ANSWER else [])
    assert kept.read_text().strip() not in outcome.text
    # The next run takes up what was issued, and issues anew where nothing was.
    again = on_postgresql.bot("--output-file", str(file))
    assert again.code == 0, again.err
    assert active(on_postgresql) == [file.read_text()[:10]]
    assert ("its file alone was not there" in again.err) is (where is Cut.ANSWER)
    assert (f"{kept} was left by a run that was cut off" in again.err) is (where is Cut.REQUEST)
    assert kept.exists() is (where is Cut.REQUEST)


@pytest.mark.long
def test_a_token_that_was_shown_is_in_doubt_by_its_id(on_postgresql: Commands) -> None:
    outcome = cut(on_postgresql, Cut.ANSWER, on_postgresql.bot, "--format", "text", returns=False)
    assert outcome.code == 9
    assert f"(id {tokens(on_postgresql)[0]['id']}) was shown" in outcome.err
    assert "--service-name ingest-bot --list" in outcome.err
    assert "no token" not in outcome.err


@pytest.mark.long
def test_an_admin_in_doubt_is_settled_by_the_same_command(on_postgresql: Commands) -> None:
    outcome = cut(on_postgresql, Cut.ANSWER, on_postgresql.admin, "--email", EMAIL, returns=False)
    refused(9, outcome, "run the same command again: it finds what is there")
    assert "unchanged" in on_postgresql.admin("--email", EMAIL).err


@pytest.mark.long
def test_a_process_whose_commit_is_cut_ends_as_its_outcome_is(
    postgresql_project: Project, file: Path
) -> None:
    bot = (PROVISION, "--service-name", "ingest-bot", "--output-file", str(file))
    database = postgresql_project.database
    with cut_at_commit(database.url, Cut.ANSWER) as proxy:
        outcome = postgresql_project.run(*bot, DATABASE_URL=proxy.url)
    assert outcome.code == 0, outcome.err
    assert MADE in outcome.err
    assert database.scalar("SELECT display_prefix FROM api_tokens") == file.read_text()[:10]


# -- commits that end in another way, on both databases --------------------------------------------


def ends(monkeypatch: pytest.MonkeyPatch, error: BaseException, *, made: bool) -> None:
    """Each commit is made, or not, and the error comes instead of an answer."""

    def commit(session: Session) -> None:
        monkeypatch.setattr(Session, "commit", original)
        session.commit() if made else session.rollback()
        raise error

    original = Session.commit
    monkeypatch.setattr(Session, "commit", commit)


def io_error() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    return error


@pytest.mark.parametrize("made", [False, True])
def test_an_io_error_at_sqlites_commit_is_looked_up(
    sqlite_commands: Commands, file: Path, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    ends(monkeypatch, io_error(), made=made)
    outcome = sqlite_commands.bot("--output-file", str(file))
    if made:
        assert outcome.code == 0, outcome.err
        assert active(sqlite_commands) == [file.read_text()[:10]]
    else:
        refused(6, outcome, NOT_MADE)
        assert rows(sqlite_commands) == 0
    assert file.exists() is made
    assert not beside(file)


@pytest.mark.parametrize("made", [False, True])
def test_an_interrupt_in_the_commit_says_what_became_of_it(
    commands: Commands, file: Path, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    ends(monkeypatch, KeyboardInterrupt(), made=made)
    outcome = commands.bot("--output-file", str(file))
    said = "; what was asked for is done" if made else ", nothing was written"
    assert (outcome.code, outcome.err) == (130, f"interrupted{said}\n")
    assert active(commands) == ([file.read_text()[:10]] if made else [])
    assert not beside(file)


def test_a_second_interrupt_while_it_looks_leaves_the_secret_in_its_temporary_file(
    sqlite_commands: Commands, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(*_: object) -> None:
        raise KeyboardInterrupt

    ends(monkeypatch, KeyboardInterrupt(), made=True)
    monkeypatch.setattr(commits, "look_for", look)
    outcome = sqlite_commands.bot("--output-file", str(file))
    refused(9, outcome, UNKNOWN)
    (kept,) = beside(file)
    assert active(sqlite_commands) == [kept.read_text()[:10]]


@pytest.mark.long
def test_a_constraint_that_speaks_at_the_commit_is_an_answer(
    on_postgresql: Commands, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_postgresql.database.execute(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE check_violation; END $$"
    )
    on_postgresql.database.execute(
        "CREATE CONSTRAINT TRIGGER no AFTER INSERT ON api_tokens DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION no()"
    )
    monkeypatch.setattr(commits, "look_for", lambda *_: pytest.fail("it was looked up"))
    refused(1, on_postgresql.bot("--output-file", str(file)), "nothing was written")
    assert not list(file.parent.iterdir())
