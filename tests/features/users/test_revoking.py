"""Tokens ended early: by id, by a leaked text that holds their values, and all of a service."""

import json
import traceback
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import LockTimedOut
from app.core.locks import take_lock
from app.features.catalog import METADATA
from app.features.users import AuditEvent
from app.features.users.errors import AccountNotFound, NoToken
from app.features.users.service import (
    Leak,
    deactivate_service,
    provision,
    revoke_all,
    revoke_by_id,
    revoke_leaked,
    verify_token,
)
from app.features.users.tokens import new_token
from tests.features.users.support import ACTOR, DAY, NOW, audited
from tests.support.databases import Database

SCOPE = "ingest:write"


def made(session: Session, service: str = "ingest-bot", name: str = "default", days: int = 180) -> str:
    """The value of a new token."""
    issued = provision(session, service, actor=ACTOR, token_name=name, expires_in_days=days, now=NOW)
    session.commit()
    assert issued.secret is not None
    return issued.secret.get_secret_value()


def leak(session: Session, text: str, service: str | None = None) -> Leak:
    found = revoke_leaked(session, SecretStr(text), service, actor=ACTOR, now=NOW)
    session.commit()
    return found


def works(session: Session, raw: str) -> bool:
    return verify_token(session, raw, SCOPE, now=NOW) is not None


# -- by id -----------------------------------------------------------------------------------------


def test_by_its_id_a_token_is_revoked_whosever_it_is_and_once(each_session: Session) -> None:
    issued = provision(each_session, "ingest-bot", actor=ACTOR, now=NOW)
    each_session.commit()
    first = revoke_by_id(each_session, issued.token.id, actor=ACTOR, now=NOW)
    assert (first.user.service_name, first.token.revoked_at, first.now) == ("ingest-bot", NOW, True)
    again = revoke_by_id(each_session, issued.token.id, actor=ACTOR, now=NOW + DAY)
    assert (again.token.revoked_at, again.now) == (NOW, False)
    assert audited(each_session).count("token.revoked") == 1


def test_an_id_of_no_token_is_not_found(session: Session) -> None:
    with pytest.raises(AccountNotFound, match=r"there is no token with the id .*: --list shows all tokens"):
        revoke_by_id(session, uuid4(), actor=ACTOR)


# -- by a leaked value -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "  {}\r\n",
        "\ufeff{}\n",
        "APP_API_TOKEN={}\n",
        'export APP_API_TOKEN="{}"',
        "'{}'",
        "Authorization: Bearer {}",
        '{{"token": "{}\\n"}}',
        "https://host/path?token={}&page=2",
        "12:00 GET /\n12:01 used {}, refused\n12:02 GET /\n",
        "{0} {0}",
    ],
)
def test_a_leaked_value_is_found_in_what_it_was_pasted_with(session: Session, form: str) -> None:
    raw, kept = made(session), made(session, name="nightly")
    found = leak(session, form.format(raw))
    assert [(one.user.service_name, one.token.name, one.now) for one in found.revoked] == [
        ("ingest-bot", "default", True)
    ]
    assert found.others == 0
    assert (works(session, raw), works(session, kept)) == (False, True)


def test_every_leaked_token_is_revoked_and_others_are_counted(each_session: Session) -> None:
    first, second = made(each_session), made(each_session, "other-bot")
    foreign, damaged = new_token().get_secret_value(), first[:-1] + ("0" if first[-1] != "0" else "1")
    found = leak(each_session, "\n".join([first, foreign, damaged, second]))
    assert {one.user.service_name for one in found.revoked} == {"ingest-bot", "other-bot"}
    assert found.others == 2
    assert not works(each_session, first)
    assert not works(each_session, second)


def test_the_trail_says_that_it_leaked_and_not_what(each_session: Session) -> None:
    raw = made(each_session)
    leak(each_session, raw)
    each_session.flush()
    event = each_session.scalars(select(AuditEvent).where(AuditEvent.action == "token.revoked")).one()
    assert event.details == {"account": "ingest-bot", "name": "default", "leaked": True}
    assert raw[10:] not in json.dumps(event.details)


def test_again_is_success(session: Session) -> None:
    raw = made(session)
    assert [leak(session, raw).revoked[0].now for _ in range(2)] == [True, False]
    assert audited(session).count("token.revoked") == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "there is no token in what was read"),
        ("hunter2 is no token", "there is no token in what was read"),
        ("srl_short", "there is no token in what was read"),
        ("srl_" + "a" * 49, "its checksum does not match"),
        ("srl_" + "a" * 48, "its checksum does not match"),
    ],
)
def test_what_holds_no_token_is_refused_without_being_quoted(
    session: Session, text: str, reason: str
) -> None:
    with pytest.raises(NoToken, match=reason) as caught:
        leak(session, text)
    assert caught.value.exit_code == 2
    assert not text or text not in "".join(traceback.format_exception(caught.value))


def test_an_unknown_value_and_another_services_are_not_found_and_not_quoted(session: Session) -> None:
    raw, foreign = made(session), new_token().get_secret_value()
    made(session, "other-bot")
    for value, service, said in (
        (foreign, None, "this database has no such token"),
        (raw, "other-bot", "the service account other-bot has no such token"),
    ):
        with pytest.raises(AccountNotFound, match=said) as caught:
            leak(session, value, service)
        assert value[10:] not in str(caught.value)
    assert works(session, raw)
    assert not leak(session, raw, "ingest-bot").others


# -- all of a service ------------------------------------------------------------------------------


def test_all_tokens_of_a_service_end_and_no_others(each_session: Session) -> None:
    raws = [made(each_session, name=name) for name in ("one", "two")]
    other = made(each_session, "other-bot")
    found = revoke_all(each_session, "ingest-bot", actor=ACTOR, now=NOW)
    each_session.commit()
    assert {token.name for token in found} == {"one", "two"}
    assert [works(each_session, raw) for raw in (*raws, other)] == [False, False, True]
    assert revoke_all(each_session, "ingest-bot", actor=ACTOR, now=NOW) == []
    assert audited(each_session).count("token.revoked") == 2


def test_all_tokens_of_a_deactivated_service_can_be_ended(session: Session) -> None:
    made(session)
    deactivate_service(session, "ingest-bot", actor=ACTOR)
    assert len(revoke_all(session, "ingest-bot", actor=ACTOR)) == 1


def test_each_way_waits_for_the_lock(sqlite_accounts: Database, session: Session) -> None:
    issued = provision(session, "ingest-bot", actor=ACTOR, now=NOW)
    session.commit()
    assert issued.secret is not None
    by = {"actor": ACTOR, "lock_timeout": 0.05}
    with Session(sqlite_accounts.engine) as other:
        take_lock(other, METADATA.tables["users"], 5)
        with pytest.raises(LockTimedOut):
            revoke_by_id(session, issued.token.id, **by)
        session.rollback()
        with pytest.raises(LockTimedOut):
            revoke_leaked(session, issued.secret, **by)
        session.rollback()
        with pytest.raises(LockTimedOut):
            revoke_all(session, "ingest-bot", **by)
