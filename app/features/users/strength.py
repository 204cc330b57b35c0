"""How hard a password is to guess, judged in a time that no text can stretch.

The estimate is zxcvbn's, made of its matchers and its search. The whole of it takes seconds and minutes for
some texts: the time grows with the cube of the length, with each way to read digits and signs as letters, and
again with each repeat. So repeats are folded before, a part of a long text is looked at, and few ways to read
it are tried.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

SEEN = 32
"""Characters that one estimate looks at."""

FOLDED = 256
"""Characters at either end of a long text in which repeats are looked for."""

READINGS = 8
"""Ways to read digits and signs as letters that one estimate tries."""

_STRONG = 4
"""zxcvbn's best score: at least 10^10 guesses."""

_FLAGS = re.IGNORECASE | re.DOTALL
_PLAIN = re.compile(
    rf"(?P<once>.{{3,{SEEN}}}?)(?:[\W_]{{0,2}}(?P=once))+|(?P<short>.{{1,2}}?)(?P=short){{2,}}", _FLAGS
)
"""What is repeated on purpose, also with signs between; words have double letters, and syllables twice."""
_ANY = re.compile(rf"(?P<once>.{{1,{SEEN}}}?)(?P=once)+", _FLAGS)
_FOLDINGS = 8
"""How often repeats of repeats are folded: each time at least halves them."""

_FAMOUS = frozenset({"correcthorsebatterystaple", "tr0ub4dor3tr0ub4dor3", "tr0ub4dor3"})
"""Passphrases that were published as examples, their letters and digits alone."""


def is_guessable(text: str, about: Iterable[str]) -> bool:
    """Whether somebody who tries common things first, and words `about` the account, finds it soon.

    It is guessable where one of these is: the text, and it with its plain repeats folded, and with all of
    them. Each is strong where its beginning is, or its end.
    """
    words = own_words(about)
    text = _shortened(_ends(text, FOLDED), words)
    return any(
        _is_famous(variant) or all(_is_weak(part, words) for part in parts(variant))
        for variant in variants(text)
    )


def own_words(about: Iterable[str]) -> list[str]:
    """What is known of an account and of this place, whole and in words."""
    known = [unicodedata.normalize("NFKC", one).lower() for one in about]
    return ["seedrail", *(word for one in known for word in (one, *re.split(r"[\W_]+", one)) if word)]


def variants(text: str) -> list[str]:
    """The text, the text with its plain repeats folded to one, and that folded until nothing repeats."""
    folded = _folded(text, _PLAIN)
    return list(dict.fromkeys([text, folded, _folded(folded, _ANY)]))


def parts(text: str) -> list[str]:
    """What is looked at: the whole of a short text, the beginning and the end of a long one."""
    return [text] if len(text) <= SEEN else [text[:SEEN], text[-SEEN:]]


def readings(text: str) -> dict[str, list[str]]:
    """The letters that digits and signs of the text may stand for, each with what stands for it.

    Where that makes too many ways to read the text, each letter is left the sign that is there most often.
    """
    from zxcvbn import matching

    table = matching.relevant_l33t_subtable(text, matching.L33T_TABLE)
    if len(list(islice(matching.enumerate_l33t_subs(table), READINGS + 1))) > READINGS:
        table = {letter: [max(signs, key=text.count)] for letter, signs in table.items()}
    return dict(table)


def _is_weak(text: str, words: Sequence[str]) -> bool:
    # Its word lists take a tenth of a second to import: only those who set a password wait.
    from zxcvbn import scoring, time_estimates

    found = scoring.most_guessable_match_sequence(text, list(_matches(text, words)))
    return bool(time_estimates.guesses_to_score(found["guesses"]) < _STRONG)


def _matches(text: str, words: Sequence[str]) -> Iterator[dict[str, Any]]:
    """What zxcvbn finds in a text, but for repeats: words forwards and backwards, keys in a row, dates."""
    from zxcvbn import matching

    # A dictionary of our own beside its own: what its front door is told stays there for other threads.
    lists = {**matching.RANKED_DICTIONARIES, "user_inputs": matching.build_ranked_dict(words)}
    for match in (
        matching.dictionary_match,
        matching.reverse_dictionary_match,
        matching.spatial_match,
        matching.sequence_match,
        matching.regex_match,
        matching.date_match,
    ):
        yield from match(text, _ranked_dictionaries=lists)
    yield from matching.l33t_match(text, lists, readings(text))


def _ends(text: str, length: int) -> str:
    return text if len(text) <= 2 * length else text[:length] + text[-length:]


def _folded(text: str, repeat: re.Pattern[str]) -> str:
    for _ in range(_FOLDINGS):
        before, text = text, repeat.sub(lambda found: found[found.lastgroup or 0], text)
        if text == before:
            break
    return text


def _shortened(text: str, words: list[str]) -> str:
    """The text, and the words, with long words cut: a part of the text holds them whole then."""
    longest = SEEN // 2
    for index, word in enumerate(words):
        if len(word) > longest:
            text = re.sub(re.escape(word), word[:longest], text, flags=re.IGNORECASE)
            words[index] = word[:longest]
    return text


def _is_famous(text: str) -> bool:
    return re.sub(r"[\W_]", "", text.casefold()) in _FAMOUS
