"""What runs left beside the file for a secret, as they were cut off before it had its name."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.core.files import MOST_BYTES
from app.core.secret_file import lock, stem


@dataclass(frozen=True)
class Leftover:
    """What a run that was killed, or that lost its database, left beside a file for a secret."""

    path: Path
    content: str

    def remove(self) -> None:
        """Be done with it."""
        with suppress(OSError):
            self.path.unlink()


@contextmanager
def leftovers(path: Path) -> Iterator[list[Leftover]]:
    """The files that runs for `path` left behind, which nobody else looks at meanwhile.

    Those without a secret are removed, and so are those that have their name.
    """
    with ExitStack() as opened:
        yield [found for name in _left(path) if (found := _taken(path.with_name(name), path, opened))]


def _left(path: Path) -> list[str]:
    pattern = re.compile(re.escape(stem(path)) + r"[0-9a-f]{16}\.tmp")
    try:
        return sorted(filter(pattern.fullmatch, os.listdir(path.parent)))
    except (OSError, ValueError):
        return []


def _taken(file: Path, path: Path, opened: ExitStack) -> Leftover | None:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    opened.callback(os.close, descriptor)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or not lock(descriptor):
        return None
    try:
        content = os.read(descriptor, MOST_BYTES).decode()
        placed = os.path.samestat(status, os.lstat(path))
    except FileNotFoundError:
        placed = False
    except (OSError, ValueError):
        return None
    found = Leftover(file, content)
    if placed or not content:
        found.remove()
        return None
    return found
