"""Tokens whose run was cut off between their commit and their file: issued, and never handed out."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from pydantic import SecretStr
from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from app.features.users import tokens
from app.features.users.accounts import as_stored, find_service, lock_accounts
from app.features.users.audit import record
from app.features.users.models import ApiToken, User
from app.features.users.policy import checked_scopes, checked_service_name
from app.features.users.provisioning import DEFAULT_NAME, Issued


def secret_in(text: str) -> SecretStr | None:
    """The token in a text, whatever its format; None where there is none, or more than one."""
    found = {word for word in re.findall(r"\w+", text) if tokens.is_well_formed(word)}
    return SecretStr(found.pop()) if len(found) == 1 else None


def recover_token(
    session: Session,
    service_name: str,
    secrets: Iterable[SecretStr],
    *,
    actor: str,
    token_name: str = DEFAULT_NAME,
    scopes: Sequence[str] | None = None,
    expires_in_days: int | None = None,
    now: datetime | None = None,
    lock_timeout: float | None = None,
) -> Issued | None:
    """The active token of that name that one of the secrets is for, where nobody has it yet; else None.

    That is one which was never used, which no later one replaces, and which is as it is asked for now. Raises
    InvalidName, PolicyError, LockTimedOut.
    """
    wanted = None if scopes is None else checked_scopes(scopes)
    # Under the lock: who has lost a token's commit may still be making it.
    now = lock_accounts(session, lock_timeout, now)
    user = find_service(session, checked_service_name(service_name))
    if user is None or not user.is_active:
        return None
    for secret in secrets:
        token = _unclaimed(session, user, secret, token_name, now)
        if token is None or (wanted is not None and token.scopes != wanted):
            continue
        if expires_in_days is not None and _days_of(token) != expires_in_days:
            continue
        record(session, "token.recovered", actor, user, token, name=token.name)
        session.flush()
        old = session.get(ApiToken, token.replaces_id) if token.replaces_id else None
        return Issued(user, token, secret, replaced=old, recovered=True)
    return None


def _unclaimed(session: Session, user: User, secret: SecretStr, name: str, now: datetime) -> ApiToken | None:
    later = aliased(ApiToken)
    token = session.scalars(
        select(ApiToken).where(
            ApiToken.token_hash == tokens.token_hash(secret),
            ApiToken.user_id == user.id,
            ApiToken.name == name,
            ApiToken.last_used_at.is_(None),
            ~exists().where(later.replaces_id == ApiToken.id),
        ),
        execution_options=as_stored(session),
    ).one_or_none()
    return token if token is not None and token.is_active(now) else None


def _days_of(token: ApiToken) -> int:
    """The days that a token was issued for.

    A little of them is missing where its creation was put behind an older token's, because of a clock.
    """
    return -((token.created_at - token.expires_at) // timedelta(days=1))
