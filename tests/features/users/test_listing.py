"""Accounts and tokens in lists: how each stands, what of them is never read, and which end soon."""

from datetime import datetime

import pytest
from sqlalchemy import inspect
from sqlalchemy.orm import Session

from app.features.users import ApiToken, UserKind, UserRole
from app.features.users.errors import AccountNotFound, InvalidName, PolicyError
from app.features.users.service import (
    TokenStatus,
    deactivate_service,
    expiring_tokens,
    has_active_token,
    list_accounts,
    list_tokens,
    provision,
    revoke_token,
    rotate_token,
)
from tests.features.users.support import ACTOR, DAY, HOUR, NOW, TICK, add_person


def token(
    session: Session, service: str = "ingest-bot", name: str = "default", days: int = 180, now: datetime = NOW
) -> ApiToken:
    made = provision(session, service, actor=ACTOR, token_name=name, expires_in_days=days, now=now).token
    session.commit()
    return made


def ending(session: Session, service: str | None = None, days: int = 14, now: datetime = NOW) -> list[str]:
    """Service, token and status of what `expiring_tokens` finds."""
    return [
        f"{one.user.service_name} {one.token.name} {one.status}"
        for one in expiring_tokens(session, service, days=days, now=now)
    ]


# -- how a token stands ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "status"),
    [(180, TokenStatus.DEACTIVATED), (5, TokenStatus.DEACTIVATED), (1, TokenStatus.EXPIRED)],
)
def test_a_deactivated_services_living_token_has_a_status_of_its_own(
    each_session: Session, days: int, status: TokenStatus
) -> None:
    token(each_session, days=days, now=NOW - DAY)
    deactivate_service(each_session, "ingest-bot", actor=ACTOR)
    each_session.commit()
    assert [stands for _, stands in list_tokens(each_session, "ingest-bot", now=NOW)] == [status]
    assert [stands for _, stands in list_accounts(each_session, now=NOW)[0].tokens] == [status]
    assert not has_active_token(each_session, "ingest-bot", now=NOW)


def test_a_revoked_token_of_a_deactivated_service_is_revoked(session: Session) -> None:
    revoke_token(session, "ingest-bot", token(session).id, actor=ACTOR, now=NOW)
    deactivate_service(session, "ingest-bot", actor=ACTOR)
    assert [status for _, status in list_tokens(session, "ingest-bot", now=NOW)] == [TokenStatus.REVOKED]


# -- all accounts ----------------------------------------------------------------------------------


def test_all_accounts_are_people_by_address_and_then_services_by_name(each_session: Session) -> None:
    for name in ("z-bot", "a-bot"):
        token(each_session, name)
    old, new = token(each_session, "m-bot", "old"), token(each_session, "m-bot", "new", now=NOW + HOUR)
    add_person(each_session, email="bob@example.org", role=UserRole.ADMIN)
    add_person(each_session, email="ann@example.org", password_hash=None, is_active=False)
    each_session.expunge_all()
    accounts = list_accounts(each_session, now=NOW)
    assert [
        (one.user.email or one.user.service_name, one.user.kind, one.has_password) for one in accounts
    ] == [
        ("ann@example.org", UserKind.PERSON, False),
        ("bob@example.org", UserKind.PERSON, True),
        ("a-bot", UserKind.SERVICE, False),
        ("m-bot", UserKind.SERVICE, False),
        ("z-bot", UserKind.SERVICE, False),
    ]
    assert [one.id for one, _ in accounts[3].tokens] == [new.id, old.id]


def test_the_hashes_are_not_even_read(session: Session) -> None:
    add_person(session)
    token(session)
    session.expunge_all()
    person, service = list_accounts(session, now=NOW)
    assert "password_hash" in inspect(person.user).unloaded
    assert "token_hash" in inspect(service.tokens[0][0]).unloaded


def test_an_empty_database_has_no_accounts(session: Session) -> None:
    assert list_accounts(session) == []
    assert expiring_tokens(session) == []


# -- what ends soon --------------------------------------------------------------------------------


def test_what_ends_within_the_days_is_found_soonest_first(each_session: Session) -> None:
    token(each_session, "b-bot", days=10)
    token(each_session, "a-bot", days=12)
    token(each_session, "c-bot", days=90)
    assert ending(each_session) == ["b-bot default expiring soon", "a-bot default expiring soon"]
    assert ending(each_session, "a-bot") == ["a-bot default expiring soon"]
    assert len(ending(each_session, days=90)) == 3


def test_the_horizon_is_a_moment(session: Session) -> None:
    token(session, days=30)
    assert ending(session, days=14, now=NOW + 16 * DAY - TICK) == []
    assert ending(session, days=14, now=NOW + 16 * DAY) == ["ingest-bot default expiring soon"]
    assert ending(session, days=14, now=NOW + 30 * DAY - TICK) == ["ingest-bot default expiring soon"]


def test_what_has_ended_is_still_missed_until_somebody_replaces_or_revokes_it(session: Session) -> None:
    old = token(session, days=1)
    assert ending(session, now=NOW + 90 * DAY) == ["ingest-bot default expired"]
    revoke_token(session, "ingest-bot", old.id, actor=ACTOR)
    assert ending(session, now=NOW + 90 * DAY) == []
    token(session, days=1, now=NOW + 90 * DAY)
    token(session, days=180, now=NOW + 95 * DAY)
    assert ending(session, now=NOW + 100 * DAY) == []


def test_a_token_that_was_replaced_is_no_loss_and_its_successor_counts(each_session: Session) -> None:
    token(each_session, days=5)
    rotate_token(each_session, "ingest-bot", actor=ACTOR, overlap_hours=720, now=NOW + HOUR)
    each_session.commit()
    assert ending(each_session) == []
    # The clients have the newest, although the old one lives longer.
    rotate_token(
        each_session, "ingest-bot", actor=ACTOR, expires_in_days=3, overlap_hours=720, now=NOW + 2 * HOUR
    )
    each_session.commit()
    found = expiring_tokens(each_session, now=NOW + 3 * HOUR)
    assert [one.token.expires_at for one in found] == [NOW + 2 * HOUR + 3 * DAY]


def test_where_the_newest_was_revoked_the_one_before_counts(session: Session) -> None:
    old = token(session, days=5)
    new = rotate_token(session, "ingest-bot", actor=ACTOR, overlap_hours=720, now=NOW + HOUR).token
    revoke_token(session, "ingest-bot", new.id, actor=ACTOR, now=NOW + HOUR)
    assert [one.token.id for one in expiring_tokens(session, now=NOW + HOUR)] == [old.id]


def test_another_name_or_service_is_no_replacement_and_a_deactivated_one_misses_nothing(
    session: Session,
) -> None:
    token(session, name="nightly", days=5)
    token(session, name="default", days=180)
    token(session, "other-bot", "nightly")
    assert ending(session) == ["ingest-bot nightly expiring soon"]
    deactivate_service(session, "ingest-bot", actor=ACTOR)
    assert ending(session) == []
    assert ending(session, "ingest-bot") == []


@pytest.mark.parametrize("days", [0, -1, 3651, 10**12])
def test_days_ahead_have_bounds(session: Session, days: int) -> None:
    with pytest.raises(PolicyError, match="1 to 3650 days ahead, not"):
        expiring_tokens(session, days=days)


def test_an_unknown_service_is_not_taken_for_one_without_worries(session: Session) -> None:
    with pytest.raises(AccountNotFound):
        expiring_tokens(session, "ingest-bot")
    with pytest.raises(InvalidName):
        expiring_tokens(session, "")
