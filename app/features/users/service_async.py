"""The account services for an asynchronous session: the same functions, awaited."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.core.security import verify_password
from app.features.users import service
from app.features.users.authentication import admit, find_login
from app.features.users.models import User

P = ParamSpec("P")
T = TypeVar("T")


def _awaited(
    function: Callable[Concatenate[Session, P], T],
) -> Callable[Concatenate[AsyncSession, P], Coroutine[Any, Any, T]]:
    @wraps(function)
    async def call(session: AsyncSession, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await session.run_sync(function, *args, **kwargs)

    return call


ensure_admin = _awaited(service.ensure_admin)
has_active_token = _awaited(service.has_active_token)
list_tokens = _awaited(service.list_tokens)
needs_password = _awaited(service.needs_password)
provision = _awaited(service.provision)
revoke_token = _awaited(service.revoke_token)
rotate_token = _awaited(service.rotate_token)
verify_token = _awaited(service.verify_token)


async def authenticate(session: AsyncSession, email: str, password: SecretStr) -> User | None:
    """As the synchronous one; the password is verified in a thread, so that others are served meanwhile."""
    user = await session.run_sync(find_login, email)
    verified = await asyncio.to_thread(verify_password, password, user.password_hash if user else None)
    return await session.run_sync(admit, user, password, verified)


__all__ = [
    "authenticate",
    "ensure_admin",
    "has_active_token",
    "list_tokens",
    "needs_password",
    "provision",
    "revoke_token",
    "rotate_token",
    "verify_token",
]
