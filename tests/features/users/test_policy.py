"""The policy: which passwords, names, expiries, overlaps and scopes are allowed, and that none is quoted."""

import math
from datetime import timedelta

import pytest
from pydantic import SecretStr

from app.core.config import Settings
from app.core.security import LONGEST
from app.features.users import policy
from app.features.users.errors import InvalidName, PolicyError
from app.features.users.policy import (
    checked_email,
    checked_expiry,
    checked_overlap,
    checked_password,
    checked_scopes,
    checked_service_name,
    checked_token_name,
)
from app.features.users.tokens import new_token

FIFTEEN = "n7#Vq2!xLp9$Wd4"


def refusal(text: str) -> str:
    """Why a password is refused."""
    with pytest.raises(PolicyError) as caught:
        checked_password(SecretStr(text), about=["ada.lovelace@example.org"])
    assert text not in str(caught.value)
    return str(caught.value)


def accepted(text: str) -> bool:
    return checked_password(SecretStr(text)).get_secret_value() == text


# -- passwords -------------------------------------------------------------------------------------


def test_fifteen_characters_are_enough_and_fourteen_are_not() -> None:
    assert accepted(FIFTEEN)
    assert refusal(FIFTEEN[:14]) == "the password is too short: at least 15 characters"


def test_characters_count_after_normalization() -> None:
    assert accepted(FIFTEEN[:13] + "\N{LATIN SMALL LIGATURE FI}")
    assert "too short" in refusal(FIFTEEN[:13] + "e\N{COMBINING ACUTE ACCENT}")


def test_a_password_may_be_long_but_not_endless() -> None:
    assert accepted(FIFTEEN + "y" * (LONGEST - 15))
    assert refusal(FIFTEEN + "y" * (LONGEST - 14)) == "the password is too long: at most 4,096 characters"
    assert "too long" in refusal(FIFTEEN + "e\N{COMBINING ACUTE ACCENT}" * (LONGEST // 2))
    assert "too long" in refusal(FIFTEEN + "\N{LATIN SMALL LIGATURE FI}" * (LONGEST // 2))


def test_what_is_no_text_is_refused() -> None:
    assert refusal(FIFTEEN + "\0") == "the password contains a NUL character"
    assert "no Unicode character" in refusal(FIFTEEN + "\ud800")


@pytest.mark.parametrize("at", [0, 7, 15])
@pytest.mark.parametrize(
    ("character", "name"),
    [
        ("\n", "a line break (U+000A)"),
        ("\x1b", "an escape character (U+001B)"),
        ("\ufeff", "a byte order mark (U+FEFF)"),
        ("\u200b", "an invisible character (U+200B ZERO WIDTH SPACE)"),
        ("\ufe0f", "an invisible character (U+FE0F VARIATION SELECTOR-16)"),
        ("\uffa0", "an invisible character (U+FFA0 HALFWIDTH HANGUL FILLER)"),
    ],
)
def test_what_nobody_sees_is_refused_by_its_code_point(character: str, name: str, at: int) -> None:
    assert f"the password contains {name}" in refusal(FIFTEEN[:at] + character + FIFTEEN[at:])


@pytest.mark.parametrize("blank", [" ", "\xa0", "\u3000"])
def test_a_blank_is_inside_or_refused(blank: str) -> None:
    assert accepted(FIFTEEN + blank + "x")
    for text in (FIFTEEN + blank, blank + FIFTEEN):
        assert refusal(text) == "the password begins or ends with a blank, which nobody sees: leave it out"


@pytest.mark.parametrize(
    "text",
    [
        "passwordpassword",
        "Password123456!",
        "aaaaaaaaaaaaaaaa",
        " " * 15,
        "123456789012345",
        "qwertyuiopasdfgh",
        "weather station",
        "seedrailseedrail",
        "seedrail-kestrel",
        "correct horse battery staple",
        "Correct-Horse-Battery-Staple",
        "Tr0ub4dor&3 Tr0ub4dor&3",
        "ada.lovelace@example.org",
        "ADA.LOVELACE@example.org1",
        "lovelacelovelace",
    ],
)
def test_a_password_that_is_tried_early_is_refused(text: str) -> None:
    assert "too easy to guess" in refusal(text)


@pytest.mark.parametrize("text", ["umbrella Kestrel 41 rowing", "日本の山と川と空と海と森の秘密です"])
def test_a_phrase_that_nobody_tries_is_accepted_without_rules_about_characters(text: str) -> None:
    assert accepted(text)


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [(" Ada@Example.ORG ", "ada@example.org"), ("ada@xn--bcher-kva.example", "ada@bücher.example")],
)
def test_an_address_is_kept_in_one_form(given: str, kept: str) -> None:
    assert checked_email(given) == kept


@pytest.mark.parametrize("email", ["", "ada", "ada@", "@example.org", "a b@example.org", "ada@example.org\0"])
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(InvalidName, match="is no email address"):
        checked_email(email)


def test_an_address_that_is_too_long_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "validate_email", lambda *_, **__: pytest.fail("it was looked at"))
    with pytest.raises(InvalidName, match="has more than 320 characters") as caught:
        checked_email("a" * 100_000 + "@example.org")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("name", ["bot", "ingest-bot", "a1-", "a" * 63])
def test_a_service_name_is_short_and_plain(name: str) -> None:
    assert checked_service_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "ab", "a" * 64, "ada@example.org", "Bot-1", "1bot", "-bot", "ingest_bot", "bot\n", "böt", "bot two"],
)
def test_another_service_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidName, match="is no service name"):
        checked_service_name(name)


