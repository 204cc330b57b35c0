"""URLs of SQLite: which file they mean, and those that mean none."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sqlalchemy.engine import URL

from app.core.errors import ConfigurationError, DatabaseUnavailable
from app.core.shown_urls import shown_file

_OF_THE_DRIVER = {
    *("uri", "timeout", "isolation_level", "detect_types", "check_same_thread", "cached_statements"),
}
"""Options that the driver takes by itself; SQLite reads any other, and only behind `uri=true`."""

OPTIONS = _OF_THE_DRIVER | {"cache", "immutable", "mode", "modeof", "nolock", "psow", "vfs"}
"""All options that one of the two reads."""

_TRUE = {"1", "true", "t", "yes", "y", "on"}


def file_of(url: URL) -> Path:
    """The database's file; ConfigurationError where the URL means a database in memory, or no file."""
    name, options = _read(url)
    # SQLite itself would make a file of that name where the URL is no URI, which nobody wants.
    in_memory = name in ("", ":memory:") or name.startswith("file::memory:")
    if in_memory or ("mode", "memory") in options or ("vfs", "memdb") in options:
        raise ConfigurationError(
            "DATABASE_URL means a database in memory, which ends with each connection: what a command wrote"
            " would be lost; name a file, such as sqlite:///file.db"
        )
    _refuse_idle_options(url)
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        raise ConfigurationError(
            f"DATABASE_URL names a file, {shown_file(url, name)}, that cannot be named in this locale:"
            " set PYTHONUTF8=1"
        ) from None
    return Path(name)


def _read(url: URL) -> tuple[str, list[tuple[str, Any]]]:
    """The file's name and the options, as SQLite reads them."""
    name, options = url.database or "", list(url.query.items())
    if _is_uri(url) and name.startswith("file:"):
        # Decoded, without host, query and fragment.
        parts = urlsplit(name + "?" + "&".join(f"{key}={value}" for key, value in options))
        name, options = unquote(parts.path), [*parse_qsl(parts.query.replace("?", "&"))]
    return name, options


def make_private(url: URL) -> None:
    """Make the file that SQLite would make, empty and readable by its owner alone; one that is there stays.

    SQLite would let everybody read it that the umask lets. Its journal and its log get the file's own mode.
    """
    name, options = _read(url)
    if {("mode", "ro"), ("mode", "rw")} & {*options}:
        # SQLite makes none either.
        return
    # What is in the way of it, SQLite meets as well, and says it.
    with suppress(OSError, RuntimeError, ValueError):
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        # To where a link leads: behind a dangling one, SQLite makes the file too.
        descriptor = os.open(Path(name).resolve(), flags, 0o600)
        try:
            # A umask may have taken the owner's own rights away.
            os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)


def require_folder(url: URL) -> None:
    """Raise DatabaseUnavailable where the file has no place: SQLite would only say that it failed."""
    file = file_of(url)
    with _looking(url):
        if file.is_dir():
            raise DatabaseUnavailable(url, IsADirectoryError("it is a directory: name a file in it"))
        if not file.parent.is_dir():
            raise DatabaseUnavailable(
                url,
                NotADirectoryError(
                    f"there is no folder {shown_file(url, file.parent)}: make it, or name another one"
                ),
            )


def is_there(url: URL) -> bool:
    """Whether the database has its file, which connecting would make; DatabaseUnavailable as above."""
    require_folder(url)
    with _looking(url):
        return file_of(url).exists()


@contextmanager
def _looking(url: URL) -> Iterator[None]:
    """A file that nobody can look for, because of a folder's rights or of its name, is said in words."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if isinstance(error, PermissionError):
            reason += ": a folder on the way to it may not be entered; run this as its owner, or name another"
        raise DatabaseUnavailable(url, OSError(reason)) from None


def _is_uri(url: URL) -> bool:
    return str(url.query.get("uri", "")).lower() in _TRUE


def _refuse_idle_options(url: URL) -> None:
    """An option that nobody reads is a misunderstanding: `mode=ro` alone would open the file for writing.

    Without `file:` it is no URI either: SQLite would make a file that is called `x.db?mode=ro`.
    """
    idle = sorted(set(url.query) - _OF_THE_DRIVER)
    if idle and not (_is_uri(url) and (url.database or "").startswith("file:")):
        raise ConfigurationError(
            f"DATABASE_URL has the option {idle[0]!r}, which SQLite reads from a URI alone: write"
            f" sqlite:///file:NAME?{idle[0]}=…&uri=true"
        )
