"""The account services for an asynchronous session: the same functions, awaited.

Passwords are judged and hashed in a few threads, while others are served and no connection is held.
"""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.core.steps import awaited
from app.features.users import service
from app.features.users.admins import admin_steps
from app.features.users.logins import login_steps

P = ParamSpec("P")
T = TypeVar("T")


def _awaited(
    function: Callable[Concatenate[Session, P], T],
) -> Callable[Concatenate[AsyncSession, P], Coroutine[Any, Any, T]]:
    @wraps(function)
    async def call(session: AsyncSession, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await session.run_sync(function, *args, **kwargs)

    return call


activate_person = _awaited(service.activate_person)
activate_service = _awaited(service.activate_service)
authenticate = awaited(login_steps)
deactivate_person = _awaited(service.deactivate_person)
deactivate_service = _awaited(service.deactivate_service)
ensure_admin = awaited(admin_steps)
expiring_tokens = _awaited(service.expiring_tokens)
has_active_token = _awaited(service.has_active_token)
list_accounts = _awaited(service.list_accounts)
list_tokens = _awaited(service.list_tokens)
needs_password = _awaited(service.needs_password)
provision = _awaited(service.provision)
recover_token = _awaited(service.recover_token)
revoke_all = _awaited(service.revoke_all)
revoke_by_id = _awaited(service.revoke_by_id)
revoke_leaked = _awaited(service.revoke_leaked)
revoke_token = _awaited(service.revoke_token)
rotate_token = _awaited(service.rotate_token)
verify_token = _awaited(service.verify_token)


__all__ = [
    "activate_person",
    "activate_service",
    "authenticate",
    "deactivate_person",
    "deactivate_service",
    "ensure_admin",
    "expiring_tokens",
    "has_active_token",
    "list_accounts",
    "list_tokens",
    "needs_password",
    "provision",
    "recover_token",
    "revoke_all",
    "revoke_by_id",
    "revoke_leaked",
    "revoke_token",
    "rotate_token",
    "verify_token",
]
