"""Change files: the changes of one seed revision as canonical JSON lines, pinned by SHA-256.

The first line is a header with the parent's digest and the frozen tables, parents first; then one line a row
change, table by table, by the row's natural key in words. The same changes give the same bytes. Files of
format 1 are read: they have no words, and are sorted by table and seed id.
"""

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from io import BufferedReader
from itertools import chain
from operator import lt
from pathlib import Path
from typing import IO, Any

from msgspec import Raw
from msgspec.json import Encoder

from seedrail.errors import ChangeFileError, SetupError
from seedrail.files import opened
from seedrail.history.changes import Change, Row, State
from seedrail.history.lines import RESTORE, Line, decode_lines
from seedrail.history.squash.replaced import Replaced
from seedrail.schema.identity import canonical_json, canonical_object, words
from seedrail.schema.tables import FrozenTable, in_foreign_key_order
from seedrail.whole_files import written_whole

FORMAT = 2
SQUASHED = 3
"""The format of a squashed revision's file: its header says what the revision stands for."""
FORMATS = (1, FORMAT, SQUASHED)
TEXT_UP_TO = 8_000_000
"""Bytes up to which a change file is stored as text, which can be read and compared; above, as gzip."""
COMPRESS_LEVEL = 6
"""gzip's own default: Python's takes twice the time for the last percent."""

_GZIP = b"\x1f\x8b"

_CHUNK = 1 << 17
"""Bytes that are read at a time: some hundred rows, few enough to stay in a processor's cache."""


Order = Callable[[Line], tuple[Any, ...]]
"""What the lines of a file are sorted by."""
Rank = Callable[[str], Any]
"""What tables are sorted by."""


@dataclass(frozen=True)
class Header:
    """What a change file says of itself; `parent_sha256` is empty for the first seed revision.

    `tables` are those of the seed state; `left` are those that the documents give up with this revision, as
    they were: its lines delete or release their rows. `replaces` are the revisions that a squashed one
    stands for, in their order.
    """

    revision: str
    parent: str
    parent_sha256: str
    tables: Mapping[str, FrozenTable]
    format: int = FORMAT
    left: Mapping[str, FrozenTable] = field(default_factory=dict)
    replaces: tuple[Replaced, ...] = ()

    def to_line(self) -> str:
        """The header as the file's first line."""
        replaces = {"replaces": [one.to_json() for one in self.replaces]} if self.replaces else {}
        return canonical_json(
            {
                "format": SQUASHED if self.replaces else FORMAT,
                "revision": self.revision,
                "parent": {"revision": self.parent, "sha256": self.parent_sha256},
                "tables": [self._entry(table) for table in self.every.values()],
                **replaces,
            }
        )

    def _entry(self, table: FrozenTable) -> dict[str, Any]:
        return {**table.to_json(), **({"left": True} if table.name in self.left else {})}

    @cached_property
    def every(self) -> Mapping[str, FrozenTable]:
        """All tables that the file may have lines of, parents first."""
        try:
            return {table.name: table for table in in_foreign_key_order([*self._both.values()])}
        except SetupError:
            # A table that is given up may have pointed at one that points at it now.
            ordered = (*in_foreign_key_order(self.tables.values()), *in_foreign_key_order(self.left.values()))
            return {table.name: table for table in ordered}

    @property
    def _both(self) -> Mapping[str, FrozenTable]:
        return {**self.left, **self.tables}

    @property
    def order(self) -> Order:
        """The order of the file's lines."""
        return BY_ID if self.format == 1 else order_of(self.every)


def rank_of(tables: Iterable[str]) -> Rank:
    """Tables as they are given, then all others by name."""
    ranks = {name: (rank, "") for rank, name in enumerate(tables)}
    return lambda table: ranks.get(table) or (len(ranks), table)


def order_of(tables: Iterable[str]) -> Order:
    """By table, in the order given, and by the rows' words."""
    rank = cache(rank_of(tables))
    return lambda line: (rank(line.table), bytes(line.row), line.id)


