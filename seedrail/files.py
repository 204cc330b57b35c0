"""Opens regular files alone, reads a document while nobody writes it, and puts new ones in place."""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
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


class Unwritable(Exception):
    """A file cannot be put in place; says which and why."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(reason)


@dataclass(frozen=True)
class Replacement:
    """A file's new bytes; `before` are those that it must still have, None where it may have any."""

    path: Path
    after: bytes
    before: bytes | None = None


def put_in_place(replacements: Sequence[Replacement]) -> None:
    """Write files whole or not at all, none before all are written aside; Unwritable with one that fails.

    A link stays one, and its file keeps its mode.
    """
    aside: list[tuple[Replacement, Path, Path]] = []
    one = None
    try:
        for one in replacements:
            target = Path(os.path.realpath(one.path))
            aside.append((one, target, target.with_name(f".{target.name}.{os.getpid()}.partial")))
            _write_aside(*aside[-1])
        for one, target, partial in aside:
            if one.before is not None and read_document(target) != one.before:
                raise Unwritable(one.path, "changed meanwhile: run the same command again")
            partial.replace(target)
    except (OSError, Unreadable) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise Unwritable(one.path if one else Path(), reason or str(error)) from None
    finally:
        for _, _, partial in aside:
            with suppress(OSError):
                partial.unlink(missing_ok=True)


def _write_aside(one: Replacement, target: Path, partial: Path) -> None:
    # Not made for the owner alone, as temporary files are: what is new has the mode of any new file.
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), "wb") as file:
        if target.exists():
            _refuse(target.stat())
            os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
        file.write(one.after)
        file.flush()
        os.fsync(file.fileno())


def _refuse(found: os.stat_result) -> None:
    kind = _KINDS.get(stat.S_IFMT(found.st_mode))
    if kind:
        raise OSError(errno.EINVAL, f"{kind}, and no file")


def _without_waiting(path: str, flags: int) -> int:
    # What was a file a moment ago may be a pipe by now.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
