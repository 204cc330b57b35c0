"""One value of a JSON text set, or one member removed: the text around it stays as it is."""

import re
from collections.abc import Sequence
from typing import Any

from seedrail.documents.edit.text.spans import Member, Node, descend, key_end, scan, value_of
from seedrail.documents.edit.text.style import Literal, Style
from seedrail.schema.identity import canonical_json

Path = Sequence[str | int]

_LINE_START = re.compile(r"[ \t]*")


def set_value(
    text: str, path: Path, value: Any, style: Style, order: Sequence[str] = (), *, lines: bool = True
) -> str | None:
    """The text with a value at a path; None where the path leads through what is no object.

    Of an object or list that was there, only what differs inside is written anew. A key that is not there is
    added behind the nearest one that stands before it in `order`. `lines` says whether a new object or list
    is written in lines.
    """
    node, depth = descend(scan(text), path)
    rest = path[depth:]
    if not rest:
        return _differently(text, path, node, value, style)
    for part in reversed(rest[1:]):
        value = {part: value}
    if node.kind == "{" and isinstance(rest[0], str):
        return _add(text, node, rest[0], value, style, order, lines=lines)
    if node.kind == "scalar" and text[node.start : node.end] == "null":
        return _replace(text, node, {rest[0]: value}, style, lines=lines)
    return None


def remove(text: str, path: Path) -> str | None:
    """The text without the member at a path, and without the comma that it no longer needs."""
    parent, depth = descend(scan(text), path[:-1])
    member = parent.member(path[-1]) if depth == len(path) - 1 else None
    if member is None or parent.members is None:
        return None
    start, end = without(parent, parent.members.index(member))
    return text[:start] + text[end:]


def without(parent: Node, index: int) -> tuple[int, int]:
    """From where to where a member of an object or list goes."""
    members = parent.members or ()
    member = members[index]
    if len(members) == 1:
        return parent.start + 1, parent.end - 1
    if index:
        return members[index - 1].value.end, member.value.end
    return member.start, members[1].start


def _differently(text: str, path: Path, node: Node, value: Any, style: Style) -> str:
    """The text with what differs from `value` inside of a node set to it."""
    lines = "\n" in text[node.start : node.end]
    if isinstance(value, dict) and node.kind == "{":
        for member in node.members or ():
            if member.key not in value:
                text = remove(text, [*path, member.key]) or text
        for key, one in value.items():
            changed = set_value(text, [*path, key], one, style, list(value), lines=lines)
            text = text if changed is None else changed
        return text
    if isinstance(value, list) and node.kind == "[" and len(value) == len(node.members or ()):
        for index, one in enumerate(value):
            text = set_value(text, [*path, index], one, style) or text
        return text
    if _same(text, node, value):
        return text
    return _replace(text, node, value, style, lines=lines or node.kind == "scalar")


def _same(text: str, node: Node, value: Any) -> bool:
    if isinstance(value, Literal):
        return text[node.start : node.end] == value
    return canonical_json(value_of(text, node)) == canonical_json(value)


def _replace(text: str, node: Node, value: Any, style: Style, *, lines: bool) -> str:
    base = _base(text, node.start) if lines and _own_line(text, node.start) else None
    return text[: node.start] + style.write(value, base) + text[node.end :]


def _base(text: str, position: int) -> str:
    """The white space that the line of a position begins with."""
    match = _LINE_START.match(text, text.rfind("\n", 0, position) + 1)
    return match.group() if match else ""


def _own_line(text: str, position: int) -> bool:
    """Whether a document is written in lines where a value stands: its member begins one."""
    line = text[text.rfind("\n", 0, position) + 1 : position].strip()
    return not line or (line.count('"') == 2 and line[0] == '"')


# -- keys that are not there yet


def _add(
    text: str, node: Node, key: str, value: Any, style: Style, order: Sequence[str], *, lines: bool
) -> str:
    members = node.members or ()
    if not members:
        return text[: node.start] + style.write({key: value}) + text[node.end :]
    colon = text[key_end(text, members[0]) : members[0].value.start]
    after = _neighbour(members, key, order)
    separator = _separator(text, node, members, style)
    base = separator[separator.rfind("\n") + 1 :] if "\n" in separator and lines else None
    written = f"{style.write(key)}{colon}{style.write(value, base)}"
    if after is None:
        at = members[0].start
        return f"{text[:at]}{written},{separator}{text[at:]}"
    at = after.value.end
    return f"{text[:at]},{separator}{written}{text[at:]}"


def _neighbour(members: Sequence[Member], key: str, order: Sequence[str]) -> Member | None:
    """The member behind which a new key goes; None where it comes first."""
    if key not in order:
        return members[-1]
    place = {name: number for number, name in enumerate(order)}
    before = [one for one in members if place.get(str(one.key), len(order)) < place[key]]
    if before:
        return max(before, key=lambda one: place[str(one.key)])
    return None if any(str(one.key) in place for one in members) else members[-1]


def _separator(text: str, node: Node, members: Sequence[Member], style: Style) -> str:
    """The white space between a comma of an object and its next key."""
    if len(members) > 1:
        gap = text[members[0].value.end : members[1].start]
        return gap[gap.index(",") + 1 :]
    gap = text[node.start + 1 : members[0].start]
    return gap if "\n" in gap else style.comma[1:]
