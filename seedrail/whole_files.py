"""Writes files whole or not at all; a pipe or a device, which is no file, gets all of it at the end."""

import errno
import os
import secrets
import shutil
import stat
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

PARTIAL = ".partial"
"""The end of the name of a file that is not whole yet."""


class WholeFile(ABC):
    """What is written to `file` takes its place at `end`, or never: until then, what was there stays.

    OSError where it cannot be written or cannot take its place.
    """

    file: IO[bytes]

    @abstractmethod
    def end(self) -> None:
        """All is written: it takes its place."""

    @abstractmethod
    def abandon(self) -> None:
        """It is not to be: nothing stays of it. After `end` there is nothing left to do."""


def begun(path: Path) -> WholeFile:
    """A file to be written; OSError for a folder, and where nobody may write.

    It gets the mode and the owner of the file that is there. A symbolic link is written through.
    """
    output = _own_output(path)
    if output is not None:
        return _Poured(output)
    there, target = _found(path), Path(os.path.realpath(path))
    if there is not None and not stat.S_ISREG(there.st_mode):
        return _Poured(_opened(path))
    try:
        return _Renamed(target, there)
    except PermissionError:
        if there is None:
            raise
        # The folder takes no new file, or the new one could not be given to the old one's owner.
        return _Poured(os.open(target, os.O_WRONLY), truncate=True)


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to, which takes its place if nothing is raised."""
    whole = begun(path)
    try:
        yield whole.file
        whole.end()
    finally:
        whole.abandon()


class _Renamed(WholeFile):
    """A file beside its place, under a name that nobody can know beforehand and put a link there."""

    def __init__(self, target: Path, there: os.stat_result | None) -> None:
        self._target = target
        self._partial = target.with_name(f"{target.name[:40]}.{secrets.token_hex(8)}{PARTIAL}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        self.file = os.fdopen(os.open(self._partial, flags, 0o666 if there is None else 0o600), "wb")
        try:
            if there is not None:
                self._become_like(there)
        except BaseException:
            self.abandon()
            raise

    def _become_like(self, there: os.stat_result) -> None:
        own = os.fstat(self.file.fileno())
        if (own.st_uid, own.st_gid) != (there.st_uid, there.st_gid):
            os.chown(self._partial, there.st_uid, there.st_gid)
        os.chmod(self._partial, stat.S_IMODE(there.st_mode))

    def end(self) -> None:
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        self._partial.replace(self._target)

    def abandon(self) -> None:
        with suppress(OSError):
            # What is left in its buffer may not be writable either.
            self.file.close()
        with suppress(OSError):
            self._partial.unlink()


class _Poured(WholeFile):
    """A file without a name, which is copied at the end to where a descriptor leads."""

    def __init__(self, descriptor: int, *, truncate: bool = False) -> None:
        self._into = os.fdopen(descriptor, "wb")
        self._truncate = truncate
        self.file = TemporaryFile()  # noqa: SIM115 -- closed by abandon()

    def end(self) -> None:
        self.file.seek(0)
        with suppress(OSError, ValueError):
            # What was said before stands before.
            sys.stdout.flush()
        if self._truncate:
            self._into.truncate()
        with self._into:
            shutil.copyfileobj(self.file, self._into)

    def abandon(self) -> None:
        with suppress(OSError):
            self.file.close()
        with suppress(OSError):
            self._into.close()


def _found(path: Path) -> os.stat_result | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return found


def _opened(path: Path) -> int:
    """A device or a pipe; a pipe that nobody reads is not waited for."""
    descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    os.set_blocking(descriptor, True)
    return descriptor


def is_own_output(path: Path) -> bool:
    """Whether a path leads to where this process writes its output or its errors."""
    output = _own_output(path)
    if output is not None:
        os.close(output)
    return output is not None


def _own_output(path: Path) -> int | None:
    """The process's own output once more, where a path leads there: such a file has other lines already."""
    for stream in (1, 2):
        with suppress(OSError):
            if os.path.samestat(path.stat(), os.fstat(stream)):
                return os.dup(stream)
    return None
