"""Rotation: a new token, an overlap in which both work, and never three of a name."""

from datetime import datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.features.users import ApiToken
from app.features.users.errors import AccountConflict, AccountNotFound, InvalidName, PolicyError
from app.features.users.service import Issued, provision, revoke_token, rotate_token, verify_token
from tests.features.users.support import ACTOR, DAY, HOUR, NOW, TICK, add_person

NAME = "ingest-bot"


@pytest.fixture
def first(session: Session) -> Issued:
    """A token of 30 days."""
    return provision(session, NAME, actor=ACTOR, expires_in_days=30, now=NOW)


def rotate(session: Session, now: datetime = NOW + DAY, **options: object) -> Issued:
    return rotate_token(session, NAME, **{"actor": ACTOR, "now": now, **options})


def works(session: Session, issued: Issued, now: datetime) -> bool:
    assert issued.secret is not None
    return verify_token(session, issued.secret.get_secret_value(), "ingest:write", now=now) is not None


def active(session: Session, now: datetime) -> int:
    return sum(token.is_active(now) for token in session.scalars(select(ApiToken)))


def test_the_new_token_says_what_it_replaces(session: Session, first: Issued) -> None:
    second = rotate(session, expires_in_days=90)
    assert (second.replaced, second.token.replaces_id) == (first.token, first.token.id)
    assert (second.token.name, second.token.expires_at) == ("default", NOW + 91 * DAY)
    assert second.token.token_hash != first.token.token_hash
    assert second.user.id == first.user.id


def test_both_work_until_the_overlaps_end(session: Session, first: Issued) -> None:
    second = rotate(session, overlap_hours=2)
    end = NOW + DAY + 2 * HOUR
    assert first.token.expires_at == end
    assert [works(session, first, moment) for moment in (end - TICK, end)] == [True, False]
    assert [works(session, second, moment) for moment in (end - TICK, end)] == [True, True]


def test_the_overlap_is_a_day_unless_told_otherwise(session: Session, first: Issued) -> None:
    rotate(session)
    assert first.token.expires_at == NOW + 2 * DAY


def test_an_overlap_never_prolongs_a_life(session: Session, first: Issued) -> None:
    rotate(session, NOW + 30 * DAY - HOUR, overlap_hours=2)
    assert first.token.expires_at == NOW + 30 * DAY


def test_without_an_overlap_the_old_token_ends_now(session: Session, first: Issued) -> None:
    rotate(session, overlap_hours=0)
    assert not works(session, first, NOW + DAY)


def test_at_most_two_tokens_of_a_name_are_active(session: Session, first: Issued) -> None:
    second = rotate(session, NOW + HOUR)
    third = rotate(session, NOW + 2 * HOUR)
    assert [token.id for token in third.revoked] == [first.token.id]
    now = NOW + 3 * HOUR
    assert [works(session, issued, now) for issued in (first, second, third)] == [False, True, True]
    assert active(session, now) == 2


def test_tokens_of_other_names_are_left_alone(session: Session, first: Issued) -> None:
    other = provision(session, NAME, actor=ACTOR, token_name="nightly", now=NOW)
    rotate(session, NOW + HOUR)
    rotate(session, NOW + 2 * HOUR)
    assert works(session, other, NOW + 3 * HOUR)
    assert other.token.expires_at == NOW + 180 * DAY


def test_the_new_token_has_the_scopes_of_the_old_unless_others_are_given(session: Session) -> None:
    provision(session, NAME, actor=ACTOR, scopes=["catalog:read"], now=NOW)
    assert rotate(session, NOW + HOUR).token.scopes == ["catalog:read"]
    assert rotate(session, NOW + 2 * HOUR, scopes=["ingest:write"]).token.scopes == ["ingest:write"]


def test_an_expired_token_is_replaced_and_stays_expired(session: Session, first: Issued) -> None:
    second = rotate(session, NOW + 40 * DAY)
    assert second.replaced is first.token
    assert first.token.expires_at == NOW + 30 * DAY


def test_a_revoked_token_is_replaced_and_stays_revoked(session: Session, first: Issued) -> None:
    revoke_token(session, NAME, first.token.id, actor=ACTOR, now=NOW + HOUR)
    assert rotate(session).replaced is first.token
    assert not works(session, first, NOW + DAY)


def test_where_the_newest_was_revoked_the_one_that_works_gets_the_overlap(
    session: Session, first: Issued
) -> None:
    # The new token leaked and was revoked; the clients are still on the old one.
    leaked = rotate(session, NOW + HOUR, overlap_hours=48)
    revoke_token(session, NAME, leaked.token.id, actor=ACTOR, now=NOW + 2 * HOUR)
    third = rotate(session, NOW + 3 * HOUR)
    assert (third.replaced, list(third.revoked)) == (first.token, [])
    assert works(session, first, NOW + 4 * HOUR)
    assert first.token.expires_at == NOW + 27 * HOUR


def test_where_the_newest_was_revoked_ensure_is_content_with_the_one_that_works(
    session: Session, first: Issued
) -> None:
    leaked = rotate(session, NOW + HOUR, overlap_hours=48)
    revoke_token(session, NAME, leaked.token.id, actor=ACTOR, now=NOW + 2 * HOUR)
    ensured = provision(session, NAME, actor=ACTOR, ensure=True, now=NOW + 3 * HOUR)
    assert (ensured.token, ensured.secret) == (first.token, None)
    # When that has ended too, there is nothing to be content with.
    ensured = provision(session, NAME, actor=ACTOR, ensure=True, now=NOW + 49 * HOUR)
    assert ensured.secret is not None
    assert ensured.token.created_at > leaked.token.created_at


def test_what_was_never_issued_cannot_be_rotated(session: Session, first: Issued) -> None:
    with pytest.raises(AccountNotFound, match="ingest-bot has no token 'nightly' to rotate"):
        rotate(session, token_name="nightly")
    with pytest.raises(AccountNotFound, match="there is no service account other-bot"):
        rotate_token(session, "other-bot", actor=ACTOR)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"expires_in_days": 366}, PolicyError),
        ({"overlap_hours": -1}, PolicyError),
        ({"scopes": ["admin"]}, PolicyError),
        ({"scopes": []}, PolicyError),
        ({"token_name": "\udcff"}, InvalidName),
    ],
)
def test_the_policy_holds_for_rotation(
    session: Session, first: Issued, options: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        rotate(session, **options)
    assert first.token.expires_at == NOW + 30 * DAY


def test_a_deactivated_services_token_is_not_rotated(session: Session, first: Issued) -> None:
    first.user.is_active = False
    with pytest.raises(AccountConflict, match="is deactivated"):
        rotate(session)


def test_a_persons_address_names_no_service(session: Session) -> None:
    person = add_person(session)
    with pytest.raises(InvalidName):
        rotate_token(session, str(person.email), actor=ACTOR)
