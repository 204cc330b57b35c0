"""A token or a password that somebody typed as an argument is refused, and not repeated."""

import pytest

from app.features.users.tokens import new_token
from tests.features.users.support import EMAIL
from tests.scripts.users.running import Commands, refused
from tests.support.databases import Database

TOKEN = new_token().get_secret_value()
REVOKE = "revoke it (provision_service_account --revoke - reads it from a pipe, or asks for it)"


TYPED = [
    ["--revoke", "{}"],
    ["--revoke={}"],
    ["--service-name", "{}", "--list"],
    ["--service-name", "ingest-bot", "--token-name", "{}"],
    ["--service-name", "ingest-bot", "--scope", "{}"],
    ["--service-name", "ingest-bot", "--format", "{}"],
    ["--service-name", "ingest-bot", "--output-file", "/tmp/{}"],
    ["--service-name", "ingest-bot", "--expires-in-days", "{}"],
    ["--check-expiry", "{}"],
    ["--lock-timeout", "{}"],
    ["--{}"],
    ["--list", "{}"],
    ["--list", "APP_API_TOKEN={}"],
    ["--", "{}"],
    ["--help", "{}"],
]


@pytest.fixture
def unread(sqlite: Database) -> Commands:
    """The scripts on a database that they never come to read: it has no tables."""
    return Commands(sqlite)


@pytest.mark.parametrize("typed", [TOKEN, TOKEN[:-1], TOKEN[:30]], ids=["whole", "cut", "half"])
def test_a_token_among_the_arguments_is_refused_and_not_shown(unread: Commands, typed: str) -> None:
    for arguments in TYPED:
        outcome = unread.provision(*(one.format(typed) for one in arguments))
        refused(2, outcome, REVOKE)
        assert typed[10:] not in outcome.text
    for arguments in (["--email", typed], [typed], ["--password-file", typed]):
        outcome = unread.admin(*arguments)
        refused(2, outcome, REVOKE)
        assert typed[10:] not in outcome.text


@pytest.mark.parametrize("words", [["hunter2"], ["umbrella", "hunter2"], ["--", "--hunter2"]])
def test_words_that_belong_to_no_option_are_not_repeated(unread: Commands, words: list[str]) -> None:
    for outcome in (unread.admin("--email", EMAIL, *words), unread.bot("--format", "json", *words)):
        refused(2, outcome, "unexpected extra argument")
        assert "hunter2" not in outcome.err


def test_an_option_that_does_not_exist_is_named_without_its_value(unread: Commands) -> None:
    outcome = unread.admin("--email", EMAIL, "--password=hunter2")
    refused(2, outcome, "No such option: --password")
    assert "hunter2" not in outcome.err
