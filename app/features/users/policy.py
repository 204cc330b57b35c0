"""What accounts may be called, and which passwords, expiries and scopes they may have."""

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from enum import StrEnum

from email_validator import EmailNotValidError, validate_email
from pydantic import SecretStr

from app.core.config import get_settings
from app.core.security import LONGEST, is_text, normalized
from app.features.users.characters import unseen
from app.features.users.errors import InvalidName, PolicyError
from app.features.users.strength import is_guessable
from app.features.users.tokens import is_alike
from seedrail import quoted

SHORTEST = 15
"""Characters of the shortest password, as NIST SP 800-63B-4 asks where nothing else guards an account."""

DEFAULT_DAYS, MOST_DAYS_AHEAD = 180, 3650
DEFAULT_OVERLAP_HOURS, MOST_OVERLAP = 24, timedelta(days=30)
EXPIRING_SOON = timedelta(days=14)

_LONGEST_EMAIL = 320
"""Characters of a local part and a domain, each as long as it may be."""
_NAME = re.compile(r"[a-z][a-z0-9-]{2,62}")
_TOKEN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class Scope(StrEnum):
    """What a token may be used for."""

    CATALOG_READ = "catalog:read"
    INGEST_WRITE = "ingest:write"


DEFAULT_SCOPES = (Scope.INGEST_WRITE,)


def checked_email(email: str) -> str:
    """An email address in the form it is stored in: normalized, lower case; InvalidName for none."""
    if len(email) > _LONGEST_EMAIL:
        # Before it is looked at, which takes long for a long one.
        raise InvalidName(
            f"{quoted(email)} is no email address: it has more than {_LONGEST_EMAIL} characters"
        )
    try:
        return validate_email(email.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise InvalidName(f"{quoted(email)} is no email address: {error}") from None


def checked_service_name(name: str) -> str:
    """A service's name; InvalidName for anything else, a person's email included."""
    if not _NAME.fullmatch(name):
        raise InvalidName(
            f"{name!r} is no service name: 3 to 63 lower-case letters, digits and hyphens,"
            " a letter first (such as ingest-bot)"
        )
    return name


def checked_token_name(name: str) -> str:
    """A token's name; InvalidName for anything else."""
    if not _TOKEN_NAME.fullmatch(name) or is_alike(name):
        raise InvalidName(
            f"{name!r} is no token name: up to 63 letters, digits, dots, hyphens and underscores"
        )
    return name


def checked_password(password: SecretStr, *, about: Iterable[str] = ()) -> SecretStr:
    """The password, if it may be set; PolicyError says what is wrong without quoting it.

    `about` are words that somebody who knows the account would try: its email address.
    """
    raw = password.get_secret_value()
    # The raw length first: hashing normalizes, and that takes time.
    if len(raw) > LONGEST or len(text := normalized(password)) > LONGEST:
        raise PolicyError(f"the password is too long: at most {LONGEST:,} characters")
    if not is_text(password):
        raise PolicyError("the password contains what is no Unicode character: it may be in another encoding")
    # Before normalization, which takes some of it away.
    if (found := unseen(raw)) is not None:
        raise PolicyError(f"the password contains {found}")
    if len(text) < SHORTEST:
        raise PolicyError(f"the password is too short: at least {SHORTEST} characters")
    if text.strip() not in ("", text):
        raise PolicyError("the password begins or ends with a blank, which nobody sees: leave it out")
    if is_guessable(text, about):
        raise PolicyError(
            "the password is too easy to guess: it is a common one, or made of repeats, sequences,"
            " common words or the account's own name"
        )
    return password


def checked_expiry(days: int | None = None) -> timedelta:
    """A token's life, 180 days unless said; PolicyError for more than the setting APP_TOKEN_MAX_DAYS."""
    most = get_settings().token_max_days
    days = min(DEFAULT_DAYS, most) if days is None else days
    if not 1 <= days <= most:
        raise PolicyError(f"a token lives 1 to {most} days, not {days}; APP_TOKEN_MAX_DAYS sets the most")
    return timedelta(days=days)


def checked_days_ahead(days: int) -> timedelta:
    """How far a warning of expiries looks ahead; PolicyError outside of 1 to 3,650 days."""
    if not 1 <= days <= MOST_DAYS_AHEAD:
        raise PolicyError(f"expiries are looked for 1 to {MOST_DAYS_AHEAD} days ahead, not {days}")
    return timedelta(days=days)


def checked_overlap(hours: float) -> timedelta:
    """How long a rotated token lives on; PolicyError for less than nothing and for more than 30 days."""
    if not 0 <= hours <= MOST_OVERLAP / timedelta(hours=1):
        raise PolicyError(f"tokens overlap for 0 to {MOST_OVERLAP.days * 24} hours, not {hours:g}")
    return timedelta(hours=hours)


def checked_scopes(scopes: Sequence[str]) -> list[str]:
    """Declared scopes, sorted and each once; PolicyError for others and for none."""
    declared = {scope.value for scope in Scope}
    unknown = sorted(set(scopes) - declared)
    if unknown:
        raise PolicyError(f"no such scope: {unknown[0]!r}; there are {', '.join(sorted(declared))}")
    if not scopes:
        raise PolicyError("a token needs a scope")
    return sorted({str(Scope(scope)) for scope in scopes})
