"""Which token is the newest: what the chain of replacements says, before what clocks say."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.features.users.accounts import as_stored
from app.features.users.models import ApiToken

Place = tuple[datetime, int]
"""A token's time, which in a chain never goes back, and the length of its chain up to it."""


def stored_tokens(session: Session, *conditions: ColumnElement[bool]) -> list[ApiToken]:
    """The tokens of which all that holds, as the database has them now, newest first."""
    query = select(ApiToken).where(*conditions)
    return newest_first(session.scalars(query, execution_options=as_stored(session)))


def newest_first(tokens: Iterable[ApiToken]) -> list[ApiToken]:
    """Tokens by the time of their creation, the latest first, and each before the one that it replaced.

    The times alone do not tell: clocks of several hosts write them, and a clock may be set back.
    """
    by_id = {token.id: token for token in tokens}
    places: dict[UUID, Place] = {}
    for token in by_id.values():
        for one in reversed(_line(token, by_id, places)):
            created, length = places.get(one.replaces_id or one.id, (one.created_at, 0))
            places[one.id] = max(created, one.created_at), length + 1
    return sorted(
        by_id.values(), key=lambda token: (*places[token.id], token.created_at, token.id), reverse=True
    )


def _line(token: ApiToken, by_id: Mapping[UUID, ApiToken], placed: Mapping[UUID, Place]) -> list[ApiToken]:
    """A token and what it replaced, and what that had replaced, as far as that has no place yet."""
    line: dict[UUID, ApiToken] = {}
    one: ApiToken | None = token
    # Nobody issues a circle, but who repairs a database by hand may make one.
    while one is not None and one.id not in placed and one.id not in line:
        line[one.id] = one
        one = by_id.get(one.replaces_id) if one.replaces_id else None
    return list(line.values())
