"""Processes that run a Python module: forked from one that has imported the libraries, or started anew.

A start costs most of a second, nearly all of it for importing the same libraries; a fork, hundredths.
"""

import atexit
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

_READ_AT_START = re.compile(r"PYTHON\w*|LANG|LC_\w+|LD_\w+")
"""Variables that an interpreter reads when it starts: with others than ours, a fork is not like it."""


class Forked:
    """A module that runs in a process of its own; what is asked of it has the names that Popen has."""

    def __init__(self, told: IO[bytes], output: IO[str], errors: IO[str]) -> None:
        self.pid = int(told.readline())
        self.returncode: int | None = None
        self._told, self._printed = told, (output, errors)

    def poll(self, seconds: float = 0) -> int | None:
        """The exit code, or None while it runs; a signal's number, negative, where one ended it."""
        if self.returncode is None and select.select([self._told], [], [], seconds)[0]:
            self.returncode = int(self._told.readline())
            self._told.close()
        return self.returncode

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Wait for the end, and return what was printed; a process that takes longer is left alone."""
        if self.poll(timeout) is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        out, err = map(_content, self._printed)
        return out, err


def _content(file: IO[str]) -> str:
    with file:
        file.seek(0)
        return file.read()


Process = Forked | subprocess.Popen[str]


def start(arguments: tuple[str, ...], folder: Path, environment: Mapping[str, str]) -> Process:
    """`python -m …` in a folder, in the background, in a process group of its own."""
    if _at_start(environment) == _at_start(os.environ):
        return _warm().fork(arguments, folder, environment)
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kill(process: Process) -> None:
    """`kill -9` a process with all that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if _READ_AT_START.fullmatch(name)}


class _Warm:
    """The process that the others are forked from: `tests/support/warm.py`."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            program = Path(__file__).with_name("warm.py")
            # In a session of its own: a Ctrl-C at the tests' terminal is not for it.
            self._process = subprocess.Popen(
                [sys.executable, str(program)], stdin=theirs, start_new_session=True
            )

    def fork(self, arguments: tuple[str, ...], folder: Path, environment: Mapping[str, str]) -> Forked:
        request = {"arguments": arguments, "folder": str(folder), "environment": dict(environment)}
        # Files and no pipes: nobody has to read along while the process writes.
        output, errors = TemporaryFile("w+"), TemporaryFile("w+")  # noqa: SIM115 - `communicate` closes them
        reads, writes = os.pipe()
        files = [output.fileno(), errors.fileno(), writes]
        socket.send_fds(self._requests, [json.dumps(request).encode()], files)
        os.close(writes)
        return Forked(os.fdopen(reads, "rb"), output, errors)

    def end(self) -> None:
        self._requests.close()
        self._process.wait(30)


@cache
def _warm() -> _Warm:
    warm = _Warm()
    atexit.register(warm.end)
    return warm
