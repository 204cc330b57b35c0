"""Foreign text in a message: names, keys and values of people's rows, files and servers.

A report is read at a terminal and in a log. What somebody wrote into a row must not end a line there, move
the cursor, turn text around, or read as something else than one value.
"""

import re
from unicodedata import combining

VALUE_SHOWN = 60
"""Characters of a value that a message shows."""

NAME_SHOWN = 200
"""The same of a name or a key, which somebody has to look for."""

_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
"""What Python counts as printable, and nobody sees."""

_SPECIAL = re.compile(r"""["'`()\[\]\\…]|, """)
"""What sets a name apart from its sentence: a name that holds some of it is put in quotes."""

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def harmless(text: str) -> bool:
    """Whether a text shows as what it is, in one line."""
    return text.isprintable() and (text.isascii() or not any(blank in text for blank in _BLANK))


def escaped(text: str) -> str:
    """The text with every character that a terminal or a log would obey, or not show, as its escape."""
    return text if harmless(text) else "".join(map(_escape, text))


def one_line(text: object) -> str:
    """What another program said, as one line."""
    lines = (line.strip() for line in str(text).splitlines())
    return escaped(" ".join(line for line in lines if line))


def said(error: BaseException | None) -> str:
    """What a driver's error says, as one line; of PostgreSQL the message and its detail."""
    diagnosis = getattr(error, "diag", None)
    message = getattr(diagnosis, "message_primary", None)
    if not message:
        return one_line(error) or type(error).__name__
    detail = getattr(diagnosis, "message_detail", None)
    return escaped(message) + (f": {escaped(detail)}" if detail else "")


def quoted(value: str | None, limit: int = VALUE_SHOWN) -> str:
    """A value of a row: always in quotes, NULL without; `…` behind the quotes says that there is more."""
    return "NULL" if value is None else _enclosed(value, limit)


def shown(name: object, *, apart: str = "", limit: int = NAME_SHOWN) -> str:
    """A name or a key: bare where it can only be read as one, else in quotes.

    `apart` are characters that stand between several names in the sentence, beside a comma and a space.
    """
    text = str(name)
    bare = (
        0 < len(text) <= limit
        and text == text.strip(" ,")
        and harmless(text)
        and not _SPECIAL.search(text)
        and not any(character in text for character in apart)
        and not combining(text[0])
    )
    return text if bare else _enclosed(text, limit)


def whole(value: str | None) -> str:
    """A value in quotes, however long it is: who compares or reviews it has to see its end."""
    return quoted(value, len(value or "") + 1)


def numbered(count: int, noun: str) -> str:
    """A number with its noun: `1 row`, `2 rows`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def defused(message: str) -> str:
    """A message of several lines without what moves a cursor: a net below what its parts take care of."""
    if harmless(message.replace("\n", "")):
        return message
    return "\n".join(map(escaped, message.split("\n")))


def _enclosed(text: str, limit: int) -> str:
    """In quotes, and cut where it is longer than the limit, between two characters as they are shown."""
    quote = '"' if "'" in text and '"' not in text else "'"
    whole = len(text) <= limit
    kept = text if whole else text[: _cut(text, limit - 1)]
    more = "" if whole else "…"
    if not (quote in kept or "\\" in kept) and harmless(kept) and not combining(kept[:1] or " "):
        # Most are, and there may be millions.
        return quote + kept + quote + more
    special = {quote: "\\" + quote, "\\": "\\\\"}
    # An accent that opens the text would sit on the quote.
    opening = _code(kept[0]) if kept and combining(kept[0]) else ""
    inside = "".join(special.get(character) or _escape(character) for character in kept[bool(opening) :])
    return quote + opening + inside + quote + more


def _cut(text: str, at: int) -> int:
    """The nearest place before `at` that parts no letter from its accents; `at` where accents never end."""
    place = at
    while place > 0 and combining(text[place]):
        place -= 1
    return place or at


def _escape(character: str) -> str:
    return character if harmless(character) else _SHORT.get(character) or _code(character)


def _code(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
