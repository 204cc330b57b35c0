"""What Alembic's command line fails with is said once where it was typed, whole, and not lost anywhere."""

import logging
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import CommandLine

from tests.support.databases import Database
from tests.support.workshop import Workshop


@pytest.fixture
def workshop(sqlite: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Workshop:
    """A project whose first seeds are shipped and applied."""
    opened = Workshop.opened(sqlite, tmp_path / "project")
    opened.run("upgrade", "head")
    opened.ship()
    opened.run("upgrade", "head")
    capsys.readouterr()
    return opened


def fails(workshop: Workshop, function: Any, *, logged: bool = True, **given: Any) -> None:
    """A command of the command line; the log goes to standard error, as in the stock alembic.ini."""
    config = workshop.config()
    options = Namespace(cmd=(function, [*given], []), raiseerr=False, x=None, quiet=False, **given)
    config.cmd_opts = options
    handler = logging.StreamHandler(sys.stderr) if logged else logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        with pytest.raises(SystemExit) as ended:
            CommandLine().run_cmd(config, options)
    finally:
        logging.getLogger().removeHandler(handler)
    assert ended.value.code == -1


def edit(workshop: Workshop) -> None:
    workshop.database.execute("UPDATE machines SET site = 'ours'")


def test_a_refused_run_is_logged_and_not_printed_as_well(
    workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(workshop)
    fails(workshop, command.downgrade, revision="seed_base")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("2 conflicts; nothing was written\n  2 edited in machines\n") == 1


def test_so_are_a_revision_that_is_not_there_and_what_a_check_finds(
    workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    fails(workshop, command.upgrade, revision="nosuch")
    workshop.seeds({"name": "lumi"})
    fails(workshop, command.check)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("Can't locate revision identified by 'nosuch'") == 1
    assert said.err.count("New upgrade operations detected") == 1


def test_a_check_that_finds_nothing_still_says_so(workshop: Workshop) -> None:
    assert "No new upgrade operations detected." in workshop.run("check")


def test_where_nobody_reads_the_log_it_is_printed(
    workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(workshop)
    fails(workshop, command.downgrade, logged=False, revision="seed_base")
    assert capsys.readouterr().out.startswith("FAILED: the database differs")


def test_a_log_that_does_not_get_such_errors_is_no_log_of_them(
    workshop: Workshop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("alembic.util.messaging"), "disabled", True)
    edit(workshop)
    fails(workshop, command.downgrade, revision="seed_base")
    said = capsys.readouterr()
    assert said.out.startswith("FAILED: the database differs")
    assert "the database differs" not in said.err
