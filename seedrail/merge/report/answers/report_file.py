"""The file of a run's conflicts: begun before the run looks, and in its place when all of it is written."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from seedrail.errors import OptionError, SeedError
from seedrail.files import opened
from seedrail.quoting import shown
from seedrail.whole_files import WholeFile, begun, is_own_output

_BEGINNING = 65_536
"""Bytes of a file by which it is known: a value may make a line of a report longer."""


class ReportError(SeedError):
    """The report cannot be written: its disk is full, or whoever reads it has gone."""

    exit_code = 8

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"seed_report: cannot write {shown(path)}: {reason}; nothing was written to the database\n"
            "  name a file where there is room, and run the same command again"
        )


class ReportFile:
    """A report that is being written; OptionError where it cannot be, or would take another file's place.

    `database` are the files that the run works on: a new one is as empty as a report.
    """

    def __init__(self, path: Path, database: Collection[Path]) -> None:
        self.path = path
        try:
            _refuse_other_file(path, database)
            self._file: WholeFile = begun(path)
        except OSError as error:
            raise OptionError(f"seed_report: cannot write {shown(path)}: {error.strerror}") from None

    def write(self, line: bytes) -> None:
        """Add a line."""
        with self._named():
            self._file.file.write(line + b"\n")

    def end(self) -> None:
        """The report is whole: it takes its place."""
        try:
            with self._named():
                self._file.end()
        finally:
            self._file.abandon()

    def abandon(self) -> None:
        """It is not to be: what was there stays."""
        self._file.abandon()

    @contextmanager
    def _named(self) -> Iterator[None]:
        """An error of the file as a sentence."""
        try:
            yield
        except OSError as error:
            raise ReportError(self.path, error.strerror or type(error).__name__) from None


class _Line(msgspec.Struct):
    """What each line of a report has, whatever else."""

    move: tuple[str, str]
    table: str


def _refuse_other_file(path: Path, database: Collection[Path]) -> None:
    """Raise OptionError where a path leads to a file that is no report: a document, or the database."""
    place = Path(os.path.realpath(path))
    other = any(os.path.realpath(one) == str(place) for one in database)
    if not other and place.is_file() and not is_own_output(path):
        with opened(place) as file:
            other = not _is_of_report(file.readline(_BEGINNING))
    if other:
        raise OptionError(
            f"seed_report: {shown(path)} is there already, and is no report of a run\n"
            "  name another file, or take that one away"
        )


def _is_of_report(line: bytes) -> bool:
    """Whether a file that begins so is a report: one that is empty, or was filled in, is one too."""
    if len(line) == _BEGINNING:
        return line.startswith(b'{"move":')
    try:
        return not line or bool(msgspec.json.decode(line, type=_Line))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
