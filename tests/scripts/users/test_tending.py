"""What the account scripts do with what is there: list, check, revoke, switch off and on."""

import json
import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.orm import Session

from app.core.clock import utcnow
from app.features.users import ApiToken, AuditEvent, User, UserKind, UserRole
from app.features.users.audit import operator
from app.features.users.service import authenticate, list_tokens, provision, verify_token
from app.features.users.tokens import new_token, token_hash
from tests.features.users.support import DAY, EMAIL, PASSWORD, add_person, audited, stored
from tests.scripts.users.running import Commands, refused

SCOPE = "ingest:write"


def issued(commands: Commands, service: str = "ingest-bot", *arguments: str) -> dict[str, Any]:
    """A token, as its JSON."""
    outcome = commands.provision("--service-name", service, "--format", "json", *arguments)
    assert outcome.code == 0, outcome.err
    result: dict[str, Any] = json.loads(outcome.out)
    return result


def works(commands: Commands, token: str) -> bool:
    with Session(commands.database.engine) as session:
        return verify_token(session, token, SCOPE) is not None


def content(commands: Commands) -> object:
    return commands.database.content(volatile=True)


def cells(line: str) -> list[str]:
    return re.split(r"\s{2,}", line)


# -- --list ----------------------------------------------------------------------------------------


