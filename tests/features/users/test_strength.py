"""Strength: common things are weak however they are spelled or repeated, and no text takes long to judge."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zxcvbn import matching, scoring

from app.core.security import LONGEST
from app.features.users import strength
from app.features.users.strength import READINGS, SEEN, is_guessable, readings, variants

STRONG = "n7#Vq2!xLp9$Wd4"
ADDRESS = "ada.lovelace@example.org"
LONG_NAME = "kq7vx2mw9tz4rb8ny3hc6jd5pf1lg0s" * 2
SIGNS = "4@8({[<369!|17250$+%"


@pytest.mark.parametrize(
    "text",
    [
        "a" * 15,
        "a" * LONGEST,
        "ab" * (LONGEST // 2),
        "password" * 500,
        "PassWord" * 4,
        "1112111311" * 7,
        "individual3individual3",
        "bookkeeping1 bookkeeping1 ",
        "mississippi mississippi mississippi",
        "correct horse battery staple " * 3,
        "Correct-Horse-Battery-Staple!!!",
        "qwertyuiop[]asdfghjkl;'",
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "zyxwvutsrqponmlkjihgfedcba9876543210",
        "11.11.199111.11.1991",
        "p@$$w0rd p@$$w0rd",
        "1234567890!@#$%^&*()",
        ADDRESS,
        ADDRESS.swapcase(),
        "lovelace_lovelace1",
        f"{LONG_NAME}@example.org",
        f"x{LONG_NAME.upper()}",
    ],
    ids=lambda text: text[:20],
)
def test_what_is_tried_early_is_guessable(text: str) -> None:
    assert is_guessable(text, [ADDRESS, f"{LONG_NAME}@example.org"])


@pytest.mark.parametrize(
    "text",
    [
        STRONG,
        STRONG * 3,
        STRONG + "y" * (LONGEST - 15),
        # What is weak about a part does not make the whole weak.
        "y" * (LONGEST - 15) + STRONG,
        "abcdefghijklmnopqrstuvwxyz0123456789" + STRONG,
        "umbrella Kestrel 41 rowing",
        "harbour mitten volcano teaspoon",
        "日本の山と川と空と海と森の秘密です",
        f"{ADDRESS} {STRONG}",
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_what_nobody_tries_is_not(text: str) -> None:
    assert not is_guessable(text, [ADDRESS])


def test_the_words_of_one_account_are_not_those_of_the_next() -> None:
    own = "vqxtrwznkjhgbmpl"
    assert is_guessable(f"{own}1", [own])
    assert not is_guessable(f"{own}1", [])
    assert own not in matching.RANKED_DICTIONARIES.get("user_inputs", {})


# -- the work is bounded ---------------------------------------------------------------------------


@pytest.fixture
def given_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were searched."""
    seen: list[str] = []
    search = scoring.most_guessable_match_sequence

    def watched(text: str, matches: list[Any]) -> Any:
        seen.append(text)
        return search(text, matches)

    monkeypatch.setattr(scoring, "most_guessable_match_sequence", watched)
    return seen


def hostile() -> Iterator[str]:
    """Texts that took seconds, some of them minutes."""
    yield SIGNS * 200
    yield "".join(SIGNS[(7 * index + index // 20) % 20] for index in range(LONGEST))
    yield "".join(str(index) for index in range(1_200))[:LONGEST]
    yield "ab" * (LONGEST // 2)
    yield "1.1.91" * 600
    yield "".join(f"abcdefghijklmnopqrstuvwxyz01234{chr(200 + index)}" for index in range(100))


@pytest.mark.parametrize("text", list(hostile()), ids=lambda text: text[:12])
def test_six_short_texts_at_most_are_searched(text: str, given_out: list[str]) -> None:
    is_guessable(text, [ADDRESS])
    assert 0 < len(given_out) <= 6
    assert max(map(len, given_out)) <= SEEN


@pytest.mark.parametrize("text", [SIGNS, SIGNS[::-1], "4@8({[<3", "0123456789", "p@ssw0rd", "plain"])
def test_few_ways_to_read_signs_are_tried(text: str) -> None:
    table = readings(text)
    assert len(matching.enumerate_l33t_subs(table)) <= READINGS
    assert {sign for signs in table.values() for sign in signs} <= set(text)


def test_repeats_are_looked_for_at_both_ends_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    folded: list[int] = []
    monkeypatch.setattr(strength, "variants", lambda text: folded.append(len(text)) or [text])
    is_guessable("x" * LONGEST, [])
    assert folded == [2 * strength.FOLDED]


@given(st.text(st.sampled_from("aB1.3@é ß\u0130日"), min_size=1, max_size=80))
def test_any_text_is_judged_and_folds_to_what_repeats_nothing(text: str) -> None:
    assert is_guessable(text, [text[:9]]) in (True, False)
    assert len(variants(text)) <= 3
    assert variants(variants(text)[-1])[-1] == variants(text)[-1]