def BY_ID(line: Line) -> tuple[str, str]:  # noqa: N802 - an order among others
    """The order of format 1, which has no words."""
    return line.seed_row


def encode(
    header: Header,
    changes: Iterable[Change],
    known: State,
    text_up_to: int = TEXT_UP_TO,
    written: Callable[[int], None] | None = None,
) -> tuple[bytes, str]:
    """The bytes of a change file and its suffix, `.jsonl` or `.jsonl.gz`.

    `known` are the rows before the changes, which names them: released ones too. A file of more than
    `text_up_to` bytes is compressed. `written` is told how many rows are, one by one.
    """
    content = bytearray(header.to_line().encode() + b"\n")
    for line in _lines(header, list(changes), known):
        content += line
        content += b"\n"
        if written is not None:
            written(1)
    if len(content) <= text_up_to:
        return bytes(content), ".jsonl"
    return gzip.compress(content, COMPRESS_LEVEL, mtime=0), ".jsonl.gz"


def _lines(header: Header, changes: Sequence[Change], known: State) -> Iterator[bytes]:
    """The changes as lines, table by table, by the rows' words."""
    # The name of a table is a `str` of SQLAlchemy's own kind.
    by_table: dict[str, list[Change]] = {str(name): [] for name in header.every}
    coming: dict[str, dict[str, Row]] = {}
    for one in changes:
        by_table.setdefault(str(one.table), []).append(one)
        if one.old is None and one.new is not None:
            coming.setdefault(str(one.table), {})[one.id] = one.new
    nothing: dict[str, Row] = {}

    def find(table: str, id_: str) -> Row | None:
        return coming.get(table, nothing).get(id_) or known.get(table, nothing).get(id_)

    text = words(header.every, find)
    for table, of_table in by_table.items():
        # The place breaks ties, so that changes are never compared.
        lines = sorted((text(table, one.id), one.id, place) for place, one in enumerate(of_table))
        for row, id_, place in lines:
            yield _to_line(table, row, id_, of_table[place])


def sha256(content: bytes) -> str:
    """The digest that a seed revision pins."""
    return hashlib.sha256(content).hexdigest()


_OPERATIONS = "from seedrail import operations  # noqa: F401 - op.upgrade_seeds, whatever env.py imports"


def pins(changes: str, digest: str, replaces: int = 0) -> str:
    """What a seed revision says of its change file, below an import: every template renders its imports.

    A squashed one says how many revisions it stands for.
    """
    # In one, so that they stay together: Alembic sorts them.
    stands_for = f"\nseed_replaces = {replaces}" if replaces else ""
    return f"{_OPERATIONS}\n\nseed_changes = {changes!r}\nseed_sha256 = {digest!r}{stands_for}"


