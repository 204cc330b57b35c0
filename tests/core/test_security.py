"""Passwords: Argon2id with pinned parameters, NFKC, a dummy for nobody, and no rival of libpass."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from app.core import security
from app.core.errors import ConfigurationError
from app.core.security import LONGEST, hash_password, is_weaker, refuse_rival_passlib, verify_password
from tests.features.users.support import watch_verify

PASSWORD = SecretStr("\N{LATIN SMALL LIGATURE FI}ne umbrella kestrel")
SALT_AND_SUM = "c29tZXNhbHRzb21lc2FsdA$uSqMmjbPJmPVXiaQlSYTmu7S9qFhnHJx8EOKRK1Vy/U"


@pytest.fixture(scope="module")
def stored() -> str:
    return hash_password(PASSWORD)


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


@pytest.mark.parametrize(("length", "times"), [(LONGEST, 1), (LONGEST + 1, 0)])
def test_a_password_that_is_too_long_is_never_hashed(
    stored: str, verified: list[str], length: int, times: int
) -> None:
    assert not verify_password(SecretStr("x" * length), stored)
    assert not verify_password(SecretStr("x" * length), None)
    assert len(verified) == times * 2


@pytest.mark.parametrize(
    ("parameters", "weaker"),
    [
        ("argon2id$v=19$m=19456,t=2,p=1", True),
        ("argon2id$v=19$m=65536,t=2,p=4", True),
        ("argon2i$v=19$m=65536,t=3,p=4", True),
        ("argon2d$v=19$m=1048576,t=9,p=4", True),
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
