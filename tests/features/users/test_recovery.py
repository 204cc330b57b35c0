"""A token that was issued and never handed out is taken up again, and no other one."""

import json
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy.orm import Session

from app.features.users.recovering import secret_in
from app.features.users.service import (
    Issued,
    provision,
    recover_token,
    revoke_token,
    rotate_token,
)
from app.features.users.tokens import new_token
from tests.features.users.support import ACTOR, DAY, NOW, audited

BOT = "ingest-bot"


def issued(session: Session, **given: Any) -> tuple[Issued, SecretStr]:
    done = provision(session, BOT, actor=ACTOR, now=NOW, **given)
    assert done.secret
    return done, done.secret


def recovered(session: Session, *secrets: SecretStr, **given: Any) -> Issued | None:
    return recover_token(session, BOT, secrets, actor=ACTOR, **{"now": NOW + DAY, **given})


def test_a_token_that_nobody_used_is_found_among_others(each_session: Session) -> None:
    done, secret = issued(each_session)
    found = recovered(each_session, new_token(), secret)
    assert found is not None
    assert (found.token.id, found.secret, found.recovered) == (done.token.id, secret, True)
    assert audited(each_session) == ["service.created", "token.issued", "token.recovered"]


def test_a_rotations_token_is_found_and_the_one_before_it_is_not(each_session: Session) -> None:
    _, before = issued(each_session)
    rotated = rotate_token(each_session, BOT, actor=ACTOR, now=NOW)
    assert rotated.secret
    assert recovered(each_session, before) is None
    found = recovered(each_session, before, rotated.secret)
    assert found is not None
    assert found.token.id == rotated.token.id
    assert found.replaced is not None


@pytest.mark.parametrize(
    "given",
    [
        {"token_name": "other"},
        {"scopes": ["catalog:read"]},
        {"expires_in_days": 7},
        {"now": NOW + timedelta(days=180)},
    ],
)
def test_one_that_is_not_as_it_is_asked_for_is_let_be(session: Session, given: dict[str, Any]) -> None:
    _, secret = issued(session)
    assert recovered(session, secret, **given) is None
    as_it_is = {"token_name": "default", "scopes": ["ingest:write"], "expires_in_days": 180}
    assert recovered(session, secret, **as_it_is) is not None


def test_one_that_somebody_has_is_let_be(session: Session) -> None:
    done, secret = issued(session)
    done.token.last_used_at = NOW
    session.flush()
    assert recovered(session, secret) is None


def test_one_that_is_revoked_of_another_service_or_of_a_deactivated_one_is_let_be(session: Session) -> None:
    done, secret = issued(session)
    other = provision(session, "other-bot", actor=ACTOR, now=NOW)
    assert other.secret
    assert recovered(session, other.secret) is None
    done.user.is_active = False
    assert recovered(session, secret) is None
    done.user.is_active = True
    revoke_token(session, BOT, done.token.id, actor=ACTOR)
    assert recovered(session, secret) is None


def test_one_that_was_issued_by_a_clock_that_is_behind_lives_as_it_was_asked_for(session: Session) -> None:
    issued(session, expires_in_days=30)
    behind = NOW - timedelta(seconds=5)
    rotated = rotate_token(session, BOT, actor=ACTOR, expires_in_days=30, now=behind)
    assert rotated.secret
    assert recovered(session, rotated.secret, expires_in_days=29) is None
    assert recovered(session, rotated.secret, expires_in_days=30) is not None


def test_a_service_that_is_not_there_has_nothing_to_take_up(session: Session) -> None:
    assert recovered(session, new_token()) is None


def test_a_secret_is_found_in_each_format_and_nothing_else_is() -> None:
    secret = new_token()
    raw = secret.get_secret_value()
    for text in (f"{raw}\n", f"APP_API_TOKEN={raw}\n", json.dumps({"token": raw})):
        assert secret_in(text) == secret
    for text in ("", raw[:-1], raw[:-1] + "?", f"{raw} {new_token().get_secret_value()}"):
        assert secret_in(text) is None
