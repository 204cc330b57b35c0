"""The account scripts, run in this process, at a pseudo-terminal, and by a shell that breaks something."""

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.testing import CliRunner

from app.core.config import get_settings
from app.core.database import get_engine
from app.scripts.users import create_admin_account, provision_service_account
from tests.support.databases import Database
from tests.support.project import Outcome, Project

ADMIN = "app.scripts.users.create_admin_account"
PROVISION = "app.scripts.users.provision_service_account"
TOKEN = r"srl_[0-9A-Za-z]{49}"


class Commands:
    """The two scripts as functions: with a database, and without a terminal."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def admin(self, *arguments: str, **given: Any) -> Outcome:
        """create_admin_account; `stdin` and variables of the environment are given by name."""
        return self._run(create_admin_account.app, arguments, **given)

    def provision(self, *arguments: str, **given: Any) -> Outcome:
        """provision_service_account."""
        return self._run(provision_service_account.app, arguments, **given)

    def bot(self, *arguments: str, **given: Any) -> Outcome:
        """provision_service_account for ingest-bot."""
        return self.provision("--service-name", "ingest-bot", *arguments, **given)

    def _run(
        self, app: typer.Typer, arguments: tuple[str, ...], stdin: bytes = b"", **environment: str
    ) -> Outcome:
        # A process starts without them.
        get_settings.cache_clear()
        get_engine.cache_clear()
        try:
            env = {"DATABASE_URL": self.database.url, **environment}
            result = CliRunner().invoke(app, arguments, input=stdin, env=env, catch_exceptions=False)
            if get_engine.cache_info().currsize:
                get_engine().dispose()
        finally:
            get_settings.cache_clear()
            get_engine.cache_clear()
        return Outcome(result.exit_code, result.stdout, result.stderr)


def refused(code: int, outcome: Outcome, message: str = "") -> None:
    """Check that it ended with that code and an error, without a traceback and without a result."""
    assert outcome.code == code, outcome.text
    assert message in " ".join(outcome.err.split()), outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""


class Terminal:
    """A script at a pseudo-terminal, and all that somebody sees there."""

    # The terminal is the process's own, as a shell would make it: Ctrl-C reaches it, and so does getpass.
    _START = (
        "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
        " os.execv(sys.executable, [sys.executable, '-m', *sys.argv[1:]])"
    )

    def __init__(self, project: Project, *arguments: str, stdout: int | None = None) -> None:
        self.transcript = ""
        self._seen = 0
        self._screen, inside = pty.openpty()
        # Wide enough that no sentence is wrapped.
        fcntl.ioctl(inside, termios.TIOCSWINSZ, b"\x28\x00\xc8\x00\x00\x00\x00\x00")
        self.process = subprocess.Popen(
            [sys.executable, "-c", self._START, *arguments],
            cwd=project.root,
            env=project.env(),
            stdin=inside,
            stdout=inside if stdout is None else stdout,
            stderr=inside,
            start_new_session=True,
        )
        os.close(inside)

    def answer(self, question: str, line: str) -> None:
        """Wait for a question, and type a line."""
        self.expect(question)
        self.type(line + "\n")

    def expect(self, text: str) -> None:
        """Wait until the text appears after what was waited for before."""
        deadline = time.monotonic() + 30
        while (found := self.transcript.find(text, self._seen)) < 0:
            assert time.monotonic() < deadline, self.transcript
            assert self._read(), f"it ended without {text!r}: {self.transcript}"
        self._seen = found + len(text)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._screen, keys.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C, when the question that was seen is being read for an answer."""
        time.sleep(0.5)
        self.type("\x03")

    def end(self) -> int:
        """Wait for the end; returns the exit code."""
        while self._read():
            pass
        return self.process.wait(60)

    def close(self) -> None:
        """End what still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(60)
        os.close(self._screen)

    def _read(self) -> bool:
        if not select.select([self._screen], [], [], 30)[0]:
            return True
        try:
            read = os.read(self._screen, 4096)
        except OSError:  # Linux says EIO when nobody is left inside.
            return False
        self.transcript += read.decode()
        return bool(read)


@contextmanager
def at_a_terminal(project: Project, *arguments: str, stdout: int | None = None) -> Iterator[Terminal]:
    """A script at a pseudo-terminal, ended with the block."""
    terminal = Terminal(project, *arguments, stdout=stdout)
    try:
        yield terminal
    finally:
        terminal.close()


def through_shell(project: Project, script: str, *arguments: str) -> Outcome:
    """A script started by a line of shell, in which `"$@"` stands for it."""
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", sys.executable, "-m", *arguments],
        cwd=project.root,
        env=project.env(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)
