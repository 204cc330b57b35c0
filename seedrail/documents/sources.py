"""The text of a seed document: parsed strictly, and searched for what no database stores."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from seedrail.documents import texts
from seedrail.documents.faults import Fault, Path, Text, line_too_deep, show_value
from seedrail.files import Unreadable, read_document
from seedrail.quoting import shown

DEPTH_LIMIT = 64

_CONTAINERS = (dict, list)

Problem = tuple[Path, str]
"""A place in a document and what is wrong there."""

ABSENT = object()
"""No value, where a document has none."""


@dataclass(frozen=True)
class Source:
    """A document's name, its text for pointing into it, and its elements.

    `plain` says that nothing in the text asks for a search for what no database stores.
    """

    file: str
    text: Text
    elements: list[Any]
    plain: bool = False

    def unstorable(self, index: int) -> Iterator[Problem]:
        """What no database stores of an element, although JSON allows it."""
        element = self.elements[index]
        if not self.plain or _is_deep(element):
            yield from unstorable(element, (index,))

    def unreadable(self, index: int) -> Iterator[Problem]:
        """Texts of an element that a reader would not see as they are."""
        if not self.plain:
            yield from unreadable(self.elements[index], (index,))

    def fault(self, path: Path, message: str, twin: Path | None = None) -> Fault:
        """A fault at a path of this document; `twin` is the path that it repeats."""
        return Fault(self.file, path, message, self.text, twin)

    def value(self, path: Path) -> Any:
        """The value at a path, or ABSENT where the document has none."""
        value: Any = self.elements
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return ABSENT
        return value


class _Repeated(dict[str, Any]):
    """A JSON object that had a key twice."""

    repeated: tuple[str, ...] = ()


class _TooLong(float):
    """An integer of so many digits that Python refuses to read it."""


def parse(document: FilePath) -> Source | Fault:
    """The document, or why it is no JSON list."""
    file = name_of(document)
    try:
        raw = read_document(document)
    except Unreadable as error:
        return Fault(file, (), str(error))
    return parse_bytes(file, raw)


def parse_bytes(file: str, raw: bytes) -> Source | Fault:
    """The same of a document's bytes, for those that are to be written; `file` is its name in faults."""
    if raw.startswith(b"\xef\xbb\xbf"):
        return Fault(file, (), "starts with a byte-order mark; save it as UTF-8 without one", 1)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return Fault(file, (), f"is not UTF-8 (byte 0x{raw[error.start]:02x})", line)
    if not text or text.isspace():
        return Fault(file, (), "is empty: it must hold a JSON list, if only []", 1)
    reader = _Reader()
    try:
        value = json.loads(
            text,
            object_pairs_hook=reader.mapping,
            parse_constant=reader.number,
            parse_float=reader.number,
            parse_int=reader.integer,
        )
    except json.JSONDecodeError as error:
        problem = f"{error.msg[:1].lower()}{error.msg[1:]}".removesuffix(" at").removesuffix(" starting")
        message = f"is not JSON: {problem} (column {error.colno})"
        return Fault(file, (), message, error.lineno)
    except RecursionError:
        message = f"is nested deeper than {DEPTH_LIMIT} levels"
        return Fault(file, (), message, line_too_deep(text, DEPTH_LIMIT))
    if not isinstance(value, list):
        return Fault(file, (), f"must be a list of objects, not {show_value(value)}", Text(raw))
    return Source(file, Text(raw), value, plain=not (reader.doubtful or texts.suspicious(text)))


class _Reader:
    """Makes values, and notes whether any of them is `doubtful`: a key came twice, a number is too large."""

    doubtful = False

    def mapping(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """The object of some pairs; a _Repeated where a key comes again."""
        members = dict(pairs)
        if len(members) == len(pairs):
            return members
        self.doubtful = True
        marked = _Repeated(members)
        counts = Counter(key for key, _ in pairs)
        marked.repeated = tuple(key for key in members if counts[key] > 1)
        return marked

    def number(self, text: str) -> float:
        """A number, which may be infinite."""
        value = float(text)
        self.doubtful |= not math.isfinite(value)
        return value

    def integer(self, digits: str) -> int | float:
        """An integer; a _TooLong where Python refuses to read it."""
        try:
            return int(digits)
        except ValueError:
            self.doubtful = True
            return _TooLong("inf")


def _is_deep(element: Any) -> bool:
    """Whether containers are nested so deep inside that a path to one has more than DEPTH_LIMIT parts."""
    level = [element] if isinstance(element, _CONTAINERS) else []
    for _ in range(DEPTH_LIMIT):
        level = [
            member
            for container in level
            for member in (container.values() if isinstance(container, dict) else container)
            if isinstance(member, _CONTAINERS)
        ]
        if not level:
            return False
    return True


def unstorable(element: Any, path: Path) -> Iterator[Problem]:
    """What JSON's syntax allows and no database (or no careful reader) does."""
    for value, at in _members(element, path):
        if len(at) > DEPTH_LIMIT:
            yield at[:DEPTH_LIMIT], f"is nested deeper than {DEPTH_LIMIT} levels"
        elif isinstance(value, _TooLong):
            yield at, "has too many digits for any database"
        elif isinstance(value, float) and not math.isfinite(value):
            yield at, "is not a finite number"
        elif isinstance(value, dict):
            for key in getattr(value, "repeated", ()):
                yield (*at, key), "is a duplicate key of its object"
        yield from _texts(value, at, texts.unstorable)


def unreadable(element: Any, path: Path) -> Iterator[Problem]:
    """Texts that a reader would not see as they are."""
    for value, at in _members(element, path):
        yield from _texts(value, at, texts.unreadable)


def _members(element: Any, path: Path) -> Iterator[tuple[Any, Path]]:
    """A value with everything inside, in the document's order, down to the first level that is too deep."""
    waiting: list[tuple[Any, Path]] = [(element, path)]
    while waiting:
        value, at = waiting.pop()
        yield value, at
        if len(at) > DEPTH_LIMIT:
            continue
        if isinstance(value, dict):
            waiting += [(member, (*at, key)) for key, member in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [(member, (*at, index)) for index, member in enumerate(value)][::-1]


def _texts(value: Any, path: Path, find: Callable[[str], str | None]) -> Iterator[Problem]:
    """What is found in a text, or in the keys of an object."""
    if len(path) > DEPTH_LIMIT:
        return
    if isinstance(value, str) and (problem := find(value)):
        yield path, f"contains {problem}"
    elif isinstance(value, dict):
        for key in value:
            if problem := find(key):
                yield (*path, key), f"is a key with {problem}"


def name_of(document: FilePath) -> str:
    """A document's name in a message: from where the command runs, if it lies there."""
    try:
        return shown(document.relative_to(FilePath.cwd()))
    except (ValueError, OSError):
        return shown(document)
