"""Foreign text in messages: readable where it is harmless, and never more than one piece of one line."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedrail.errors import SeedError
from seedrail.quoting import defused, harmless, one_line, quoted, said, shown

FORGERIES = [
    "\n", "\r", "\t", "\x07", "\x08", "\x1b[2K", "\x7f", "\x85", "\x9b2J", "\u061c", "\u200b", "\u200e",
    "\u200f", "\u2028", "\u2029", "\u202a", "\u202e", "\u2066", "\u2069", "\ufeff", "\ud800", "\u3164",
    "\u2800", "\u00a0",
]  # fmt: skip

TEXTS = st.text(st.one_of(st.characters(), st.sampled_from([*"'\"\\,() /…", "\u0301", *"\n\x1b\u202e"])))


@pytest.mark.parametrize("forgery", FORGERIES, ids=ascii)
def test_what_moves_a_cursor_or_is_not_seen_is_escaped_wherever_it_stands(forgery: str) -> None:
    for text in (forgery, f"a{forgery}b", f"{forgery}a", f"a{forgery}"):
        for message in (
            shown(text),
            quoted(text),
            one_line(text),
            said(ValueError(text)),
            str(SeedError(text)),
        ):
            assert all(harmless(line) for line in message.split("\n"))
        assert "\n" not in shown(text) + quoted(text) + one_line(text)
        assert shown(text)[0] == quoted(text)[0] == "'"


@pytest.mark.parametrize(
    "name",
    [
        "lumi",
        "v3.LR.SSP370_0151",
        "0,5° land",
        "é",
        "e\u0301",
        "漢字",
        "https://docs.e3sm.org/E3SM/",
        "a b",
        "a/b",
    ],
)
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    assert shown(name) == one_line(name) == name
    assert quoted(name) == f"'{name}'"


@pytest.mark.parametrize(
    "name",
    ["", " ", " a", "a ", "a, b", "a,", "a)", "(a", "it's", 'a"', "a\\nb", "…", "[0]", "`a`", "\u0301a"],
)
def test_names_that_could_be_read_as_something_else_are_in_quotes(name: str) -> None:
    assert shown(name)[0] == shown(name)[-1] in "'\""
    assert shown(name) == quoted(name)


def test_names_are_in_quotes_where_they_hold_what_separates_them() -> None:
    assert (shown("a b", apart=" "), shown("a/b", apart="/")) == ("'a b'", "'a/b'")


def test_null_is_no_text() -> None:
    assert (quoted(None), quoted("NULL")) == ("NULL", "'NULL'")


def _read(text: str) -> str:
    """What was quoted."""
    assert text[0] == text[-1] in "'\""
    pattern = r"\\(?:u([0-9a-f]{4})|U([0-9a-f]{8})|(.))"
    short = {"n": "\n", "r": "\r", "t": "\t"}

    def character(match: re.Match[str]) -> str:
        code = match[1] or match[2]
        return chr(int(code, 16)) if code else short.get(match[3], match[3])

    return re.sub(pattern, character, text[1:-1])


@given(TEXTS)
def test_quotes_hold_exactly_the_text(text: str) -> None:
    assert _read(quoted(text, limit=10_000)) == text
    name = shown(text, limit=10_000)
    assert name == text or _read(name) == text


@given(st.lists(TEXTS, min_size=1, max_size=3), st.lists(TEXTS, min_size=1, max_size=3))
def test_two_keys_never_read_alike(one: list[str], other: list[str]) -> None:
    def key(parts: list[str]) -> str:
        return ", ".join(shown(part, limit=10_000) for part in parts)

    assert one == other or key(one) != key(other)


@given(TEXTS, st.integers(2, 20))
def test_a_cut_is_marked_behind_the_quotes_and_parts_no_escape(text: str, limit: int) -> None:
    cut = quoted(text, limit=limit)
    if len(text) <= limit:
        assert not cut.endswith("…")
        return
    assert cut.endswith("…")
    assert text.startswith(_read(cut.removesuffix("…")))
    assert 0 < len(_read(cut.removesuffix("…"))) < limit


def test_a_cut_parts_no_letter_from_its_accents() -> None:
    assert quoted("abcde\u0301\u0302fgh", limit=7) == "'abcd'…"
    assert quoted("\u0301" * 9, limit=4).endswith("…")


def test_a_message_of_several_lines_keeps_them_and_nothing_worse() -> None:
    assert defused("a\n  b\n") == "a\n  b\n"
    assert defused("a\x1b[1A\n  b\u202e") == "a\\u001b[1A\n  b\\u202e"


def test_a_servers_message_comes_with_its_detail_on_one_line() -> None:
    class Diagnosis:
        message_primary, message_detail = 'violates "uq\n"', "Key (name)=(a\nb) already exists."

    class DriverError(Exception):
        diag: Any = Diagnosis()

    assert said(DriverError("x")) == 'violates "uq\\n": Key (name)=(a\\nb) already exists.'
    assert said(ValueError("a\n\tb")) == "a b"
    assert said(ValueError()) == "ValueError"