def test_without_a_service_the_list_shows_every_account_and_token(
    sqlite_commands: Commands, session: Session
) -> None:
    add_person(session, role=UserRole.ADMIN)
    tokens = [issued(sqlite_commands, name) for name in ("z-bot", "a-bot")]
    outcome = sqlite_commands.provision("--list")
    assert (outcome.code, outcome.err) == (0, "")
    people, rest = outcome.out.split("\n\n")
    head, *lines = map(cells, people.splitlines())
    assert head == ["ACCOUNT", "KIND", "ROLE", "ACTIVE", "PASSWORD", "LAST CHANGE"]
    assert [line[:5] for line in lines] == [
        [EMAIL, "person", "admin", "yes", "yes"],
        ["a-bot", "service", "user", "yes", "no"],
        ["z-bot", "service", "user", "yes", "no"],
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", line[5]) for line in lines)
    head, *lines = map(cells, rest.splitlines())
    assert head == ["ACCOUNT", "ID", "NAME", "TOKEN", "STATUS", "SCOPES", "EXPIRES", "LAST USED"]
    assert [line[0] for line in lines] == ["a-bot", "z-bot"]
    assert [line[1] for line in lines] == [token["token_id"] for token in reversed(tokens)]


def test_all_accounts_are_json_too_without_a_hash(sqlite_commands: Commands, session: Session) -> None:
    person, token = add_person(session), issued(sqlite_commands)
    assert sqlite_commands.bot("--deactivate").code == 0
    outcome = sqlite_commands.provision("--list", "--format", "json")
    accounts = json.loads(outcome.out)["accounts"]
    assert accounts[0] == {
        "id": str(person.id),
        "kind": "person",
        "email": EMAIL,
        "service": None,
        "role": "user",
        "active": True,
        "password_set": True,
        "created_at": accounts[0]["created_at"],
        "updated_at": accounts[0]["updated_at"],
        "tokens": [],
    }
    assert (accounts[1]["service"], accounts[1]["active"]) == ("ingest-bot", False)
    assert [(one["id"], one["status"]) for one in accounts[1]["tokens"]] == [
        (token["token_id"], "account deactivated")
    ]
    assert datetime.fromisoformat(accounts[1]["updated_at"]).utcoffset() == timedelta(0)
    hashes = [row[0] for row in sqlite_commands.database.rows("SELECT token_hash FROM api_tokens")]
    for hidden in (token["token"][10:], stored(), *hashes):
        assert hidden not in outcome.text


def test_foreign_text_in_a_list_ends_no_line_moves_no_cursor_and_is_ascii(
    sqlite_commands: Commands, session: Session
) -> None:
    hostile = "m\u00fcller\x1b[2J\nroot@example.org"
    session.add(User(kind=UserKind.PERSON, email=hostile))
    session.add(User(kind=UserKind.PERSON, email="m\u00fcller@example.org"))
    session.commit()
    out = sqlite_commands.provision("--list").out
    assert out.isascii()
    assert "\x1b" not in out
    assert len(out.split("\n\n")[0].splitlines()) == 3
    assert (
        json.loads(sqlite_commands.provision("--list", "--format", "json").out)["accounts"][0]["email"]
        == hostile
    )


def test_a_list_of_nothing_has_its_heads(sqlite_commands: Commands) -> None:
    outcome = sqlite_commands.provision("--list")
    assert (outcome.code, len(outcome.out.splitlines())) == (0, 3)
    assert json.loads(sqlite_commands.provision("--list", "--format", "json").out) == {"accounts": []}


@pytest.mark.parametrize("mode", ["--list", "--check-expiry=14", f"--revoke={UUID(int=7)}", "--revoke=-"])
def test_an_empty_name_is_not_every_service(sqlite_commands: Commands, mode: str) -> None:
    refused(2, sqlite_commands.provision("--service-name", "", mode), "--service-name is missing")


@pytest.mark.long
def test_ten_thousand_tokens_are_listed_within_seconds(sqlite_commands: Commands, session: Session) -> None:
    now = utcnow()
    users = [User(kind=UserKind.SERVICE, service_name=f"bot-{number}") for number in range(100)]
    session.add_all(users)
    session.flush()
    session.add_all(
        ApiToken(
            user_id=user.id, name=f"n{number}", token_hash=token_hash(new_token()),
            display_prefix="srl_abcdef", scopes=[SCOPE], created_by="a@b", created_at=now,
            expires_at=now + 5 * DAY,
        )
        for user in users
        for number in range(100)
    )  # fmt: skip
    session.commit()
    before = utcnow()
    assert len(sqlite_commands.provision("--list").out.splitlines()) == 10_000 + 100 + 3
    assert sqlite_commands.provision("--check-expiry", "14").code == 10
    assert utcnow() - before < timedelta(seconds=20)


# -- --check-expiry --------------------------------------------------------------------------------


@pytest.mark.long_on("postgresql")
def test_tokens_that_end_soon_have_an_exit_code_of_their_own(commands: Commands) -> None:
    token = issued(commands, "ingest-bot", "--expires-in-days", "10")
    issued(commands, "other-bot")
    for name in ([], ["--service-name", "ingest-bot"]):
        outcome = commands.provision("--check-expiry", "14", *name)
        assert outcome.code == 10
        head, line = map(cells, outcome.out.splitlines())
        assert head[:2] == ["ACCOUNT", "ID"]
        assert line[:2] + line[4:5] == ["ingest-bot", token["token_id"], "expiring soon"]
        assert outcome.err.startswith("1 token ends within 14 days, or did: --rotate issues a new one")
    outcome = commands.provision("--check-expiry", "14", "--format", "json")
    [entry] = json.loads(outcome.out)
    assert outcome.code == 10
    assert (entry["service"], entry["id"], entry["status"]) == (
        "ingest-bot",
        token["token_id"],
        "expiring soon",
    )


def test_where_none_ends_soon_a_scheduled_run_says_nothing(sqlite_commands: Commands) -> None:
    issued(sqlite_commands, "ingest-bot", "--expires-in-days", "10")
    issued(sqlite_commands, "ingest-bot", "--rotate", "--overlap-hours", "24")
    for name in ([], ["--service-name", "ingest-bot"]):
        outcome = sqlite_commands.provision("--check-expiry", "14", *name)
        assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
        outcome = sqlite_commands.provision("--check-expiry", "14", "--format", "json", *name)
        assert (outcome.code, json.loads(outcome.out), outcome.err) == (0, [], "")


def test_a_check_is_refused_as_the_rest_is(sqlite_commands: Commands) -> None:
    for days in ("0", "-1", "3651"):
        refused(4, sqlite_commands.provision("--check-expiry", days), "1 to 3650 days ahead")
    refused(2, sqlite_commands.provision("--check-expiry", "soon"))
    refused(5, sqlite_commands.bot("--check-expiry", "14"), "there is no service account ingest-bot")


# -- warnings by the way ---------------------------------------------------------------------------


def test_a_run_for_a_service_warns_of_its_tokens_that_end_soon(
    sqlite_commands: Commands, session: Session
) -> None:
    provision(session, "ingest-bot", actor="a@b", expires_in_days=1, token_name="old", now=utcnow() - 2 * DAY)
    session.commit()
    soon = issued(sqlite_commands, "ingest-bot", "--token-name", "soon", "--expires-in-days", "3")
    warning = f"WARNING: token 'soon' ({soon['token'][:10]}…) of ingest-bot ends "
    other = sqlite_commands.bot("--format", "json")
    assert other.err.count("WARNING") == 1
    assert warning in other.err
    # Without the name, another token would be rotated.
    assert "UTC: --rotate --token-name soon issues a new one" in other.err
    ensured = sqlite_commands.bot("--ensure", "--token-name", "soon", "--format", "text")
    assert (ensured.code, ensured.out) == (0, "")
    assert warning in ensured.err
    revoked = sqlite_commands.bot("--revoke", json.loads(other.out)["token_id"])
    assert warning in revoked.err
    assert "WARNING" not in sqlite_commands.bot("--rotate", "--token-name", "soon", "--format", "json").err


def test_a_token_that_was_asked_to_end_soon_is_no_surprise(sqlite_commands: Commands) -> None:
    outcome = sqlite_commands.bot("--format", "json", "--expires-in-days", "1")
    assert outcome.code == 0
    assert "WARNING" not in outcome.err


# -- --revoke, --revoke-all ------------------------------------------------------------------------


def test_an_id_is_enough_to_revoke(commands: Commands) -> None:
    token = issued(commands)
    for said in ("is revoked", "was revoked before"):
        outcome = commands.provision("--revoke", token["token_id"])
        assert (outcome.code, outcome.out) == (0, "")
        assert outcome.err == f"token 'default' ({token['token'][:10]}…) of ingest-bot {said}\n"
    assert not works(commands, token["token"])
    refused(5, commands.provision("--revoke", str(uuid4())), "there is no token with the id")


def test_a_leaked_value_is_read_from_a_pipe_and_never_shown(commands: Commands) -> None:
    token, other = issued(commands), issued(commands, "other-bot")
    text = f'APP_API_TOKEN="{token["token"]}"\n{new_token().get_secret_value()}\n'
    dry = commands.provision("--revoke", "-", "--dry-run", stdin=text.encode())
    assert (dry.code, works(commands, token["token"])) == (0, True)
    for said in ("is revoked", "was revoked before"):
        outcome = commands.provision("--revoke", "-", stdin=text.encode())
        assert (outcome.code, outcome.out) == (0, "")
        assert outcome.err.splitlines() == [
            f"token 'default' ({token['token'][:10]}…) of ingest-bot {said}",
            "1 more in what was read: no tokens of this database, or damaged",
        ]
    assert (works(commands, token["token"]), works(commands, other["token"])) == (False, True)


@pytest.mark.parametrize(
    ("code", "text", "reason"),
    [
        (2, b"", "there is no token in what was read"),
        (2, b"\xff\xfe\x00hunter2", "there is no token in what was read"),
        (2, b"srl_" + b"a" * 49, "its checksum does not match"),
        (2, b"hunter2 " * 200_000, "standard input has more than 1,048,576 bytes"),
        (5, None, "this database has no such token, and nothing was revoked"),
    ],
)
def test_what_names_no_token_revokes_nothing_and_is_not_quoted(
    sqlite_commands: Commands, code: int, text: bytes | None, reason: str
) -> None:
    issued(sqlite_commands)
    before = content(sqlite_commands)
    given = new_token().get_secret_value().encode() if text is None else text
    outcome = sqlite_commands.provision("--revoke", "-", stdin=given)
    refused(code, outcome, reason)
    assert "hunter2" not in outcome.err
    assert "aaaa" not in outcome.err
    assert not re.search("srl_[0-9A-Za-z]{7}", outcome.err)
    assert content(sqlite_commands) == before


@pytest.mark.long
def test_a_leaked_value_of_another_service_is_not_the_named_ones(sqlite_commands: Commands) -> None:
    token = issued(sqlite_commands)
    issued(sqlite_commands, "other-bot")
    command = ["--service-name", "other-bot", "--revoke", "-"]
    refused(
        5, sqlite_commands.provision(*command, stdin=token["token"].encode()), "other-bot has no such token"
    )
    assert works(sqlite_commands, token["token"])
    assert sqlite_commands.bot("--revoke", "-", stdin=token["token"].encode()).code == 0
    assert not works(sqlite_commands, token["token"])


@pytest.mark.parametrize("what", ["", "default", "hunter2", "srl_abcdef", "123"])
def test_what_is_no_id_is_not_quoted(sqlite_commands: Commands, what: str) -> None:
    outcome = sqlite_commands.provision("--revoke", what)
    refused(
        2, outcome, "--revoke takes a token's id, as --list shows it, or - for a value from standard input"
    )
    assert not what or what not in outcome.err


def test_everything_of_a_service_ends_at_once(commands: Commands) -> None:
    tokens = [issued(commands, "ingest-bot", "--token-name", name)["token"] for name in ("one", "two")]
    other = issued(commands, "other-bot")["token"]
    for arguments, said, working in (
        (["--dry-run"], "2 tokens of ingest-bot would be revoked\n", True),
        ([], "2 tokens of ingest-bot are revoked\n", False),
        ([], "ingest-bot has no token left to revoke\n", False),
    ):
        outcome = commands.bot("--revoke-all", *arguments)
        assert (outcome.code, outcome.out, outcome.err) == (0, "", said)
        assert [works(commands, token) for token in tokens] == [working, working]
    assert works(commands, other)
    refused(
        5, commands.provision("--service-name", "third-bot", "--revoke-all"), "no service account third-bot"
    )
    refused(2, commands.provision("--revoke-all"), "--service-name is missing")


# -- --activate, --deactivate ----------------------------------------------------------------------


def test_a_service_is_switched_off_and_on_and_the_output_says_what_that_means(commands: Commands) -> None:
    token = issued(commands)["token"]
    off = [
        "service account ingest-bot: deactivated",
        "1 token of it does not work while it is deactivated; --revoke-all ends it for good",
    ]
    for first in (off[0], f"{off[0]}, as before"):
        outcome = commands.bot("--deactivate")
        assert (outcome.code, outcome.out, outcome.err.splitlines()) == (0, "", [first, off[1]])
        assert not works(commands, token)
    refused(
        3, commands.bot("--rotate", "--format", "json"), "is deactivated; --activate makes it active again"
    )
    assert "account deactivated" in commands.bot("--list").out
    outcome = commands.bot("--activate")
    assert outcome.err.splitlines() == [
        "service account ingest-bot: activated",
        "1 token of it works until revoked or expired: --list shows them",
    ]
    assert works(commands, token)


def test_a_dry_run_switches_nothing(sqlite_commands: Commands, session: Session) -> None:
    add_person(session)
    issued(sqlite_commands)
    before = content(sqlite_commands)
    assert "ingest-bot: would be deactivated" in sqlite_commands.bot("--deactivate", "--dry-run").err
    outcome = sqlite_commands.admin("--email", EMAIL, "--deactivate", "--dry-run")
    assert (outcome.code, outcome.err) == (0, f"account {EMAIL}: would be deactivated\n")
    assert content(sqlite_commands) == before


def test_a_person_is_switched_off_and_on_by_whom_the_trail_names(commands: Commands) -> None:
    with Session(commands.database.engine) as session:
        add_person(session)
        for arguments, said in (
            (["--deactivate"], "deactivated"),
            (["--deactivate"], "deactivated, as before"),
            (["--activate"], "activated"),
            (["--activate"], "active, as before"),
        ):
            # A password that lies about is no hindrance, and is not set.
            outcome = commands.admin("--email", EMAIL, *arguments, APP_ADMIN_PASSWORD="granite Falcon 77")
            assert (outcome.code, outcome.out, outcome.err) == (0, "", f"account {EMAIL}: {said}\n")
        assert audited(session) == ["account.activated", "account.deactivated"]
        assert {event.actor for event in session.query(AuditEvent)} == {operator()}
        assert authenticate(session, EMAIL, PASSWORD) is not None
    outcome = commands.admin("--email", EMAIL, "--deactivate", "--format", "json")
    assert {**json.loads(outcome.out), "id": None} == {
        "email": EMAIL, "id": None, "outcome": "deactivated", "dry_run": False,
    }  # fmt: skip


def test_the_last_admin_stays_unless_by_force(sqlite_commands: Commands, session: Session) -> None:
    add_person(session, role=UserRole.ADMIN)
    before = content(sqlite_commands)
    refused(3, sqlite_commands.admin("--email", EMAIL, "--deactivate"), "is the last admin who can log in")
    assert content(sqlite_commands) == before
    outcome = sqlite_commands.admin("--email", EMAIL, "--deactivate", "--force")
    assert (outcome.code, outcome.err) == (0, f"account {EMAIL}: deactivated\n")
    refused(3, sqlite_commands.admin("--email", EMAIL), "is deactivated; --activate makes it active again")


def test_an_account_comes_back_with_a_new_password_and_never_by_the_old_one(
    sqlite_commands: Commands, session: Session
) -> None:
    add_person(session, role=UserRole.ADMIN, is_active=False)
    new = "granite Falcon 77 weaving"
    arguments = ["--email", EMAIL, "--activate", "--reset-password", "--password-stdin"]
    refused(4, sqlite_commands.admin(*arguments, stdin=b"weak"), "too short")
    session.expire_all()
    assert not session.query(User).one().is_active
    session.rollback()
    outcome = sqlite_commands.admin(*arguments, stdin=new.encode())
    assert outcome.err == f"account {EMAIL}: activated\nadmin {EMAIL}: password reset\n"
    session.expire_all()
    assert authenticate(session, EMAIL, PASSWORD) is None
    assert session.query(User).one().is_active


def test_nobody_is_switched(sqlite_commands: Commands) -> None:
    for mode in ("--activate", "--deactivate"):
        refused(5, sqlite_commands.bot(mode), "there is no service account ingest-bot")
        refused(
            5, sqlite_commands.admin("--email", EMAIL, mode), f"there is no account with the email {EMAIL}"
        )
    assert content(sqlite_commands)["users"] == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--activate", "--deactivate"], "--activate and --deactivate exclude each other"),
        (["--force"], "--force goes with --deactivate alone"),
        (["--activate", "--force"], "--force goes with --deactivate alone"),
        (["--deactivate", "--promote"], "--promote does not go with --deactivate"),
        (["--deactivate", "--reset-password"], "--reset-password does not go with --deactivate"),
        (["--deactivate", "--password-stdin"], "--password-stdin does not go with --deactivate"),
        (["--activate", "--password-stdin"], "--password-stdin goes with --activate where --reset-password"),
    ],
)
def test_switches_of_a_person_that_contradict_each_other_are_wrong_usage(
    sqlite_commands: Commands, arguments: list[str], reason: str
) -> None:
    refused(2, sqlite_commands.admin("--email", EMAIL, *arguments), reason)


# -- --expires-in-days -----------------------------------------------------------------------------


def test_the_settings_bound_a_tokens_life(sqlite_commands: Commands, session: Session) -> None:
    most = {"APP_TOKEN_MAX_DAYS": "30"}
    for mode in ([], ["--ensure"]):
        outcome = sqlite_commands.bot(*mode, "--format", "json", "--expires-in-days", "31", **most)
        refused(4, outcome, "a token lives 1 to 30 days, not 31; APP_TOKEN_MAX_DAYS sets the most")
    assert sqlite_commands.bot("--format", "json", **most).code == 0
    outcome = sqlite_commands.bot("--rotate", "--format", "json", "--expires-in-days", "31", **most)
    refused(4, outcome, "a token lives 1 to 30 days")
    [(token, _)] = list_tokens(session, "ingest-bot")
    assert token.expires_at - token.created_at == 30 * DAY
    for nonsense in ("0", "3651", "forever", ""):
        refused(2, sqlite_commands.bot("--list", APP_TOKEN_MAX_DAYS=nonsense), "APP_TOKEN_MAX_DAYS: ")
