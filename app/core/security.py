"""Password hashing: Argon2id with pinned parameters, and what a stored hash may ask for at a login.

Hashing takes the cores, and 64 MiB, for a tenth of a second: do it with no connection of a pool in hand.
"""

import re
import unicodedata
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution

from passlib.context import CryptContext
from pydantic import SecretStr

from app.core.errors import AppError, ConfigurationError

MEMORY_KIB, PASSES, LANES = 65_536, 3, 4
"""RFC 9106's second recommended option; OWASP's floor is 19,456 KiB and 2 passes."""

MOST_MEMORY_KIB, MOST_WORK_KIB, MOST_LANES = 2_097_152, 3 * 2_097_152, 64
"""What a stored hash may ask for, as memory, as memory times passes, and as threads: RFC 9106's first option
with some room. A slip of the pen in a row must not take the server's memory, or its time, at a login."""

_VERSION = 0x13
"""Argon2's; 1.0 is easier to attack."""

LONGEST = 4_096
"""Characters of the longest password that is ever hashed: hashing must not become a way to stall us."""

_HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")


class HashingFailed(AppError):
    """The machine could not hash a password."""

    def __init__(self) -> None:
        super().__init__(
            "this machine could not hash a password,"
            f" which takes {MEMORY_KIB // 1024} MiB and {LANES} threads: give the process more of them"
        )


@lru_cache(maxsize=1)
def _context() -> CryptContext:
    """The context, made at the first password; ConfigurationError beside the other `passlib`."""
    refuse_rival_passlib()
    return CryptContext(
        schemes=["argon2"],
        argon2__type="ID",
        argon2__memory_cost=MEMORY_KIB,
        argon2__rounds=PASSES,
        argon2__parallelism=LANES,
    )


def refuse_rival_passlib() -> None:
    """Raise ConfigurationError where the distribution passlib is installed beside libpass.

    Both write the package `passlib`; which one's files are left is a matter of installation order.
    """
    try:
        rival = distribution("passlib")
    except PackageNotFoundError:
        return
    raise ConfigurationError(
        f"passlib {rival.version} is installed beside libpass, and each overwrites the other's files:"
        " pip uninstall passlib libpass, then install this project's dependencies again"
    )


def normalized(password: SecretStr) -> str:
    """The password as it is hashed: NFKC, so that one typed on another keyboard is the same."""
    return unicodedata.normalize("NFKC", password.get_secret_value())


def is_text(password: SecretStr) -> bool:
    """Whether it can be hashed at all: half a character, such as JSON lets through, cannot."""
    return not _HALF_A_CHARACTER.search(password.get_secret_value())


def hash_password(password: SecretStr) -> str:
    """The Argon2id hash to store.

    Raises HashingFailed where the machine lacks the memory or the threads for it, and ValueError for what the
    policy never lets through: a text that is too long, or none.
    """
    text = _hashable(password)
    if text is None:
        raise ValueError(f"no hash is made of more than {LONGEST:,} characters, or of what is no text")
    return _hashed(text)


def verify_password(password: SecretStr, stored: str | None) -> bool:
    """Whether the password belongs to a stored hash; HashingFailed as for `hash_password`.

    Whatever the answer, one hash was computed: who asks cannot tell by the time that there is no account, or
    none with a hash, and gains nothing by a password that no hash can belong to.
    """
    text = _hashable(password)
    if text is not None and stored is not None and _is_computable(stored):
        try:
            return bool(_context().verify(text, stored))
        except ValueError:
            # What is stored only looks like a hash.
            pass
    try:
        _context().verify("", _nobody())
    except ValueError:
        raise HashingFailed from None
    return False


def _hashable(password: SecretStr) -> str | None:
    """The password as it is hashed; None for what is not."""
    # The raw length first: normalizing a text that is longer takes its time, and may shorten it.
    if len(password.get_secret_value()) > LONGEST or not is_text(password):
        return None
    text = normalized(password)
    return text if len(text) <= LONGEST else None


def _is_computable(stored: str) -> bool:
    """Whether a stored hash is one of Argon2, and asks for no more than this machine may be asked for."""
    if not _context().identify(stored):
        return False
    try:
        found = _context().handler("argon2").from_string(stored)
    except (ValueError, TypeError, NotImplementedError):
        return False
    return bool(
        found.memory_cost <= MOST_MEMORY_KIB
        and found.memory_cost * found.rounds <= MOST_WORK_KIB
        and found.parallelism <= MOST_LANES
    )


def _hashed(text: str) -> str:
    try:
        return str(_context().hash(text))
    except ValueError:
        raise HashingFailed from None


@lru_cache(maxsize=1)
def _nobody() -> str:
    """A hash with today's parameters that stands in for accounts without one."""
    return _hashed("nobody has this password")


def is_weaker(stored: str) -> bool:
    """Whether a stored hash takes less work to guess than a new one would.

    A hash that was made with more is left alone: a login never makes it weaker.
    """
    found = _context().handler("argon2").from_string(stored)
    if found.type != "id" or found.version != _VERSION:
        return True
    return bool(found.memory_cost * found.rounds < MEMORY_KIB * PASSES)
