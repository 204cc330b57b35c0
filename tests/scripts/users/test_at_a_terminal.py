"""At a terminal what is missing is asked for; a password is typed twice, hidden, and may be tried again."""

import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import pytest
from sqlalchemy.orm import Session

from app.features.users.service import authenticate, provision, verify_token
from tests.features.users.support import EMAIL, PASSWORD
from tests.scripts.users.running import ADMIN, PROVISION, TOKEN, Terminal, at_a_terminal
from tests.support.project import Project

GOOD = PASSWORD.get_secret_value()
WEAK = "qwertyuiopasdfgh"

Start = Callable[..., AbstractContextManager[Terminal]]


@pytest.fixture
def start(sqlite_project: Project) -> Start:
    """Starts a script at a pseudo-terminal, on a migrated database."""
    sqlite_project.start_at("head")
    return partial(at_a_terminal, sqlite_project)


def rows(project: Project) -> list[int]:
    tables = ("users", "api_tokens", "audit_events")
    return [project.database.scalar(f"SELECT count(*) FROM {table}") for table in tables]


@pytest.mark.long
def test_an_admin_is_asked_for_the_address_and_twice_for_the_password(
    start: Start, sqlite_project: Project
) -> None:
    with start(ADMIN) as terminal:
        terminal.answer("Email: ", EMAIL)
        terminal.answer("Password: ", GOOD)
        terminal.answer("Repeat for confirmation: ", GOOD)
        terminal.expect(f"admin {EMAIL}: created")
        assert terminal.end() == 0
    assert GOOD not in terminal.transcript
    with Session(sqlite_project.database.engine) as session:
        assert authenticate(session, EMAIL, PASSWORD) is not None


@pytest.mark.long
def test_two_that_differ_and_a_weak_one_may_be_tried_again_and_none_is_shown(
    start: Start, sqlite_project: Project
) -> None:
    with start(ADMIN, "--email", EMAIL) as terminal:
        terminal.answer("Password: ", GOOD)
        terminal.answer("Repeat for confirmation: ", GOOD + "x")
        terminal.expect("do not match")
        terminal.answer("Password: ", WEAK)
        terminal.answer("Repeat for confirmation: ", WEAK)
        terminal.expect("the password is too easy to guess")
        terminal.answer("Password: ", GOOD)
        terminal.answer("Repeat for confirmation: ", GOOD)
        assert terminal.end() == 0
    assert GOOD not in terminal.transcript
    assert WEAK not in terminal.transcript
    assert rows(sqlite_project) == [1, 0, 1]


@pytest.mark.long
def test_after_three_weak_ones_it_gives_up(start: Start, sqlite_project: Project) -> None:
    with start(ADMIN, "--email", EMAIL) as terminal:
        for _ in range(3):
            terminal.answer("Password: ", WEAK)
            terminal.answer("Repeat for confirmation: ", WEAK)
        terminal.expect("ERROR: the password is too easy to guess")
        assert terminal.end() == 4
    assert rows(sqlite_project) == [0, 0, 0]


def test_a_service_is_asked_for_its_name_and_shown_its_token(start: Start, sqlite_project: Project) -> None:
    with start(PROVISION) as terminal:
        terminal.answer("Service name: ", " ingest-bot ")
        assert terminal.end() == 0
    [token] = re.findall(f"^({TOKEN})\r$", terminal.transcript, re.MULTILINE)
    with Session(sqlite_project.database.engine) as session:
        assert verify_token(session, token, "ingest:write") is not None


@pytest.mark.long
def test_a_question_is_no_part_of_the_result(start: Start) -> None:
    # As in `token=$(… --format text)` at a terminal.
    reader, writer = os.pipe()
    with start(PROVISION, "--format", "text", stdout=writer) as terminal, os.fdopen(reader) as result:
        os.close(writer)
        terminal.answer("Service name: ", "ingest-bot")
        assert re.fullmatch(f"{TOKEN}\n", result.read())
        assert terminal.end() == 0


@pytest.mark.long
def test_a_leaked_token_is_asked_for_without_being_shown(start: Start, sqlite_project: Project) -> None:
    with Session(sqlite_project.database.engine) as session:
        issued = provision(session, "ingest-bot", actor="a@b")
        session.commit()
    assert issued.secret is not None
    with start(PROVISION, "--revoke", "-") as terminal:
        terminal.answer("Leaked token: ", issued.secret.get_secret_value())
        terminal.expect("of ingest-bot is revoked")
        assert terminal.end() == 0
    assert issued.secret.get_secret_value()[10:] not in terminal.transcript


@pytest.mark.long
def test_who_wants_no_questions_gets_none(start: Start) -> None:
    with start(ADMIN, "--email", EMAIL, "--no-input") as terminal:
        terminal.expect("APP_ADMIN_PASSWORD is missing, and nobody can be asked for it")
        assert terminal.end() == 2
    assert "Password:" not in terminal.transcript


@pytest.mark.parametrize(
    ("script", "question"), [((PROVISION,), "Service name: "), ((ADMIN, "--email", EMAIL), "Password: ")]
)
def test_ctrl_c_at_a_question_is_an_interruption_that_wrote_nothing(
    start: Start, sqlite_project: Project, script: tuple[str, ...], question: str
) -> None:
    with start(*script) as terminal:
        terminal.expect(question)
        terminal.interrupt()
        terminal.expect("interrupted, nothing was written")
        assert terminal.end() == 130
    assert rows(sqlite_project) == [0, 0, 0]
    assert "Traceback" not in terminal.transcript
