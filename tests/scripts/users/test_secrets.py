"""A raw token or password is where somebody asked for it, and nowhere else."""

import json
import logging
import re

import pytest
from pydantic import SecretStr

from app.core.config import Settings
from tests.features.users.support import EMAIL, PASSWORD
from tests.scripts.users.running import ADMIN, PROVISION, TOKEN, Commands
from tests.support.project import Project

GOOD = PASSWORD.get_secret_value()
BODY = slice(10, None)
"""The part of a token that no list shows."""


def everything(commands: Commands) -> str:
    """All that the database holds."""
    return repr(commands.database.content(ledger=True, volatile=True))


def test_a_token_is_in_no_column_and_in_no_message(commands: Commands) -> None:
    outcomes = [commands.bot("--format", "json", *mode) for mode in ([], ["--rotate"])]
    for outcome in outcomes:
        token = json.loads(outcome.out)["token"]
        assert re.fullmatch(TOKEN, token)
        assert token[BODY] not in outcome.err + everything(commands)
        assert token[:10] in outcome.err
        assert token[:10] in everything(commands)


def test_a_password_is_in_no_column_and_in_no_message(sqlite_commands: Commands) -> None:
    arguments = ["--email", EMAIL, "--format", "json", "--password-stdin"]
    for more in ([], ["--reset-password"]):
        outcome = sqlite_commands.admin(*arguments, *more, stdin=GOOD.encode())
        assert outcome.code == 0
        assert GOOD not in outcome.text + everything(sqlite_commands)
        assert "$argon2" not in outcome.text
    assert EMAIL in everything(sqlite_commands)


def test_no_log_has_a_secret_or_a_hash_not_even_with_every_statement_in_it(
    commands: Commands, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, logger="sqlalchemy.engine")
    token = json.loads(commands.bot("--format", "json").out)["token"]
    assert commands.admin("--email", EMAIL, APP_ADMIN_PASSWORD=GOOD).code == 0
    assert "INSERT INTO api_tokens" in caplog.text
    assert "INSERT INTO users" in caplog.text
    [(token_hash,)] = commands.database.rows("SELECT token_hash FROM api_tokens")
    for hidden in (token[BODY], token_hash, GOOD, "$argon2"):
        assert hidden not in caplog.text


def test_the_rows_in_a_debug_log_have_no_secret(
    sqlite_commands: Commands, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="sqlalchemy.engine")
    token = json.loads(sqlite_commands.bot("--format", "json").out)["token"]
    for _ in range(2):
        assert sqlite_commands.admin("--email", EMAIL, APP_ADMIN_PASSWORD=GOOD).code == 0
    assert sqlite_commands.bot("--list").code == 0
    assert token[:10] in caplog.text
    assert token[BODY] not in caplog.text
    assert GOOD not in caplog.text


@pytest.mark.long
@pytest.mark.parametrize("asked", [False, True], ids=["one sentence", "a traceback where asked for"])
def test_an_unexpected_error_shows_no_secrets(sqlite_project: Project, asked: bool) -> None:
    sqlite_project.start_at("head")
    sqlite_project.database.execute(
        "CREATE TRIGGER broken BEFORE INSERT ON audit_events"
        " WHEN NEW.action <> 'service.created' BEGIN SELECT RAISE(ABORT, 'broken on purpose'); END"
    )
    settings = {"APP_TRACEBACK": "true"} if asked else {}
    service = sqlite_project.run(PROVISION, "--service-name", "ingest-bot", "--format", "json", **settings)
    admin = sqlite_project.run(ADMIN, "--email", EMAIL, APP_ADMIN_PASSWORD=GOOD, **settings)
    for outcome in (service, admin):
        assert (outcome.code, outcome.out) == (1, "")
        assert ("Traceback" in outcome.err) == asked
        assert "broken on purpose" in outcome.err
        for hidden in (TOKEN, re.escape(GOOD), r"\$argon2", "[0-9a-f]{64}"):
            assert not re.search(hidden, outcome.err)
    assert sqlite_project.database.content(volatile=True)["users"] == []


def test_the_settings_do_not_show_their_secrets() -> None:
    settings = Settings(DATABASE_URL="postgresql://ada:hunter2@host/catalog", admin_password=SecretStr(GOOD))
    for text in (repr(settings), str(settings), repr(settings.model_dump()), settings.model_dump_json()):
        assert "admin_password" in text
        assert GOOD not in text
        assert "hunter2" not in text
