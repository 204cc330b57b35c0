"""Password hashing: Argon2id with pinned parameters, and what a stored hash may ask for at a login."""

import re
import unicodedata
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution

from passlib.context import CryptContext
from pydantic import SecretStr

from app.core.errors import ConfigurationError

MEMORY_KIB, PASSES, LANES = 65_536, 3, 4
"""RFC 9106's second recommended option; OWASP's floor is 19,456 KiB and 2 passes."""

LONGEST = 4_096
"""Characters of the longest password that is ever hashed: hashing must not become a way to stall us."""

_HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")


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
    """The Argon2id hash to store."""
    return str(_context().hash(normalized(password)))


def verify_password(password: SecretStr, stored: str | None) -> bool:
    """Whether the password belongs to a stored hash.

    Without a hash it takes the same time and is False: who asks cannot tell that nobody is there.
    """
    if len(password.get_secret_value()) > LONGEST or not is_text(password):
        return False
    text, nobody = normalized(password), _nobody()
    try:
        if stored is not None and _context().identify(stored):
            return bool(_context().verify(text, stored))
    except ValueError:
        # What is stored only looks like a hash.
        pass
    _context().verify(text, nobody)
    return False


@lru_cache(maxsize=1)
def _nobody() -> str:
    """A hash with today's parameters that stands in for accounts without one."""
    return str(_context().hash("nobody has this password"))


def is_weaker(stored: str) -> bool:
    """Whether a stored hash takes less work to guess than a new one would.

    A hash that was made with more is left alone: a login never makes it weaker.
    """
    found = _context().handler("argon2").from_string(stored)
    if found.type != "id":
        return True
    return bool(found.memory_cost * found.rounds < MEMORY_KIB * PASSES)