@pytest.mark.parametrize("name", ["", "-a", "a b", "a" * 64, "a\n", "ä", "\udcff"])
def test_a_token_name_is_short_and_plain(name: str) -> None:
    assert checked_token_name("Night.ly_2") == "Night.ly_2"
    with pytest.raises(InvalidName, match="is no token name"):
        checked_token_name(name)


# -- expiry, overlap, scopes -----------------------------------------------------------------------


def test_a_token_lives_a_day_to_a_year() -> None:
    assert (checked_expiry(1), checked_expiry(365)) == (timedelta(days=1), timedelta(days=365))


def test_the_settings_say_how_long_a_token_lives_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    for most, usual in ((30, 30), (180, 180), (3650, 180)):
        monkeypatch.setattr(
            "app.features.users.policy.get_settings", lambda most=most: Settings(token_max_days=most)
        )
        assert checked_expiry() == timedelta(days=usual)
        assert checked_expiry(most) == timedelta(days=most)
        with pytest.raises(PolicyError, match=f"1 to {most} days.*; APP_TOKEN_MAX_DAYS sets the most"):
            checked_expiry(most + 1)


def test_a_token_is_no_name_and_not_repeated() -> None:
    token = new_token().get_secret_value()
    for check in (checked_token_name, checked_service_name, checked_email):
        with pytest.raises(InvalidName) as caught:
            check(token)
        assert token[10:] not in str(caught.value)
    with pytest.raises(PolicyError) as refused:
        checked_scopes([token])
    assert token[10:] not in str(refused.value)


@pytest.mark.parametrize("days", [0, -1, 366])
def test_another_life_is_refused(days: int) -> None:
    with pytest.raises(PolicyError, match=f"a token lives 1 to 365 days, not {days}"):
        checked_expiry(days)


def test_an_overlap_lasts_up_to_thirty_days() -> None:
    assert (checked_overlap(0), checked_overlap(0.5)) == (timedelta(0), timedelta(minutes=30))
    assert checked_overlap(720) == timedelta(days=30)


@pytest.mark.parametrize("hours", [-0.1, 720.1, math.inf, math.nan])
def test_another_overlap_is_refused(hours: float) -> None:
    with pytest.raises(PolicyError, match="tokens overlap for 0 to 720 hours"):
        checked_overlap(hours)


def test_scopes_are_sorted_and_each_once() -> None:
    given = ["ingest:write", "catalog:read", "ingest:write"]
    assert checked_scopes(given) == ["catalog:read", "ingest:write"]


@pytest.mark.parametrize(("scopes", "reason"), [(["admin"], "no such scope: 'admin'"), ([], "needs a scope")])
def test_other_scopes_are_refused(scopes: list[str], reason: str) -> None:
    with pytest.raises(PolicyError, match=reason):
        checked_scopes(scopes)
