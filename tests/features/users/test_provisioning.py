"""Service accounts: made or found, with a token of each name, listed without secrets."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from app.core.errors import LockTimedOut
from app.core.locks import take_lock
from app.features.catalog import METADATA
from app.features.users import ApiToken, User, UserKind, UserRole
from app.features.users.errors import AccountConflict, AccountNotFound, InvalidName, PolicyError
from app.features.users.service import (
    Issued,
    TokenStatus,
    has_active_token,
    list_tokens,
    provision,
    revoke_token,
    verify_token,
)
from app.features.users.tokens import is_well_formed, token_hash
from tests.features.users.support import ACTOR, DAY, EMAIL, NOW, TICK, add_person, count
from tests.support.databases import Database


def make(session: Session, name: str = "ingest-bot", **options: object) -> Issued:
    """`provision` at the usual moment, committed."""
    issued = provision(session, name, **{"actor": ACTOR, "now": NOW, **options})
    session.commit()
    return issued


def test_a_new_service_has_a_name_a_token_and_no_password(each_session: Session) -> None:
    issued = make(each_session)
    user = issued.user
    each_session.refresh(user)
    assert (user.kind, user.role, user.is_active) == (UserKind.SERVICE, UserRole.USER, True)
    assert (user.service_name, user.email, user.password_hash) == ("ingest-bot", None, None)
    assert issued.new_account
    assert has_active_token(each_session, "ingest-bot", now=NOW)


def test_a_token_is_stored_by_its_hash_with_what_it_may_and_until_when(each_session: Session) -> None:
    issued = make(each_session, expires_in_days=30, scopes=["ingest:write", "catalog:read"])
    token = issued.token
    each_session.refresh(token)
    assert issued.secret is not None
    assert is_well_formed(issued.secret.get_secret_value())
    assert token.token_hash == token_hash(issued.secret)
    assert token.display_prefix == issued.secret.get_secret_value()[:10]
    assert (token.name, token.scopes) == ("default", ["catalog:read", "ingest:write"])
    assert (token.created_by, token.created_at, token.expires_at) == (ACTOR, NOW, NOW + 30 * DAY)
    assert (token.revoked_at, token.last_used_at, token.replaces_id) == (None, None, None)


def test_unless_told_otherwise_a_token_lives_180_days_and_writes(session: Session) -> None:
    token = make(session).token
    assert (token.expires_at - NOW, token.scopes) == (180 * DAY, ["ingest:write"])


def test_an_account_is_made_once(session: Session) -> None:
    first, second = make(session), make(session, token_name="nightly")
    assert (first.user.id, first.new_account) == (second.user.id, True)
    assert not second.new_account
    assert (count(session, User), count(session, ApiToken)) == (1, 2)


def test_an_active_token_of_that_name_is_a_conflict(session: Session) -> None:
    make(session)
    with pytest.raises(AccountConflict, match="ingest-bot has an active token 'default'"):
        make(session)
    assert count(session, ApiToken) == 1


@pytest.mark.parametrize("ensure", [False, True])
def test_an_expired_or_revoked_token_is_no_hindrance(session: Session, ensure: bool) -> None:
    make(session, expires_in_days=1)
    second = make(session, now=NOW + DAY, ensure=ensure)
    assert second.secret is not None
    revoke_token(session, "ingest-bot", second.token.id, actor=ACTOR, now=NOW + DAY)
    assert make(session, now=NOW + DAY + TICK, ensure=ensure).secret is not None


def test_ensure_is_content_with_an_active_token_and_has_no_secret(
    sqlite_accounts: Database, session: Session
) -> None:
    first = make(session, scopes=["catalog:read"])
    before = sqlite_accounts.content(volatile=True)
    again = make(session, ensure=True)
    assert (again.token.id, again.secret, again.new_account) == (first.token.id, None, False)
    assert sqlite_accounts.content(volatile=True) == before


def test_ensure_makes_what_is_missing(session: Session) -> None:
    assert make(session, ensure=True).secret is not None


def test_ensure_is_content_with_the_scopes_in_any_order(session: Session) -> None:
    make(session, scopes=["ingest:write", "catalog:read"])
    scopes = ["catalog:read", "ingest:write", "catalog:read"]
    assert make(session, ensure=True, scopes=scopes).secret is None


@pytest.mark.parametrize("scopes", [["catalog:read"], ["catalog:read", "ingest:write"]])
def test_ensure_with_other_scopes_is_a_conflict(session: Session, scopes: list[str]) -> None:
    make(session)
    with pytest.raises(AccountConflict, match="has the scopes ingest:write, not catalog:read"):
        make(session, ensure=True, scopes=scopes)


def test_a_deactivated_service_is_a_conflict(session: Session) -> None:
    make(session).user.is_active = False
    session.commit()
    with pytest.raises(AccountConflict, match="is deactivated"):
        make(session, token_name="another")


def test_a_persons_address_is_no_service_name(session: Session) -> None:
    add_person(session)
    with pytest.raises(InvalidName, match="is no service name"):
        make(session, EMAIL)
    assert count(session, User) == 1


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"token_name": "a b"}, InvalidName),
        ({"scopes": ["admin"]}, PolicyError),
        ({"scopes": []}, PolicyError),
        ({"expires_in_days": 0}, PolicyError),
        ({"expires_in_days": 366}, PolicyError),
    ],
)
def test_what_the_policy_forbids_leaves_no_account(
    session: Session, options: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        make(session, **options)
    session.commit()
    assert count(session, User) == 0


def test_it_waits_for_the_lock_no_longer_than_it_may(accounts: Database, each_session: Session) -> None:
    with Session(accounts.engine) as other:
        take_lock(other, METADATA.tables["users"], 5)
        with pytest.raises(LockTimedOut):
            make(each_session, lock_timeout=0.2)
    each_session.rollback()
    assert count(each_session, User) == 0


# -- revoked and listed ----------------------------------------------------------------------------


def test_revoking_ends_a_token_now_and_only_once(each_session: Session) -> None:
    issued = make(each_session)
    raw = issued.secret.get_secret_value() if issued.secret else ""
    assert verify_token(each_session, raw, "ingest:write", now=NOW) is not None
    token, now = revoke_token(each_session, "ingest-bot", issued.token.id, actor=ACTOR, now=NOW)
    assert (token.revoked_at, now) == (NOW, True)
    assert verify_token(each_session, raw, "ingest:write", now=NOW) is None
    token, now = revoke_token(each_session, "ingest-bot", issued.token.id, actor=ACTOR, now=NOW + DAY)
    assert (token.revoked_at, now) == (NOW, False)


def test_a_token_of_nobody_or_of_another_service_is_not_found(session: Session) -> None:
    issued = make(session)
    with pytest.raises(AccountNotFound, match="there is no service account other-bot"):
        revoke_token(session, "other-bot", issued.token.id, actor=ACTOR)
    other = make(session, "other-bot")
    for unknown in (other.user.id, other.token.id):
        with pytest.raises(AccountNotFound, match=f"ingest-bot has no token with the id {unknown}"):
            revoke_token(session, "ingest-bot", unknown, actor=ACTOR)
    assert (other.token.revoked_at, issued.token.revoked_at) == (None, None)


def test_a_deactivated_services_token_can_be_revoked(session: Session) -> None:
    issued = make(session)
    issued.user.is_active = False
    assert revoke_token(session, "ingest-bot", issued.token.id, actor=ACTOR)[1]


def test_the_list_shows_every_token_newest_first_with_its_status(session: Session) -> None:
    make(session, "other-bot")
    for name, days, age in (("old", 1, 5), ("soon", 14, 3), ("later", 15, 2), ("gone", 90, 1)):
        make(session, token_name=name, expires_in_days=days, now=NOW - age * DAY)
    gone = list_tokens(session, "ingest-bot", now=NOW)[0][0]
    revoke_token(session, "ingest-bot", gone.id, actor=ACTOR, now=NOW)
    listed = list_tokens(session, "ingest-bot", now=NOW)
    assert [(token.name, status) for token, status in listed] == [
        ("gone", TokenStatus.REVOKED),
        ("later", TokenStatus.EXPIRING),
        ("soon", TokenStatus.EXPIRING),
        ("old", TokenStatus.EXPIRED),
    ]


def test_expiring_soon_begins_fourteen_days_before_the_end(session: Session) -> None:
    token = make(session).token
    soon = token.expires_at - timedelta(days=14)
    statuses = [
        list_tokens(session, "ingest-bot", now=moment)[0][1]
        for moment in (soon - TICK, soon, token.expires_at - TICK, token.expires_at)
    ]
    expiring = TokenStatus.EXPIRING
    assert statuses == [TokenStatus.ACTIVE, expiring, expiring, TokenStatus.EXPIRED]


def test_an_unknown_service_has_no_tokens(session: Session) -> None:
    assert not has_active_token(session, "ingest-bot")
    with pytest.raises(AccountNotFound):
        list_tokens(session, "ingest-bot")
    make(session, expires_in_days=1)
    assert not has_active_token(session, "ingest-bot", now=NOW + DAY)
    assert not has_active_token(session, "ingest-bot", "nightly", now=NOW)
