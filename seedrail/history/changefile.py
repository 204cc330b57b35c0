"""Change files: the changes of one seed revision as canonical JSON lines, pinned by SHA-256.

The first line is a header with the parent's digest and the frozen tables; then one line a row change.
The same changes give the same bytes.
"""

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from operator import lt
from pathlib import Path
from typing import IO, Any

from msgspec import Raw

from seedrail.errors import ChangeFileError
from seedrail.files import opened
from seedrail.history.changes import Change
from seedrail.history.lines import RESTORE, Line, decode_lines
from seedrail.schema.identity import canonical_json, canonical_object
from seedrail.schema.tables import FrozenTable

FORMAT = 1
COMPRESS_FROM = 1_000_000
"""Bytes from which a change file is stored as gzip."""
COMPRESS_LEVEL = 6
"""gzip's own default: Python's takes twice the time for the last percent."""

_CHUNK = 1 << 17
"""Bytes that are read at a time: some hundred rows, few enough to stay in a processor's cache."""


@dataclass(frozen=True)
class Header:
    """What a change file says of itself; `parent_sha256` is empty for the first seed revision."""

    revision: str
    parent: str
    parent_sha256: str
    tables: Mapping[str, FrozenTable]

    def to_line(self) -> str:
        """The header as the file's first line."""
        return canonical_json(
            {
                "format": FORMAT,
                "revision": self.revision,
                "parent": {"revision": self.parent, "sha256": self.parent_sha256},
                "tables": [self.tables[name].to_json() for name in sorted(self.tables)],
            }
        )


def encode(header: Header, changes: Iterable[Change]) -> tuple[bytes, str]:
    """The bytes of a change file and its suffix, `.jsonl` or `.jsonl.gz`."""
    content = bytearray(header.to_line().encode() + b"\n")
    for change in changes:
        content += _to_line(change)
        content += b"\n"
    if len(content) < COMPRESS_FROM:
        return bytes(content), ".jsonl"
    return gzip.compress(content, COMPRESS_LEVEL, mtime=0), ".jsonl.gz"


def sha256(content: bytes) -> str:
    """The digest that a seed revision pins."""
    return hashlib.sha256(content).hexdigest()


def write(path: Path, content: bytes) -> None:
    """Put a change file in place whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@dataclass(frozen=True)
class ChangeFile:
    """A change file on disk and the digest that its revision pins."""

    path: Path
    revision: str
    sha256: str

    @property
    def size(self) -> int:
        """Bytes on disk; 0 where the file is missing, which reading it will say."""
        return self.path.stat().st_size if self.path.exists() else 0

    def verify(self) -> None:
        """Raise ChangeFileError unless the file's bytes are the pinned ones."""
        try:
            with opened(self.path) as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ChangeFileError(self.path.name, f"cannot be read: {error.strerror}", RESTORE) from None
        if found != self.sha256:
            raise ChangeFileError(
                self.path.name,
                f"its bytes do not match the digest that revision {self.revision} pins"
                f" (pinned {self.sha256[:12]}…, found {found[:12]}…)",
                RESTORE,
            )

    def header(self) -> Header:
        """The file's header, checked to be this revision's."""
        with self._opened() as file:
            header = self._parse_header(file.readline())
        if header.revision != self.revision:
            raise ChangeFileError(
                self.path.name,
                f"says it belongs to revision {header.revision!r}, not {self.revision!r}",
                RESTORE,
            )
        return header

    def changes(self) -> Iterator[Change]:
        """The file's changes, one line at a time; ChangeFileError names a malformed line."""
        for number, line in enumerate(chain.from_iterable(self.blocks()), start=2):
            try:
                yield line.change(self.revision)
            except (ValueError, RecursionError):
                raise self._malformed(number, "is not a row change") from None

    def blocks(self, seen: Callable[[int], None] | None = None) -> Iterator[list[Line]]:
        """The file's lines after the header, in their order; ChangeFileError names a malformed one.

        `seen` is told how many bytes were read; they add up to `size`, more or less.
        """
        with self._opened() as file:
            file.readline()
            number, rest, last, told = 2, b"", ("", ""), 0
            while chunk := file.read(_CHUNK):
                if seen is not None:
                    # Of a compressed file, the position in what is stored.
                    read = getattr(file, "fileobj", file).tell()
                    seen(read - told)
                    told = read
                body, newline, rest = (rest + chunk).rpartition(b"\n")
                if newline:
                    lines = self._checked(body, number, last)
                    yield lines
                    number, last = number + len(lines), lines[-1].sort_key
            if rest:
                yield self._checked(rest, number, last)

    def _checked(self, body: bytes, number: int, last: tuple[str, str]) -> list[Line]:
        lines = decode_lines(body)
        if isinstance(lines, int):
            raise self._malformed(number + lines, "is not a row change")
        keys = [last, *((line.table, line.id) for line in lines)]
        if not all(map(lt, keys, keys[1:])):
            index = next(index for index, key in enumerate(keys[1:]) if key <= keys[index])
            raise self._malformed(number + index, "is out of order")
        return lines

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes] | gzip.GzipFile]:
        try:
            with opened(self.path) as file:
                yield gzip.GzipFile(fileobj=file) if self.path.suffix == ".gz" else file
        except (OSError, EOFError, zlib.error) as error:
            # `strerror` leaves out the path, which the report has already named.
            reason = getattr(error, "strerror", None) or error
            raise ChangeFileError(self.path.name, f"cannot be read: {reason}", RESTORE) from None

    def _parse_header(self, line: bytes) -> Header:
        try:
            entry = json.loads(line)
            version = entry["format"]
            if version != FORMAT:
                raise ChangeFileError(
                    self.path.name,
                    f"has format {version!r}, this engine reads {FORMAT}",
                    "use the version of the project that wrote it, or a newer one",
                )
            tables = [FrozenTable.from_json(table) for table in entry["tables"]]
            parent = entry["parent"]
            return Header(
                entry["revision"],
                parent["revision"],
                parent["sha256"],
                {table.name: table for table in tables},
            )
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise self._malformed(1, "is not a header") from None

    def _malformed(self, number: int, problem: str) -> ChangeFileError:
        return ChangeFileError(self.path.name, f"line {number} {problem}", RESTORE)


def _to_line(change: Change) -> Raw:
    kind = change.kind
    # A whole row is written without its NULLs; an update says NULL where it sets or expects it.
    nulls = kind in ("update", "return")
    # The name of a table is a `str` of SQLAlchemy's own kind.
    entry: dict[str, Any] = {"table": str(change.table), "id": change.id}
    if change.old:
        entry["old"] = canonical_object(change.old, nulls=nulls)
    if kind in ("release", "return"):
        entry[kind] = True
    if change.new and kind != "release":
        entry["new"] = canonical_object(change.new, nulls=nulls)
    return canonical_object(entry)
