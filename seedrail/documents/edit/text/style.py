"""How a document is written: its indent, its line ends, the space behind a colon, letters or escapes."""

import json
import re
from dataclasses import dataclass
from typing import Any

_NON_ASCII_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\u(?!00[01])[0-9a-fA-F]{4}")
_INDENT = re.compile(r"\n([ \t]+)(?=[\"{\[])")
_COLON = re.compile(r'"([ \t]*:[ \t]*)["{\[\dtfn-]')


class Literal(str):
    """A number as it is to be written."""


@dataclass(frozen=True)
class Style:
    """The style of a document; `escapes` says that it writes letters beyond ASCII as escapes."""

    indent: str = "  "
    newline: str = "\n"
    colon: str = ": "
    escapes: bool = False

    @classmethod
    def of(cls, text: str) -> "Style":
        """What a text shows of its style; where it shows nothing, what json.dumps does."""
        indent, colon = _INDENT.search(text), _COLON.search(text)
        return cls(
            indent=indent.group(1) if indent else "  ",
            newline="\r\n" if "\r\n" in text else "\n",
            colon=colon.group(1) if colon else ": ",
            escapes=text.isascii() and _NON_ASCII_ESCAPE.search(text) is not None,
        )

    @property
    def comma(self) -> str:
        """What stands between members that share a line."""
        return ", " if self.colon.endswith(" ") else ","

    def write(self, value: Any, base: str | None = None) -> str:
        """A value; containers in one line, or in several below one that begins with the space `base`."""
        if isinstance(value, Literal):
            return str(value)
        if base is None or not isinstance(value, dict | list) or not value:
            return self._dumps(value)
        indent = base + self.indent
        if isinstance(value, dict):
            items = [f"{self._dumps(key)}{self.colon}{self.write(one, indent)}" for key, one in value.items()]
        else:
            items = [self.write(one, indent) for one in value]
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        inside = ("," + self.newline + indent).join(items)
        return f"{opening}{self.newline}{indent}{inside}{self.newline}{base}{closing}"

    def _dumps(self, value: Any) -> str:
        if isinstance(value, dict):
            # A literal may be inside.
            items = (f"{self._dumps(key)}{self.colon}{self.write(one)}" for key, one in value.items())
            return "{" + self.comma.join(items) + "}"
        if isinstance(value, list):
            return "[" + self.comma.join(self.write(one) for one in value) + "]"
        return json.dumps(value, ensure_ascii=self.escapes)
