"""A run is struck by a signal at any moment: what is issued has its file, and the next run makes it good."""

import signal
from pathlib import Path

import pytest
import typer
from sqlalchemy.orm import Session

from app.core.exits import note_commit
from app.scripts.exits import run
from tests.features.users.support import EMAIL, PASSWORD
from tests.scripts.users.running import Commands
from tests.support.project import Outcome, Project

STRUCK = '''
"""provision_service_account, struck by a signal before or after a function of its own."""

import importlib
import os
import sys

def struck(moment, when, number):
    path, _, name = moment.rpartition(".")
    module, _, kind = path.partition(":")
    owner = getattr(importlib.import_module(module), kind) if kind else importlib.import_module(module)
    function = getattr(owner, name)

    def strike():
        setattr(owner, name, function)
        os.kill(os.getpid(), number)

    def call(*args, **kwargs):
        if when == "before":
            strike()
        result = function(*args, **kwargs)
        if when == "after":
            strike()
        return result

    setattr(owner, name, call)

from app.scripts.exits import run
from app.scripts.users.provision_service_account import app

struck(sys.argv[1], sys.argv[2], int(sys.argv[3]))
sys.argv[1:] = sys.argv[4:]
run(app)
'''
SECRET_FILE = "app.core.secret_file:SecretFile"
MOMENTS = (
    f"{SECRET_FILE}._create",
    f"{SECRET_FILE}.write",
    f"{SECRET_FILE}.begin",
    "sqlalchemy.orm:Session.commit",
    "app.core.commits.signals_held",
    f"{SECRET_FILE}._place",
    "os.link",
    "os.unlink",
    f"{SECRET_FILE}.__exit__",
    "sqlalchemy.orm:Session.close",
    "app.scripts.users.issuing._report",
)
SIGNALS = (signal.SIGTERM, signal.SIGKILL)
"""SIGHUP and SIGINT take SIGTERM's way."""
SOONEST = [
    ("sqlalchemy.orm:Session.commit", "before", signal.SIGKILL),
    ("sqlalchemy.orm:Session.commit", "after", signal.SIGKILL),
    ("sqlalchemy.orm:Session.commit", "after", signal.SIGINT),
    (f"{SECRET_FILE}.write", "after", signal.SIGHUP),
    (f"{SECRET_FILE}.__exit__", "after", signal.SIGTERM),
]


def strike(
    project: Project, file: Path, moment: str, when: str, number: signal.Signals, *arguments: str
) -> Outcome:
    """The script's end, for a token in a file, where a signal comes at that moment."""
    (project.root / "struck.py").write_text(STRUCK)
    given = ("--service-name", "ingest-bot", *arguments, "--output-file", str(file))
    return project.run("struck", moment, when, str(number.value), *given)


def hold(project: Project, moment: str, when: str, number: signal.Signals, folder: Path) -> None:
    """Check what a struck run left, and that the next one makes it good."""
    folder.mkdir()
    file, commands = folder / "token", Commands(project.database)
    outcome = strike(project, file, moment, when, number)
    issued = project.database.scalar("SELECT count(*) FROM api_tokens")
    beside = [one.read_text() for one in folder.iterdir() if one != file]
    assert "Traceback" not in outcome.err
    if number is signal.SIGKILL:
        assert outcome.code == -number
    else:
        assert outcome.code == 128 + number, outcome.text
        done = "; what was asked for is done" if issued else ", nothing was written"
        assert outcome.err.splitlines()[-1].endswith(done), outcome.err
        assert not beside
        assert file.exists() is bool(issued)
    if issued:
        secrets = [*beside, *([file.read_text()] if file.exists() else [])]
        assert project.database.scalar("SELECT display_prefix FROM api_tokens") in {s[:10] for s in secrets}
    assert not file.exists() or issued
    again = commands.bot("--ensure", "--output-file", str(file))
    assert again.code == 0, again.err
    prefixes = project.database.rows("SELECT display_prefix FROM api_tokens")
    assert prefixes == [(file.read_text()[:10],)]


