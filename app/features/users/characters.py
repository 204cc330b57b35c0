"""What may not be in a password, because whoever types it again cannot see that it is there."""

import unicodedata

from seedrail import harmless

_SPECIAL = {
    "\0": "a NUL character",
    "\t": "a tab (U+0009): put a blank there",
    "\n": "a line break (U+000A): a password is one line",
    "\r": "a line break (U+000D): a password is one line",
    "\x1b": "an escape character (U+001B), as an arrow key sends it: leave it out",
    "\ufeff": "a byte order mark (U+FEFF), as some editors put it first into a file: save it without one",
}

_KINDS = {
    "Cc": "a control character",
    "Cf": "an invisible character",
    "Zl": "a line break",
    "Zp": "a line break",
    "Cn": "a code point that this version of Unicode gives no character",
    "Co": "a private character, which each machine shows as it likes",
}

_ALSO_INVISIBLE = ("VARIATION SELECTOR", "MONGOLIAN FREE VARIATION SELECTOR", "MONGOLIAN VOWEL SEPARATOR")


def unseen(text: str) -> str | None:
    """The first thing in a text that nobody sees, in words and by its code point; None where all is seen.

    Joiners are among it, also inside emoji and where a script writes them: a keyboard may leave them out.
    """
    for character in text:
        kind = _kind(character)
        if kind is not None:
            return _SPECIAL.get(character) or f"{kind} ({_named(character)}): leave it out"
    return None


def _kind(character: str) -> str | None:
    kind = _KINDS.get(unicodedata.category(character))
    if kind is not None:
        return kind
    # Other white space than a blank becomes one by normalization.
    blank = not character.isspace() and not harmless(character)
    selects = unicodedata.name(character, "").startswith(_ALSO_INVISIBLE)
    return "an invisible character" if blank or selects else None


def _named(character: str) -> str:
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X}{' ' if name else ''}{name}"