def write(path: Path, content: bytes) -> None:
    """Put a change file in place whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as file:
        file.write(content)


def unpacked(file: BufferedReader) -> IO[bytes] | gzip.GzipFile:
    """What is in an open file, gzip or not: its first bytes say so, for a copy of git's has any name."""
    return gzip.GzipFile(fileobj=file) if file.peek(2)[:2] == _GZIP else file


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
        """The file's header, checked to be this revision's; read once."""
        return self._header

    @cached_property
    def _header(self) -> Header:
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
        header = self.header()
        with self._opened() as file:
            file.readline()
            order, last = header.order, ()
            number, rest, told = 2, b"", 0
            while chunk := file.read(_CHUNK):
                if seen is not None:
                    # Of a compressed file, the position in what is stored.
                    read = getattr(file, "fileobj", file).tell()
                    seen(read - told)
                    told = read
                body, newline, rest = (rest + chunk).rpartition(b"\n")
                if newline:
                    lines = self._checked(body, number, header.format, order, last)
                    yield lines
                    number, last = number + len(lines), order(lines[-1])
            if rest:
                yield self._checked(rest, number, header.format, order, last)

    def lines_of(self, ids: Container[str]) -> Iterator[Line]:
        """The lines of rows with these ids: the others are only passed over, which takes a tenth of the time.

        What it finds was read by `blocks` before, or will be, so that a line which is none is left to that.
        """
        with self._opened() as file:
            file.readline()
            rest = b""
            while chunk := file.read(_CHUNK):
                body, newline, rest = (rest + chunk).rpartition(b"\n")
                yield from _lines_of(body + newline, ids)
            yield from _lines_of(rest, ids)

    def _checked(
        self, body: bytes, number: int, format_: int, order: Order, last: tuple[Any, ...]
    ) -> list[Line]:
        lines = decode_lines(body)
        if isinstance(lines, int):
            raise self._malformed(number + lines, "is not a row change")
        if format_ > 1 and not all(line.row for line in lines):
            index = next(index for index, line in enumerate(lines) if not line.row)
            raise self._malformed(number + index, "does not say its row's natural key")
        keys = [last, *map(order, lines)]
        if not all(map(lt, keys, keys[1:])):
            index = next(index for index, key in enumerate(keys[1:]) if key <= keys[index])
            raise self._malformed(number + index, "is out of order")
        return lines

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes] | gzip.GzipFile]:
        try:
            with opened(self.path) as file:
                yield unpacked(file)
        except (OSError, EOFError, zlib.error) as error:
            # `strerror` leaves out the path, which the report has already named.
            reason = getattr(error, "strerror", None) or error
            raise ChangeFileError(self.path.name, f"cannot be read: {reason}", RESTORE) from None

    def _parse_header(self, line: bytes) -> Header:
        try:
            entry = json.loads(line)
            version = entry["format"]
            if version not in FORMATS:
                raise ChangeFileError(
                    self.path.name,
                    f"has format {version!r}, this engine reads {FORMATS[0]} to {FORMATS[-1]}",
                    "use the version of the project that wrote it, or a newer one",
                )
            tables: dict[str, FrozenTable] = {}
            left: dict[str, FrozenTable] = {}
            for one in entry["tables"]:
                table = FrozenTable.from_json(one)
                (left if one.get("left") else tables)[table.name] = table
            parent = entry["parent"]
            replaces = tuple(map(Replaced.from_json, entry["replaces"])) if version == SQUASHED else ()
            above = entry["revision"], parent["revision"], parent["sha256"]
            return Header(*above, tables, version, left, replaces)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise self._malformed(1, "is not a header") from None

    def _malformed(self, number: int, problem: str) -> ChangeFileError:
        return ChangeFileError(self.path.name, f"line {number} {problem}", RESTORE)


def _lines_of(body: bytes, ids: Container[str]) -> Iterator[Line]:
    for found in _ID.finditer(body):
        if found[1].decode() in ids:
            end = body.find(b"\n", found.end())
            start = body.rfind(b"\n", 0, found.start()) + 1
            lines = decode_lines(body[start : end if end >= 0 else None])
            if not isinstance(lines, int):
                yield from lines


_ID = re.compile(rb'"id"\s*:\s*"([0-9a-f-]{36})"')


def _to_line(table: str, row: bytes, id_: str, change: Change) -> bytes:
    """A change as text: first what people look for."""
    kind = change.kind
    # A whole row is written without its NULLs; an update says NULL where it sets or expects it.
    nulls = kind in ("update", "return")
    entry: dict[str, Any] = {"table": table, "row": Raw(row), "id": id_}
    if change.old:
        entry["old"] = canonical_object(change.old, nulls=nulls)
    if change.released and kind == "insert":
        # Of a squashed revision: what came and was released since.
        entry["release"] = True
    if kind in ("release", "return"):
        entry[kind] = True
    if change.new and kind != "release":
        entry["new"] = canonical_object(change.new, nulls=nulls)
    return _write(entry)


_write = Encoder().encode
