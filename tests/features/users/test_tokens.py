"""Tokens as text: always well formed, never with a character changed, and 256 bits fit."""

import hashlib
import secrets
from datetime import UTC, datetime

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from app.features.users import ApiToken, User
from app.features.users.service import Issued
from app.features.users.tokens import (
    BITS,
    display_prefix,
    found_in,
    is_alike,
    is_well_formed,
    new_token,
    redacted,
    token_hash,
)

TOKEN = new_token().get_secret_value()
LENGTH = len("srl_") + 43 + 6


def test_a_fresh_token_is_well_formed_and_never_the_same() -> None:
    made = {new_token().get_secret_value() for _ in range(200)}
    assert len(made) == 200
    assert all(is_well_formed(token) for token in made)
    assert {len(token) for token in made} == {LENGTH}


@pytest.mark.parametrize("bits", [0, 1, 2**BITS - 1])
def test_256_bits_fit_into_43_characters(monkeypatch: pytest.MonkeyPatch, bits: int) -> None:
    monkeypatch.setattr(secrets, "randbits", lambda wanted: bits % 2**wanted)
    token = new_token().get_secret_value()
    assert len(token) == LENGTH
    assert is_well_formed(token)


def test_every_bit_of_the_256_reaches_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    # Otherwise a token would hold less than it promises.
    made = set()
    for number in (0, *(2**bit for bit in range(BITS))):
        monkeypatch.setattr(secrets, "randbits", lambda wanted, number=number: number % 2**wanted)
        made.add(new_token().get_secret_value())
    assert len(made) == 1 + BITS


@settings(max_examples=100)
@given(position=st.integers(0, LENGTH - 1), character=st.characters())
@example(position=0, character="S")
@example(position=LENGTH - 1, character="\n")
@example(position=10, character="\N{ARABIC-INDIC DIGIT ONE}")
def test_changing_any_character_makes_it_malformed(position: int, character: str) -> None:
    assume(TOKEN[position] != character)
    assert not is_well_formed(TOKEN[:position] + character + TOKEN[position + 1 :])


@settings(max_examples=50)
@given(st.data())
def test_two_neighbours_that_change_places_make_it_malformed(data: st.DataObject) -> None:
    position = data.draw(st.integers(0, LENGTH - 2))
    one, other = TOKEN[position : position + 2]
    assume(one != other)
    assert not is_well_formed(TOKEN[:position] + other + one + TOKEN[position + 2 :])


@settings(max_examples=50)
@given(st.text())
@example("")
@example("srl_")
@example(TOKEN[:-1])
@example(TOKEN + "\n")
@example(" " + TOKEN)
@example(TOKEN.removeprefix("srl_"))
def test_other_text_is_malformed(text: str) -> None:
    assert not is_well_formed(text)


def test_what_is_stored_and_shown_is_no_secret() -> None:
    assert token_hash(SecretStr(TOKEN)) == hashlib.sha256(TOKEN.encode()).hexdigest()
    assert display_prefix(SecretStr(TOKEN)) == TOKEN[:10]


def test_no_text_of_what_was_issued_shows_the_secret() -> None:
    moment = datetime.now(UTC)
    token = ApiToken(name="default", display_prefix=TOKEN[:10], scopes=[], expires_at=moment)
    issued = Issued(User(service_name="bot"), token, SecretStr(TOKEN))
    for text in (repr(issued), str(issued), f"{issued}", repr(vars(issued)), repr(issued.secret)):
        assert TOKEN[10:] not in text
    assert "**********" in repr(issued)


# -- in other text ---------------------------------------------------------------------------------


@given(before=st.text(max_size=20), after=st.text(max_size=20))
@example(before="", after="a")
@example(before="srl_", after="srl_")
@example(before="srl_abcdef", after="")
def test_a_token_is_found_in_whatever_is_around_it_and_redacted(before: str, after: str) -> None:
    text = before + TOKEN + after
    assert [value.get_secret_value() for value in found_in(text)[0]] == [TOKEN]
    assert is_alike(text)
    assert TOKEN[4:] not in redacted(text)


def test_what_looks_like_a_token_and_is_none_is_counted_apart() -> None:
    other = new_token().get_secret_value()
    values, damaged = found_in(f"{TOKEN} {TOKEN[:-2]} {other} {TOKEN} srl_nightly srl_{'a' * 49}")
    assert [value.get_secret_value() for value in values] == [TOKEN, other]
    assert damaged == 2
    assert found_in("srl_nightly") == ([], 0)


def test_a_name_that_begins_like_a_token_is_left_alone() -> None:
    for text in ("srl_nightly", TOKEN[:10], "no token at all"):
        assert not is_alike(text)
        assert redacted(text) == text
