"""Faults in seed documents: the file, the path inside it, and the line where that path stands."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

Path = tuple[str | int, ...]
"""Where a value stands in a document: keys and indexes from the root."""

_SPACE = re.compile(r"[ \t\n\r]*")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Numbers stay text: locating a value must not fail on one that is out of range.
_SKIPPER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str, strict=False)


@dataclass(frozen=True)
class Fault:
    """One fault of one document, with a 1-based line, or None where there is no text to point at."""

    file: str
    path: Path
    line: int | None
    message: str

    def __str__(self) -> str:
        at = f":{self.line}" if self.line else ""
        where = f" {show_path(self.path)}:" if self.path else ""
        return f"{self.file}{at}:{where} {self.message}"


def show_path(path: Sequence[str | int]) -> str:
    """`(3, "artifacts", 0, "kind")` as `[3].artifacts[0].kind`; odd keys are quoted as JSON."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            # Escaped, because a faulty key may hold what a terminal or a log cannot.
            text += f"[{json.dumps(part)}]"
    return text


def line_of(text: str, path: Path) -> int:
    """The line on which the value at `path` begins, or that of the nearest parent that exists.

    `text` must be syntactically valid JSON. A repeated key means its last occurrence, as in parsing.
    """
    position = _skip_space(text, 0)
    for part in path:
        found = _enter(text, position, part)
        if found is None:
            break
        position = found
    return text.count("\n", 0, position) + 1


def _enter(text: str, position: int, wanted: str | int) -> int | None:
    """The position of a container's member, or None when there is no such member."""
    opening = text[position]
    if opening == "[" and isinstance(wanted, int):
        return _member(text, position, wanted)
    if opening == "{" and isinstance(wanted, str):
        return _key(text, position, wanted)
    return None


def _member(text: str, position: int, index: int) -> int | None:
    position = _skip_space(text, position + 1)
    while text[position] != "]":
        if index == 0:
            return position
        index -= 1
        _, position = _SKIPPER.raw_decode(text, position)
        position = _after_comma(text, position)
    return None


def _key(text: str, position: int, key: str) -> int | None:
    found = None
    position = _skip_space(text, position + 1)
    while text[position] != "}":
        name, position = _SKIPPER.raw_decode(text, position)
        position = _skip_space(text, position) + 1
        position = _skip_space(text, position)
        if name == key:
            found = position
        _, position = _SKIPPER.raw_decode(text, position)
        position = _after_comma(text, position)
    return found


def _after_comma(text: str, position: int) -> int:
    position = _skip_space(text, position)
    return _skip_space(text, position + 1) if text[position] == "," else position


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position
