"""Faults in seed documents: the file, the path inside it, and the line where that path stands."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from seedrail.documents.suggest import nearest_key
from seedrail.errors import FAULT_LIMIT, SeedError
from seedrail.quoting import escaped, harmless

Path = tuple[str | int, ...]
"""Where a value stands in a document: keys and indexes from the root."""

_SHOWN = 80
_SPACE = re.compile(r"[ \t\n\r]*")
_UNFINISHED = re.compile(r"(?<!\\)((?:\\\\)*)\\(?:u[0-9a-f]{0,3})?\Z")
"""The beginning of an escape that a cut has left, behind escaped backslashes."""
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NESTING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)
# Numbers stay text: locating a value must not fail on one that is out of range.
_SKIPPER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str, strict=False)


class Text:
    """A document's text, for pointing into it; it must be syntactically valid JSON in UTF-8."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    @cached_property
    def text(self) -> str:
        """The text, made when it is asked for: in memory it may take twice the bytes."""
        return self._raw.decode("utf-8")

    def line(self, path: Path) -> int:
        """As `line_of`, but the elements of the top-level list are looked for only once."""
        elements = self._elements
        if path and isinstance(path[0], int) and path[0] < len(elements):
            return _line(self.text, elements[path[0]], path[1:])
        return line_of(self.text, path)

    def element(self, index: int) -> tuple[int, int]:
        """Where an element of the top-level list begins and ends in the text."""
        start = self._elements[index]
        _, end = _SKIPPER.raw_decode(self.text, start)
        return start, end

    @cached_property
    def _elements(self) -> list[int]:
        found: list[int] = []
        position = _skip_space(self.text, 0)
        if self.text[position : position + 1] != "[":
            return found
        position = _skip_space(self.text, position + 1)
        try:
            while self.text[position] != "]":
                found.append(position)
                _, position = _SKIPPER.raw_decode(self.text, position)
                position = _after_comma(self.text, position)
        except RecursionError:
            pass  # nested too deep to pass over: what follows is not needed to point at it
        return found


@dataclass(frozen=True)
class Fault:
    """One fault of one document.

    Its lines are looked up when they are asked for: a report lists a few faults of perhaps very many.
    """

    file: str
    path: Path
    message: str
    text: Text | int | None = None
    """What to look the line up in; or the line itself, where the text does not parse."""
    twin: Path | None = None
    """The place that this one repeats."""

    @property
    def line(self) -> int | None:
        """The 1-based line, or None where there is no text to point at."""
        return self.text.line(self.path) if isinstance(self.text, Text) else self.text

    def __str__(self) -> str:
        at = f":{self.line}" if self.line else ""
        where = f" {show_path(self.path)}:" if self.path else ""
        return f"{self.file}{at}:{where} {escaped(self.message)}{self._twin()}"

    def _twin(self) -> str:
        if self.twin is None or not isinstance(self.text, Text):
            return ""
        return f": the same as {show_path(self.twin)} on line {self.text.line(self.twin)}"


def show_path(path: Sequence[str | int]) -> str:
    """`(3, "artifacts", 0, "kind")` as `[3].artifacts[0].kind`; odd keys are quoted as JSON."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        key = part if len(part) <= _SHOWN else part[: _SHOWN - 1] + "…"
        if _PLAIN_KEY.fullmatch(key):
            text += f".{key}" if text else key
        else:
            # Escaped, because a faulty key may hold what a terminal or a log cannot.
            text += f"[{json.dumps(key)}]"
    return text


def show_value(value: Any, *, whole: bool = False) -> str:
    """A JSON value in a sentence: scalars as JSON, shortened; objects and lists only where `whole`."""
    if isinstance(value, dict | list) and not whole:
        return "an object" if isinstance(value, dict) else "a list"
    cut = value[: 4 * _SHOWN] if isinstance(value, str) else value
    shown, limit = json.dumps(cut, ensure_ascii=False), _SHOWN * (4 if whole else 1)
    if len(shown) > limit:
        shown = _UNFINISHED.sub(r"\1", shown[: limit - 1]) + "…"
    # A value must not move the cursor of the terminal that shows it, or end a line of a log.
    return "".join(one if harmless(one) else json.dumps(one)[1:-1] for one in shown)


def explain(
    problem: Any, element: Any, index: int, schema: type[BaseModel] | None = None
) -> tuple[Path, str]:
    """An error of pydantic as a path and a sentence for somebody who has never seen pydantic.

    `element` is what was validated by `schema`, and `index` its place in the document.
    """
    kind, value, limits = problem["type"], problem["input"], problem.get("ctx", {})
    path = (index, *_real(problem["loc"], element))
    found = f": found {show_value(value)}"
    match kind:
        case "missing":
            return (*path, problem["loc"][-1]), "required key is missing"
        case "extra_forbidden":
            near = nearest_key(schema, problem["loc"]) if schema else None
            return path, f"unknown key; did you mean {near!r}?" if near else "unknown key"
        case "value_error":
            return path, f"{limits['error']}{found}"
        case "string_too_long":
            return path, f"is too long: {len(value)} characters, at most {limits['max_length']} fit"
        case "string_too_short" if not value:
            return path, "must not be empty"
        case "greater_than_equal":
            return path, f"should be at least {limits['ge']}{found}"
        case "less_than":
            return path, f"should be less than {limits['lt']}{found}"
    message = _EXPECTED.get(kind) or problem["msg"].removeprefix("Input ")
    return path, f"{message[:1].lower()}{message[1:]}{found}"


_EXPECTED = {
    "string_type": "should be a string",
    "bool_type": "should be true or false",
    "int_type": "should be an integer",
    "float_type": "should be a number",
    "list_type": "should be a list",
    "dict_type": "should be an object",
    "model_type": "should be an object",
}


def _real(location: Sequence[str | int], element: Any) -> Iterator[str | int]:
    """The parts of pydantic's location that are in the document: it names branches of a union, too."""
    value: Any = element
    for part in location:
        if isinstance(value, dict):
            inside = part in value
        else:
            inside = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if inside:
            value = value[part]
            yield part


def line_of(text: str, path: Path) -> int:
    """The line on which the value at `path` begins, or that of the nearest parent that exists.

    `text` must be syntactically valid JSON. A repeated key means its last occurrence, as in parsing.
    """
    return _line(text, _skip_space(text, 0), path)


def line_too_deep(text: str, limit: int) -> int | None:
    """The line on which brackets first nest deeper than `limit`, in text that need not be valid."""
    depth = 0
    for match in _NESTING.finditer(text):
        if match.group() in ("[", "{"):
            depth += 1
        elif match.group() in ("]", "}"):
            depth -= 1
        if depth > limit:
            return text.count("\n", 0, match.start()) + 1
    return None


def _line(text: str, position: int, path: Path) -> int:
    try:
        for part in path:
            found = _enter(text, position, part)
            if found is None:
                break
            position = found
    except RecursionError:
        pass  # a neighbour is nested too deep to pass over: the parent's line is near enough
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


class DocumentError(SeedError):
    """Seed documents have faults; holds all of them, lists them up to a limit."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        files = ", ".join(dict.fromkeys(fault.file for fault in self.faults))
        count = len(self.faults)
        lines = [f"{count} fault{'s' * (count > 1)} in {files}; nothing was written"]
        lines += [f"  {fault}" for fault in self.faults[:FAULT_LIMIT]]
        if count > FAULT_LIMIT:
            lines.append(f"  … and {count - FAULT_LIMIT} more")
        super().__init__("\n".join(lines))
