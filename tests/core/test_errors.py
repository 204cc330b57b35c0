"""The application's errors: sentences whose foreign parts move no cursor, on one stream as on the other."""

import pytest
from sqlalchemy.engine import make_url

from app.core.errors import AppError, ConfigurationError, DatabaseUnavailable
from app.scripts.exits import say
from seedrail.quoting import harmless

HOSTILE = "x\x1b[2K\r\u202e\x9b"


def lines_are_harmless(text: str) -> bool:
    return all(map(harmless, text.split("\n")))


@pytest.mark.parametrize("kind", [AppError, ConfigurationError])
def test_an_error_keeps_its_lines_and_escapes_what_moves_a_cursor(kind: type[AppError]) -> None:
    message = str(kind(f"first {HOSTILE}\n  second"))
    assert message.startswith("first x\\u001b[2K\\r")
    assert message.endswith("\n  second")
    assert lines_are_harmless(message)


def test_what_a_server_says_before_it_lets_anybody_in_forges_nothing() -> None:
    error = DatabaseUnavailable(make_url("postgresql://a@b/c"), RuntimeError(f"no {HOSTILE}\nERROR: forged"))
    assert lines_are_harmless(str(error))
    assert "\nERROR" not in str(error)


def test_the_scripts_sentences_pass_the_same_net(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"admin {HOSTILE}: unchanged")
    assert capsys.readouterr().err == "admin x\\u001b[2K\\r\\u202e\\u009b: unchanged\n"
