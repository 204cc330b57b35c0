"""The text of a seed document: parsed strictly, and searched for what no database stores."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from app.seeding.faults import Fault, Path, Text, line_too_deep, show_value

DEPTH_LIMIT = 64

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

_ESCAPED = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")

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
    file = _shown(document)
    try:
        raw = document.read_bytes()
    except OSError as error:
        return Fault(file, (), f"cannot be read: {error.strerror}")
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
    return Source(file, Text(raw), value, plain=not (reader.doubtful or _escapes(text)))


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


def _escapes(text: str) -> bool:
    """Whether it may hold characters, written as escapes, that no database stores."""
    return "\\u" in text and _ESCAPED.search(text) is not None


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
    waiting: list[tuple[Any, Path]] = [(element, path)]
    while waiting:
        value, path = waiting.pop()
        if len(path) > DEPTH_LIMIT:
            yield path[:DEPTH_LIMIT], f"is nested deeper than {DEPTH_LIMIT} levels"
        elif isinstance(value, str):
            yield from _unstorable_text(value, path, "contains")
        elif isinstance(value, _TooLong):
            yield path, "has too many digits for any database"
        elif isinstance(value, float) and not math.isfinite(value):
            yield path, "is not a finite number"
        elif isinstance(value, dict):
            for key in getattr(value, "repeated", ()):
                yield (*path, key), "is a duplicate key of its object"
            for key in value:
                yield from _unstorable_text(key, (*path, key), "is a key with")
            waiting += [(member, (*path, key)) for key, member in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [(member, (*path, index)) for index, member in enumerate(value)][::-1]


def _unstorable_text(text: str, path: Path, verb: str) -> Iterator[Problem]:
    match = _UNSTORABLE.search(text)
    if match:
        character = ord(match.group())
        kind = "a lone surrogate" if character else "a NUL character"
        yield path, f"{verb} {kind} (U+{character:04X}), which no database stores"


def _shown(document: FilePath) -> str:
    try:
        return str(document.relative_to(FilePath.cwd()))
    except (ValueError, OSError):
        return str(document)
