"""Opens regular files alone, and reads a document's bytes: of a sane size, while nobody writes them."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

SIZE_LIMIT = 4 * 2**30
"""Bytes: far more than people write, and less than fills a machine."""

_KINDS = {
    stat.S_IFIFO: "Is a named pipe",
    stat.S_IFSOCK: "Is a socket",
    stat.S_IFCHR: "Is a device",
    stat.S_IFBLK: "Is a device",
}
"""What a path may lead to that is no file, in the words of an operating system."""


class Unreadable(Exception):
    """A document cannot be read; says why."""


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """A file to read; OSError also where the path leads to a pipe, a socket or a device."""
    # Before it is opened: to open a pipe waits for its writer, and to open a device may do something.
    _refuse(path.stat())
    with open(path, "rb", opener=_without_waiting) as file:
        _refuse(os.fstat(file.fileno()))
        yield file


def read_document(path: Path) -> bytes:
    """The bytes of a document; Unreadable with the reason."""
    try:
        with opened(path) as file:
            before = os.fstat(file.fileno())
            if before.st_size > SIZE_LIMIT:
                raise Unreadable(f"is too large: {before.st_size:,} bytes, at most {SIZE_LIMIT:,} are read")
            raw = file.read(SIZE_LIMIT + 1)
            after = os.fstat(file.fileno())
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}") from None
    except MemoryError:
        raise Unreadable("is larger than the memory of this machine: split it") from None
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(raw) > SIZE_LIMIT:
        raise Unreadable("changed while it was read: run the same command again when it is written")
    return raw


def _refuse(found: os.stat_result) -> None:
    kind = _KINDS.get(stat.S_IFMT(found.st_mode))
    if kind:
        raise OSError(errno.EINVAL, f"{kind}, and no file")


def _without_waiting(path: str, flags: int) -> int:
    # What was a file a moment ago may be a pipe by now.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
