"""The trail: a row for each change, with who did it and to which token, and never a secret."""

import os
import pwd
import socket

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.features.users import AuditEvent
from app.features.users.audit import operator
from app.features.users.service import (
    authenticate,
    ensure_admin,
    list_tokens,
    provision,
    revoke_token,
    rotate_token,
    verify_token,
)
from tests.features.users.support import ACTOR, EMAIL, HOUR, NOW, PASSWORD, add_person, stored

NAME = "ingest-bot"


def trail(session: Session) -> list[AuditEvent]:
    """The events, each with its actor checked."""
    session.flush()
    events = list(session.scalars(select(AuditEvent)))
    assert {event.actor for event in events} <= {ACTOR}
    return events


def by_action(session: Session) -> dict[str, AuditEvent]:
    events = trail(session)
    found = {event.action: event for event in events}
    assert len(found) == len(events)
    return found


def test_a_new_service_and_its_token_are_told_of(each_session: Session) -> None:
    issued = provision(each_session, NAME, actor=ACTOR, now=NOW, expires_in_days=1)
    events = by_action(each_session)
    assert set(events) == {"service.created", "token.issued"}
    assert {event.user_id for event in events.values()} == {issued.user.id}
    assert (events["service.created"].token_id, events["token.issued"].token_id) == (None, issued.token.id)
    assert events["service.created"].details == {"account": NAME}
    assert events["token.issued"].details == {
        "account": NAME,
        "name": "default",
        "scopes": ["ingest:write"],
        "expires_at": "2031-05-07T07:08:09.123456+00:00",
    }


def test_a_rotation_tells_of_both_tokens_and_of_a_third(each_session: Session) -> None:
    first = provision(each_session, NAME, actor=ACTOR, now=NOW)
    second = rotate_token(each_session, NAME, actor=ACTOR, now=NOW + HOUR)
    third = rotate_token(each_session, NAME, actor=ACTOR, now=NOW + 2 * HOUR)
    events = [event for event in trail(each_session) if event.action == "token.rotated"]
    replaced = {event.token_id: (event.details or {})["replaces"] for event in events}
    assert replaced == {second.token.id: str(first.token.id), third.token.id: str(second.token.id)}
    [revoked] = [event for event in trail(each_session) if event.action == "token.revoked"]
    assert (revoked.token_id, revoked.details) == (first.token.id, {"account": NAME, "name": "default"})


def test_a_revocation_is_told_of_once(session: Session) -> None:
    issued = provision(session, NAME, actor=ACTOR)
    for _ in range(2):
        revoke_token(session, NAME, issued.token.id, actor=ACTOR)
    assert by_action(session)["token.revoked"].token_id == issued.token.id


@pytest.mark.parametrize(
    ("options", "actions"),
    [
        ({"promote": True}, {"admin.promoted"}),
        ({"promote": True, "reset_password": True}, {"admin.promoted", "password.reset"}),
    ],
)
def test_what_happens_to_a_person_is_told_of(
    session: Session, options: dict[str, bool], actions: set[str]
) -> None:
    person = add_person(session)
    ensure_admin(session, EMAIL, PASSWORD, actor=ACTOR, **options)
    events = by_action(session)
    assert set(events) == actions
    assert {(event.user_id, event.token_id) for event in events.values()} == {(person.id, None)}
    assert all(event.details == {"account": EMAIL} for event in events.values())


def test_a_new_admin_is_told_of(session: Session) -> None:
    user, _ = ensure_admin(session, EMAIL, PASSWORD, actor=ACTOR)
    created = by_action(session)["admin.created"]
    assert (created.user_id, created.details) == (user.id, {"account": EMAIL})


def test_what_changes_nothing_is_not_told_of(session: Session) -> None:
    ensure_admin(session, EMAIL, PASSWORD, actor=ACTOR)
    issued = provision(session, NAME, actor=ACTOR)
    before = len(trail(session))
    ensure_admin(session, EMAIL, actor=ACTOR)
    provision(session, NAME, actor=ACTOR, ensure=True)
    list_tokens(session, NAME)
    assert issued.secret is not None
    assert verify_token(session, issued.secret.get_secret_value(), "ingest:write") is not None
    assert authenticate(session, EMAIL, PASSWORD) is not None
    assert len(trail(session)) == before


def test_a_change_that_is_rolled_back_is_not_told_of(session: Session) -> None:
    provision(session, NAME, actor=ACTOR)
    session.rollback()
    assert trail(session) == []


def test_the_trail_outlives_the_account(session: Session) -> None:
    issued = provision(session, NAME, actor=ACTOR)
    session.commit()
    session.delete(issued.user)
    session.commit()
    assert by_action(session)["token.issued"].token_id == issued.token.id


def test_no_event_holds_a_secret_or_its_hash(session: Session) -> None:
    issued = provision(session, NAME, actor=ACTOR)
    secret = issued.secret or SecretStr("")
    add_person(session)
    ensure_admin(session, EMAIL, PASSWORD, actor=ACTOR, promote=True, reset_password=True)
    text = repr([vars(event) for event in trail(session)])
    assert NAME in text
    for hidden in (secret.get_secret_value()[10:], issued.token.token_hash, PASSWORD.get_secret_value()):
        assert hidden not in text
    assert stored() not in text


def test_the_operator_is_who_runs_the_process_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("USER", "LOGNAME", "USERNAME", "LNAME", "HOSTNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "mallory")
    assert operator() == f"{pwd.getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"
    assert "mallory" not in operator()
