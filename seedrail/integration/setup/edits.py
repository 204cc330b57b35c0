"""The pieces of a project with seeds, and the edits that make them: all of them, or none."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from seedrail.errors import SeedError, SetupError
from seedrail.quoting import shown
from seedrail.whole_files import written_whole


@dataclass(frozen=True)
class Edit:
    """A file as it is and as it is to be; `before` is None where it is not there."""

    path: Path
    before: str | None
    after: str


THERE, MADE, BY_HAND = "there", "made", "by hand"
"""How a piece is found: it is there, the command makes it, or people have to."""


@dataclass(frozen=True)
class Piece:
    """One of them, what is to be said of it, and the edit that makes it."""

    name: str
    state: str
    told: str
    edit: Edit | None = None


def near(path: str | Path) -> str:
    """A path for people: from where they are, if it is below."""
    found, here = Path(os.path.abspath(path)), Path.cwd()
    return shown(found.relative_to(here) if found.is_relative_to(here) else found)


def text_of(path: Path) -> str | None:
    """A file's text with its line ends as they are, or None; SetupError where it is not UTF-8."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SetupError(f"{shown(path)} cannot be read: {error.strerror}; nothing was written") from None
    except UnicodeDecodeError:
        raise SetupError(
            f"{shown(path)} is not UTF-8, and is left alone; nothing was written\n"
            "  save it as UTF-8, and run the same command again"
        ) from None


def newline_of(text: str) -> str:
    """What ends the lines of a text."""
    return "\r\n" if "\r\n" in text else "\n"


class Undo:
    """What to take back where a later step fails."""

    def __init__(self) -> None:
        self._made: list[Path] = []
        self._changed: list[tuple[Path, bytes]] = []

    def made(self, path: Path) -> None:
        """A file or a folder that was not there."""
        self._made.append(path)

    def folder(self, path: Path) -> None:
        """Make a folder, and those above it."""
        missing = [one for one in (path, *path.parents) if not one.exists()]
        path.mkdir(parents=True, exist_ok=True)
        self._made += reversed(missing)

    def write(self, edit: Edit) -> None:
        """Make an edit: whole or not at all, with the rights that the file has, through a link to it."""
        path = edit.path.resolve()
        with written_whole(path) as file:
            file.write(edit.after.encode())
            if edit.before is None:
                self.made(path)
            else:
                self._changed.append((path, edit.before.encode()))

    def take_back(self) -> None:
        """Leave the files as they were."""
        for path, content in self._changed:
            path.write_bytes(content)
        for path in reversed(self._made):
            if path.is_dir():
                # Somebody else may have put something there meanwhile.
                if not any(path.iterdir()):
                    path.rmdir()
            else:
                path.unlink(missing_ok=True)


@contextmanager
def all_or_nothing() -> Iterator[Undo]:
    """What is done inside is taken back where it fails, or is interrupted."""
    undo = Undo()
    try:
        yield undo
    except BaseException as error:
        undo.take_back()
        if isinstance(error, OSError):
            where = f" {shown(error.filename)}" if isinstance(error.filename, str) else ""
            raise SeedError(f"cannot write{where}: {error.strerror or error}; nothing was written") from None
        raise
