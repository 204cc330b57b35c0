"""Standard output and standard error: UTF-8 whatever the locale, and a reader that is gone is an error."""

import errno
import io
import os
import sys
from contextlib import suppress
from typing import Any, TextIO

from app.core.errors import OutputError
from seedrail import defused


def speak_utf8() -> None:
    """Make both streams of this process UTF-8; a script, a name or a value has more than a locale knows.

    What is no text, such as the name of a file in another encoding, goes out as it came; in a message it is
    spelled out.
    """
    if sys.stdout is None:
        sys.stdout = Closed()
    if sys.stderr is None:
        sys.stderr = Nowhere()
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=errors)


def say(message: str) -> None:
    """A message, never part of the result; where stderr is closed or full, it is dropped."""
    if sys.stderr is not None:
        with suppress(OSError):
            sys.stderr.write(defused(message) + "\n")


class Closed(io.StringIO):
    """Standard output that was closed before the start: whoever writes to it has an error, and not None."""

    def write(self, text: str) -> int:
        """Refuse."""
        raise OSError(errno.EBADF, "it is closed")


class Nowhere(io.StringIO):
    """Standard error that was closed before the start: what is said goes nowhere, and is not None either."""

    def write(self, text: str) -> int:
        """Drop."""
        return len(text)


class Output:
    """Standard output for a result; a reader that has gone, or a full disk, is an OutputError."""

    encoding = "utf-8"

    def write(self, text: str) -> None:
        """Write."""
        try:
            sys.stdout.write(text)
        except OSError as error:
            raise _broken(error) from None

    def flush(self) -> None:
        """Flush."""
        try:
            sys.stdout.flush()
        except OSError as error:
            raise _broken(error) from None


class Notices:
    """Standard output for what is said by the way and is no result: what cannot be written is dropped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write at once: what would wait for the end of the process would fail there."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            _let_go(self._stream)
        return len(text)

    def flush(self) -> None:
        """Nothing waits."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def finish() -> None:
    """Flush both streams at the end of a command; OutputError where standard output takes no more.

    The interpreter would do it after everything else, and end with 120 and a traceback, or without a word.
    """
    if sys.stderr is not None:
        try:
            sys.stderr.flush()
        except (OSError, ValueError):
            _let_go(sys.stderr)
    if not sys.stdout.closed:
        Output().flush()


def _broken(error: OSError) -> OutputError:
    _let_go(sys.stdout)
    return OutputError(f"cannot write to standard output: {error.strerror}")


def _let_go(stream: TextIO) -> None:
    """Lead a stream that takes no more to nowhere: what it still holds would fail again at the end."""
    with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())
        stream.flush()
