"""Passwords: Argon2id with pinned parameters, NFKC, a dummy for nobody, and no rival of libpass."""

from collections.abc import Callable
from pathlib import Path

import pytest
from argon2 import low_level
from argon2.exceptions import HashingError
from passlib.context import CryptContext
from passlib.hash import argon2
from pydantic import SecretStr

from app.core import security
from app.core.errors import ConfigurationError
from app.core.security import (
    LONGEST,
    HashingFailed,
    hash_password,
    is_weaker,
    refuse_rival_passlib,
    verify_password,
)
from tests.features.users.support import brief, watch_verify

PASSWORD = SecretStr("\N{LATIN SMALL LIGATURE FI}ne umbrella kestrel")
SALT_AND_SUM = "c29tZXNhbHRzb21lc2FsdA$uSqMmjbPJmPVXiaQlSYTmu7S9qFhnHJx8EOKRK1Vy/U"


@pytest.fixture(scope="module")
def stored() -> str:
    return hash_password(PASSWORD)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> str:
    """A hash that stands in for accounts without one, and costs next to nothing."""
    text = str(argon2.using(memory_cost=8, rounds=1, parallelism=1).hash("x" * 20))
    monkeypatch.setattr(security, "_nobody", lambda: text)
    return text


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that passwords were verified against."""
    return watch_verify(monkeypatch)


def test_a_hash_is_argon2id_with_the_pinned_parameters(stored: str) -> None:
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_two_hashes_of_a_password_differ(stored: str) -> None:
    assert hash_password(PASSWORD) != stored


@pytest.mark.parametrize("typed", [PASSWORD.get_secret_value(), "fine umbrella kestrel"])
def test_a_password_is_the_same_however_unicode_spells_it(stored: str, typed: str) -> None:
    assert verify_password(SecretStr(typed), stored)


@pytest.mark.parametrize("typed", ["", "Fine umbrella kestrel", "fine umbrella kestrel ", "\ud800" * 15])
def test_another_password_is_refused(stored: str, typed: str) -> None:
    assert not verify_password(SecretStr(typed), stored)


@pytest.mark.parametrize("stored", [None, "", "!", "$2b$12$" + "a" * 53])
def test_where_there_is_no_hash_of_ours_a_dummy_is_verified(stored: str | None, verified: list[str]) -> None:
    assert not verify_password(PASSWORD, stored)
    assert len(verified) == 1
    assert verified[0].startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_the_dummy_has_no_password(verified: list[str]) -> None:
    # Its text is in the source: it must not open anything.
    assert not verify_password(SecretStr("nobody has this password"), None)
    assert len(verified) == 1


@pytest.mark.parametrize(
    "typed",
    [
        "x" * LONGEST,
        "x" * (LONGEST + 1),
        # Longer by normalization alone, by one and by seventeen times.
        "x" * (LONGEST - 1) + "\N{LATIN SMALL LIGATURE FI}",
        "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * LONGEST,
        # Bytes count for nothing.
        "\N{KISS MARK}" * LONGEST,
        "\N{KISS MARK}" * (LONGEST + 1),
        "",
        "\0",
        "\ud800",
        "\udcff" * (LONGEST + 1),
    ],
    ids=brief,
)
def test_any_text_is_refused_and_costs_the_work_of_one_hash(
    nobody: str, verified: list[str], typed: str
) -> None:
    assert not verify_password(SecretStr(typed), None)
    assert not verify_password(SecretStr(typed), nobody)
    assert verified == [nobody, nobody]


def test_a_password_that_is_too_long_never_reaches_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    monkeypatch.setattr(CryptContext, "verify", lambda self, secret, hash: hashed.append(secret))
    for typed in ("x" * (LONGEST + 1), "\N{LATIN SMALL LIGATURE FI}" * LONGEST):
        assert not verify_password(SecretStr(typed), f"$argon2id$v=19$m=65536,t=3,p=4${SALT_AND_SUM}")
    assert hashed == ["", ""]


@pytest.mark.parametrize(
    "typed", ["x" * (LONGEST + 1), "\N{LATIN SMALL LIGATURE FI}" * LONGEST, "\ud800"], ids=brief
)
def test_what_the_policy_never_lets_through_is_not_hashed(typed: str) -> None:
    with pytest.raises(ValueError, match=r"more than 4,096 characters, or of what is no text") as caught:
        hash_password(SecretStr(typed))
    assert typed not in str(caught.value)


@pytest.mark.parametrize(
    "stored",
    [
        "$argon2id$",
        "$argon2id$v=19$m=65536,t=3,p=4",
        "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA",
        "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$x",
        "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$\N{KISS MARK}",
        "$argon2id$v=19$m=65536,t=3,p=4,keyid=x$" + SALT_AND_SUM,
        "$argon2id$v=19$m=65536,t=3,p=4,data=x$" + SALT_AND_SUM,
        "$argon2id$v=99$m=65536,t=3,p=4$" + SALT_AND_SUM,
        "$argon2xy$v=19$m=65536,t=3,p=4$" + SALT_AND_SUM,
        "$argon2id$v=19$m=1,t=3,p=4$" + SALT_AND_SUM,
    ],
    ids=brief,
)
def test_what_only_looks_like_a_hash_belongs_to_no_password(
    stored: str, nobody: str, verified: list[str]
) -> None:
    assert not verify_password(PASSWORD, stored)
    assert nobody in verified


@pytest.mark.parametrize(
    "parameters",
    [
        "m=16777216,t=3,p=4",
        "m=4294967295,t=1,p=1",
        "m=65536,t=300,p=4",
        "m=8,t=4294967295,p=1",
        "m=65536,t=3,p=4096",
    ],
)
def test_a_slip_in_a_stored_hash_does_not_take_the_servers_memory_or_time(
    parameters: str, nobody: str, verified: list[str]
) -> None:
    assert not verify_password(PASSWORD, f"$argon2id$v=19${parameters}${SALT_AND_SUM}")
    assert verified == [nobody]


@pytest.mark.parametrize("use", [hash_password, lambda password: verify_password(password, None)])
def test_a_machine_without_the_memory_says_so(
    monkeypatch: pytest.MonkeyPatch, use: Callable[[SecretStr], object]
) -> None:
    def fail(*_: object, **options: object) -> object:
        raise HashingError("Memory allocation error")

    security._nobody.cache_clear()
    monkeypatch.setattr(low_level, "hash_secret", fail)
    with pytest.raises(HashingFailed, match="could not hash a password, which takes 64 MiB and 4 threads"):
        use(PASSWORD)
    security._nobody.cache_clear()


@pytest.mark.parametrize(
    ("parameters", "weaker"),
    [
        ("argon2id$v=19$m=19456,t=2,p=1", True),
        ("argon2id$v=19$m=65536,t=2,p=4", True),
        ("argon2i$v=19$m=65536,t=3,p=4", True),
        ("argon2d$v=19$m=1048576,t=9,p=4", True),
        ("argon2id$v=16$m=65536,t=3,p=4", True),
        ("argon2id$m=65536,t=3,p=4", True),
        ("argon2id$v=19$m=65536,t=3,p=4", False),
        ("argon2id$v=19$m=65536,t=4,p=4", False),
        ("argon2id$v=19$m=2097152,t=1,p=4", False),
    ],
)
def test_weaker_is_less_work_or_another_type(parameters: str, weaker: bool) -> None:
    assert is_weaker(f"${parameters}${SALT_AND_SUM}") is weaker


def test_libpass_alone_is_no_rival_of_itself() -> None:
    refuse_rival_passlib()


def test_the_distribution_passlib_is_refused_at_the_first_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "passlib-1.7.4.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: passlib\nVersion: 1.7.4\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    security._context.cache_clear()
    with pytest.raises(ConfigurationError, match=r"passlib 1\.7\.4 is installed beside libpass"):
        hash_password(PASSWORD)
