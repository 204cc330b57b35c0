"""What a document's texts may hold: what a database stores, and a reader sees as it is stored."""

import re

_BIDIRECTIONAL = "\u202a-\u202e\u2066-\u2069"
"""What turns the text behind it around: a reader sees another value than the database holds."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

_CONTROL = "\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f"
"""Controls but for tabs and the ends of lines, which a text of several lines may have."""

_UNREADABLE = re.compile(f"[{_CONTROL}{_BIDIRECTIONAL}]")

_UNREADABLE_IN_NAMES = re.compile(
    f"[\x01-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028\u2029\u2060\ufeff{_BIDIRECTIONAL}]"
)
"""A name is one line, and what it holds can be seen. Some scripts join letters by U+200C and U+200D."""

_LINE_ENDS = frozenset("\t\n\r\x85\u2028\u2029")

_ESCAPES = re.compile(r"\\(?:[bf]|u(?:00[0189]|202[a-e]|206[6-9]|d[89a-f]))|\\u007f", re.IGNORECASE)
"""How JSON may write what is refused, and a little more."""


def suspicious(document: str) -> bool:
    """Whether a document may hold what is refused in any text, as itself or as an escape."""
    if "\x7f" in document or (not document.isascii() and _UNREADABLE.search(document)):
        return True
    return "\\" in document and _ESCAPES.search(document) is not None


def unstorable(text: str) -> str | None:
    """A character that no database stores, if there is one."""
    match = _UNSTORABLE.search(text)
    if match is None:
        return None
    kind = "a NUL character" if match.group() == "\x00" else "a lone surrogate"
    return f"{kind} (U+{ord(match.group()):04X}), which no database stores"


def unreadable(text: str) -> str | None:
    """A character that moves a cursor or turns text around, if there is one."""
    match = _UNREADABLE.search(text)
    return match and _named(match.group())


def name_problem(text: str) -> str | None:
    """What is wrong with a name: people look for it, and must be able to tell it from another."""
    match = _UNREADABLE_IN_NAMES.search(text)
    if match:
        return f"contains {_named(match.group())}"
    if text == text.strip():
        return None
    return "begins or ends with white space, which nobody sees" if text.strip() else "is only white space"


def _named(character: str) -> str:
    place = f"(U+{ord(character):04X})"
    if character in _LINE_ENDS:
        return f"a tab or a line break {place}, which belongs into no name"
    if character < "\xa0":
        return f"a control character {place}, which belongs into no text"
    return f"an invisible character {place}, with which it looks like another text"
