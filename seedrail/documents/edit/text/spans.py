"""Where the values of a JSON text begin and end."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_SPACE = re.compile(r"[ \t\n\r]*")
_STRINGS = json.JSONDecoder()
_SCALAR = re.compile(r"[^\s,\]}]+")


@dataclass(frozen=True)
class Member:
    """A member of an object or a list: its key or index, where that or the item begins, and its value."""

    key: str | int
    start: int
    value: "Node"


@dataclass(frozen=True)
class Node:
    """A value from `start` to `end`; `members` are those of an object or a list, else None."""

    start: int
    end: int
    kind: str
    members: tuple[Member, ...] | None = None

    def member(self, key: str | int) -> Member | None:
        """The member of that key; of a repeated one the last, as in parsing."""
        return next((one for one in reversed(self.members or ()) if one.key == key), None)


def scan(text: str, position: int = 0) -> Node:
    """The value that begins at a position of valid JSON, or behind white space there."""
    start = _space(text, position)
    opening = text[start]
    if opening not in "{[":
        return Node(start, _scalar_end(text, start), "scalar")
    members = tuple(_members(text, start, opening))
    end = _space(text, members[-1].value.end if members else start + 1)
    return Node(start, end + 1, opening, members)


def _members(text: str, start: int, opening: str) -> Iterator[Member]:
    position, index = _space(text, start + 1), 0
    while text[position] not in "}]":
        begun = position
        key: str | int = index
        if opening == "{":
            key, position = _STRINGS.raw_decode(text, position)
            position = _space(text, position) + 1
        value = scan(text, position)
        yield Member(key, begun, value)
        position, index = _space(text, value.end), index + 1
        if text[position] == ",":
            position = _space(text, position + 1)


def descend(node: Node, path: Sequence[str | int]) -> tuple[Node, int]:
    """The deepest value on a path that is there, and how many of the path's parts lead to it."""
    for depth, part in enumerate(path):
        found = node.member(part)
        if found is None:
            return node, depth
        node = found.value
    return node, len(path)


def key_end(text: str, member: Member) -> int:
    """Where the key of an object's member ends."""
    return _scalar_end(text, member.start)


def value_of(text: str, node: Node) -> object:
    """The value itself."""
    return json.loads(text[node.start : node.end])


def _scalar_end(text: str, start: int) -> int:
    if text[start] == '"':
        return int(_STRINGS.raw_decode(text, start)[1])
    match = _SCALAR.match(text, start)
    return match.end() if match else start


def _space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position