@pytest.mark.parametrize(("moment", "when", "number"), SOONEST)
def test_what_a_struck_run_leaves_is_made_good_by_the_next(
    sqlite_project: Project, tmp_path: Path, moment: str, when: str, number: signal.Signals
) -> None:
    sqlite_project.start_at("head")
    hold(sqlite_project, moment, when, number, tmp_path / "tokens")


@pytest.mark.long
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_may_be_struck_at_any_moment(
    project: Project, tmp_path: Path, moment: str, when: str, number: signal.Signals
) -> None:
    project.start_at("head")
    hold(project, moment, when, number, tmp_path / "tokens")


@pytest.mark.long
def test_a_rotation_that_was_killed_after_its_commit_is_finished_and_not_repeated(
    project: Project, tmp_path: Path
) -> None:
    project.start_at("head")
    commands, file = Commands(project.database), tmp_path / "tokens" / "token"
    file.parent.mkdir()
    assert commands.bot("--output-file", str(file)).code == 0
    before, commit = file.read_text(), "sqlalchemy.orm:Session.commit"
    rotate = ("--rotate", "--replace")
    assert strike(project, file, commit, "after", signal.SIGKILL, *rotate).code == -signal.SIGKILL
    assert file.read_text() == before
    outcome = commands.bot(*rotate, "--output-file", str(file))
    assert outcome.code == 0, outcome.err
    assert project.database.scalar("SELECT count(*) FROM api_tokens") == 2
    assert file.read_text() != before
    assert list(file.parent.iterdir()) == [file]
    assert commands.bot(*rotate, "--output-file", str(file)).code == 0
    assert project.database.scalar("SELECT count(*) FROM api_tokens") == 3


def test_a_token_whose_place_is_taken_meanwhile_is_said_to_be_beside_it(
    sqlite_commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.core.secret_file import SecretFile

    def begin(sink: SecretFile) -> None:
        sink.path.write_text("precious")
        original(sink)

    original = SecretFile.begin
    monkeypatch.setattr(SecretFile, "begin", begin)
    file = tmp_path / "tokens" / "token"
    file.parent.mkdir()
    outcome = sqlite_commands.bot("--output-file", str(file))
    assert outcome.code == 8
    (kept,) = (one for one in file.parent.iterdir() if one != file)
    assert f"it is in {kept}: move it from there" in outcome.err
    assert "token 'default' (srl_" in outcome.err
    assert file.read_text() == "precious"
    assert kept.read_text()[:10] in sqlite_commands.bot("--list").out


@pytest.mark.parametrize("arguments", [("--email", EMAIL), ("--email", EMAIL, "--deactivate", "--force")])
def test_an_interrupt_behind_the_commit_does_not_say_that_nothing_was_written(
    sqlite_commands: Commands, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    password = {"APP_ADMIN_PASSWORD": PASSWORD.get_secret_value()}
    if "--deactivate" in arguments:
        assert sqlite_commands.admin(*arguments[:2], **password).code == 0

    def interrupted(session: Session) -> None:
        monkeypatch.setattr(Session, "close", original)
        original(session)
        raise KeyboardInterrupt

    def committed(session: Session) -> None:
        commit(session)
        monkeypatch.setattr(Session, "close", interrupted)

    original, commit = Session.close, Session.commit
    monkeypatch.setattr(Session, "commit", committed)
    outcome = sqlite_commands.admin(*arguments, **password)
    assert (outcome.code, outcome.err) == (130, "interrupted; what was asked for is done\n")
    # And of the next command in this process, which reads alone, nothing is.
    monkeypatch.setattr(Session, "commit", commit)
    monkeypatch.setattr("app.scripts.users.tending.show", interrupted_at_once)
    outcome = sqlite_commands.provision("--list")
    assert (outcome.code, outcome.err) == (130, "interrupted, nothing was written\n")


def interrupted_at_once(_: str) -> None:
    raise KeyboardInterrupt


def test_an_interrupt_at_the_very_end_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        note_commit()
        raise KeyboardInterrupt

    app = typer.Typer()
    app.command()(lambda: None)
    monkeypatch.setattr("app.scripts.exits.finish", interrupted)
    monkeypatch.setattr("sys.argv", ["command"])
    with pytest.raises(SystemExit) as ended:
        run(app)
    note_commit(False)
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted; what was asked for is done\n"
