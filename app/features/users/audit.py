"""The audit trail: one row a change, in the transaction of the change; never a secret."""

import os
import pwd
import socket
from typing import Any

from sqlalchemy.orm import Session

from app.core.clock import utcnow
from app.features.users.models import ApiToken, AuditEvent, User


def operator() -> str:
    """Who runs this process: the OS user and the host.

    From the user id, not from the environment, which anybody may set.
    """
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid {os.getuid()}"
    return f"{name}@{socket.gethostname()}"[:255]


def record(
    session: Session,
    action: str,
    actor: str,
    user: User,
    token: ApiToken | None = None,
    **details: Any,
) -> None:
    """Add what happened to an account, or to one of its tokens."""
    event = AuditEvent(
        # The database's default is when the transaction began, which may then have waited for its lock.
        at=utcnow(),
        action=action,
        actor=actor,
        user_id=user.id,
        token_id=token.id if token else None,
        details={"account": user.email or user.service_name, **details},
    )
    session.add(event)
