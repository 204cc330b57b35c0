"""create_admin_account without a terminal: where the password may come from, and what is left alone."""

import json
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app.features.users import UserRole
from app.features.users.audit import operator
from app.features.users.service import authenticate
from tests.features.users.support import EMAIL, PASSWORD, add_person
from tests.scripts.users.running import Commands, refused
from tests.support.project import Outcome

GOOD = PASSWORD.get_secret_value()
SOURCES = ["stdin", "file", "environment", "dotenv"]


def private(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    path.chmod(0o600)
    return str(path)


def ensure(commands: Commands, *arguments: str, **given: str | bytes) -> Outcome:
    return commands.admin("--email", EMAIL, *arguments, **given)


def with_password(commands: Commands, source: str, password: str, tmp_path: Path) -> Outcome:
    """Run with a password from one of the places that it may come from."""
    if source == "stdin":
        return ensure(commands, "--password-stdin", stdin=password.encode() + b"\n")
    if source == "file":
        return ensure(commands, "--password-file", private(tmp_path / "password", password.encode() + b"\n"))
    if source == "environment":
        return ensure(commands, APP_ADMIN_PASSWORD=password)
    private(tmp_path / ".env", f"APP_ADMIN_PASSWORD='{password}'\n".encode())
    return ensure(commands)


def people(commands: Commands) -> list[tuple[str, str]]:
    return [tuple(row) for row in commands.database.rows("SELECT email, role FROM users ORDER BY email")]


@pytest.mark.parametrize("source", SOURCES)
def test_the_password_comes_from_a_pipe_a_file_or_a_setting(
    sqlite_commands: Commands, session: Session, source: str, tmp_path: Path
) -> None:
    outcome = with_password(sqlite_commands, source, GOOD, tmp_path)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", f"admin {EMAIL}: created\n")
    assert people(sqlite_commands) == [(EMAIL, "admin")]
    assert authenticate(session, EMAIL, PASSWORD) is not None


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("weak", "reason"), [("n7#Vq2!xLp9$Wd", "too short"), ("passwordpassword", "too easy to guess")]
)
def test_one_policy_holds_wherever_the_password_comes_from(
    sqlite_commands: Commands, source: str, weak: str, reason: str, tmp_path: Path
) -> None:
    outcome = with_password(sqlite_commands, source, weak, tmp_path)
    refused(4, outcome, reason)
    assert weak not in outcome.err
    assert people(sqlite_commands) == []


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("unseen", "name"),
    [
        ("\N{ZERO WIDTH SPACE}", "an invisible character (U+200B ZERO WIDTH SPACE)"),
        ("\ufeff", "a byte order mark (U+FEFF)"),
    ],
)
def test_what_nobody_sees_is_refused_wherever_the_password_comes_from(
    sqlite_commands: Commands, source: str, unseen: str, name: str, tmp_path: Path
) -> None:
    outcome = with_password(sqlite_commands, source, unseen + GOOD, tmp_path)
    refused(4, outcome, f"the password contains {name}")
    assert GOOD not in outcome.err
    assert people(sqlite_commands) == []


@pytest.mark.parametrize("source", ["stdin", "file", "environment"])
def test_an_escape_character_is_refused_where_no_file_of_settings_refuses_it(
    sqlite_commands: Commands, source: str, tmp_path: Path
) -> None:
    outcome = with_password(sqlite_commands, source, f"{GOOD}\x1b[A", tmp_path)
    refused(4, outcome, "the password contains an escape character (U+001B)")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\nmore"])
def test_a_variable_with_a_line_break_is_against_the_policy(sqlite_commands: Commands, ending: str) -> None:
    outcome = ensure(sqlite_commands, APP_ADMIN_PASSWORD=GOOD + ending)
    refused(4, outcome, "the password contains a line break (U+000")
    assert people(sqlite_commands) == []


@pytest.mark.parametrize("source", SOURCES)
def test_a_blank_at_an_end_is_refused(sqlite_commands: Commands, source: str, tmp_path: Path) -> None:
    refused(4, with_password(sqlite_commands, source, f"{GOOD} ", tmp_path), "begins or ends with a blank")


def test_a_pipe_that_never_ends_is_not_read_to_its_end(sqlite_commands: Commands) -> None:
    outcome = ensure(sqlite_commands, "--password-stdin", stdin=b"x" * 100_000)
    refused(2, outcome, "longer than 65,536 bytes")


def test_an_address_is_no_password_of_its_own(sqlite_commands: Commands) -> None:
    refused(4, ensure(sqlite_commands, APP_ADMIN_PASSWORD=EMAIL), "too easy to guess")


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_file_that_others_may_read_is_refused(sqlite_commands: Commands, tmp_path: Path, mode: int) -> None:
    file = private(tmp_path / "password", GOOD.encode())
    Path(file).chmod(mode)
    refused(2, ensure(sqlite_commands, "--password-file", file), "open to group or others")
    assert people(sqlite_commands) == []


def test_what_cannot_be_read_as_a_password_is_wrong_usage(sqlite_commands: Commands, tmp_path: Path) -> None:
    missing, folder = tmp_path / "no-such-file", tmp_path / "folder"
    folder.mkdir(mode=0o700)
    for path, reason in ((missing, "No such file"), (folder, "Is a directory")):
        refused(2, ensure(sqlite_commands, "--password-file", str(path)), reason)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "no password in"), (b"\n", "no password in"), (b"\xff" * 15, "not UTF-8"), (b"a\nb", "one line")],
)
def test_a_pipe_or_a_file_without_one_line_of_text_is_wrong_usage(
    sqlite_commands: Commands, content: bytes, reason: str, tmp_path: Path
) -> None:
    refused(2, ensure(sqlite_commands, "--password-stdin", stdin=content), reason)
    file = private(tmp_path / "password", content)
    refused(2, ensure(sqlite_commands, "--password-file", file), reason)


def test_a_variable_that_is_no_text_is_against_the_policy(sqlite_commands: Commands) -> None:
    # As the environment's bytes that are not UTF-8 reach Python.
    outcome = ensure(sqlite_commands, APP_ADMIN_PASSWORD=GOOD + "\udcff")
    refused(4, outcome, "no Unicode character")


def test_two_places_at_once_are_wrong_usage(sqlite_commands: Commands, tmp_path: Path) -> None:
    file = private(tmp_path / "password", GOOD.encode())
    outcome = ensure(sqlite_commands, "--password-stdin", "--password-file", file, stdin=GOOD.encode())
    refused(2, outcome, "give --password-stdin or --password-file, not both")


def test_a_pipe_or_a_file_wins_over_the_setting(sqlite_commands: Commands, tmp_path: Path) -> None:
    file = private(tmp_path / "password", b"short")
    for arguments in (["--password-stdin"], ["--password-file", file]):
        outcome = ensure(sqlite_commands, *arguments, stdin=b"short", APP_ADMIN_PASSWORD=GOOD)
        refused(4, outcome, "too short")


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        ([], "--email is missing"),
        (["--no-input"], "--email is missing"),
        (["--email", ""], "--email is missing"),
        (["--email", EMAIL], "--password-stdin, --password-file or APP_ADMIN_PASSWORD is missing"),
        (["--email", EMAIL, "--no-input"], "APP_ADMIN_PASSWORD is missing"),
    ],
)
def test_without_a_terminal_what_is_missing_is_wrong_usage(
    sqlite_commands: Commands, arguments: list[str], missing: str
) -> None:
    for environment in ({}, {"APP_ADMIN_PASSWORD": ""}):
        outcome = sqlite_commands.admin(*arguments, stdin=GOOD.encode(), **environment)
        refused(2, outcome, missing)
    assert people(sqlite_commands) == []


@pytest.mark.parametrize("option", ["--password", "--password-std", "--mail", "-p"])
def test_a_password_is_no_argument_and_options_are_not_abbreviated(
    sqlite_commands: Commands, option: str
) -> None:
    for arguments in ([option, GOOD], [f"{option}={GOOD}"]):
        outcome = ensure(sqlite_commands, *arguments)
        refused(2, outcome, "No such option")
        assert GOOD not in outcome.err
    refused(2, ensure(sqlite_commands, GOOD), "unexpected extra argument")


def test_what_is_no_address_is_wrong_usage(sqlite_commands: Commands) -> None:
    outcome = sqlite_commands.admin("--email", "ada", APP_ADMIN_PASSWORD=GOOD)
    refused(2, outcome, "'ada' is no email address")


# -- what is there already -------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["--no-input"], ["--promote"], ["--password-stdin"]])
def test_an_admin_that_is_there_stays_as_it_is(
    sqlite_commands: Commands, session: Session, arguments: list[str]
) -> None:
    add_person(session, role=UserRole.ADMIN)
    before = sqlite_commands.database.content(volatile=True)
    # Not even a weak password matters, because it is not used.
    outcome = ensure(sqlite_commands, *arguments, stdin=b"weak")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", f"admin {EMAIL}: unchanged\n")
    assert sqlite_commands.database.content(volatile=True) == before


def test_an_account_that_is_no_admin_is_a_conflict_unless_promoted(
    sqlite_commands: Commands, session: Session
) -> None:
    add_person(session)
    before = sqlite_commands.database.content(volatile=True)
    refused(3, ensure(sqlite_commands, APP_ADMIN_PASSWORD=GOOD), "--promote makes it one")
    assert sqlite_commands.database.content(volatile=True) == before
    assert ensure(sqlite_commands, "--promote").err == f"admin {EMAIL}: promoted\n"
    assert people(sqlite_commands) == [(EMAIL, "admin")]


def test_a_reset_needs_and_sets_a_new_password(sqlite_commands: Commands, session: Session) -> None:
    person = add_person(session, role=UserRole.ADMIN, password_hash=None)
    refused(2, ensure(sqlite_commands, "--reset-password"), "is missing")
    outcome = ensure(sqlite_commands, "--reset-password", APP_ADMIN_PASSWORD=GOOD)
    assert (outcome.code, outcome.err) == (0, f"admin {EMAIL}: password reset\n")
    session.expire_all()
    assert authenticate(session, EMAIL, PASSWORD) is person


@pytest.mark.parametrize("arguments", [[], ["--promote"], ["--reset-password"]])
def test_a_deactivated_account_is_a_conflict(
    sqlite_commands: Commands, session: Session, arguments: list[str]
) -> None:
    add_person(session, role=UserRole.ADMIN, is_active=False)
    before = sqlite_commands.database.content(volatile=True)
    outcome = ensure(sqlite_commands, *arguments, APP_ADMIN_PASSWORD=GOOD)
    refused(3, outcome, "is deactivated")
    assert sqlite_commands.database.content(volatile=True) == before


@pytest.mark.parametrize(
    ("is_there", "arguments", "outcome"),
    [
        (False, [], "created"),
        (True, ["--promote"], "promoted"),
        (True, ["--promote", "--reset-password"], "promoted, password reset"),
    ],
)
def test_a_dry_run_writes_nothing(
    sqlite_commands: Commands, session: Session, is_there: bool, arguments: list[str], outcome: str
) -> None:
    if is_there:
        add_person(session)
    before = sqlite_commands.database.content(volatile=True)
    done = ensure(sqlite_commands, "--dry-run", *arguments, APP_ADMIN_PASSWORD=GOOD)
    assert done.err == f"admin {EMAIL}: {outcome} (dry run: nothing was written)\n"
    assert (done.code, done.out) == (0, "")
    assert sqlite_commands.database.content(volatile=True) == before


def test_a_dry_run_is_refused_as_the_run_would_be(sqlite_commands: Commands) -> None:
    outcome = ensure(sqlite_commands, "--dry-run", APP_ADMIN_PASSWORD="passwordpassword")
    refused(4, outcome, "too easy to guess")


def test_json_goes_to_standard_output_and_the_sentence_does_not(commands: Commands) -> None:
    outcomes = [ensure(commands, "--format", "json", APP_ADMIN_PASSWORD=GOOD) for _ in range(2)]
    results = [json.loads(outcome.out) for outcome in outcomes]
    account = str(commands.database.scalar("SELECT id FROM users")).replace("-", "")
    assert [outcome.err for outcome in outcomes] == [f"admin {EMAIL}: {o['outcome']}\n" for o in results]
    assert [(o["email"], o["outcome"], o["dry_run"]) for o in results] == [
        (EMAIL, "created", False),
        (EMAIL, "unchanged", False),
    ]
    assert {o["id"].replace("-", "") for o in results} == {account}
    assert all(o.keys() == {"email", "id", "outcome", "dry_run"} for o in results)


def test_the_trail_names_the_operator_whatever_the_environment_says(
    sqlite_commands: Commands, session: Session
) -> None:
    add_person(session)
    mallory = dict.fromkeys(("USER", "LOGNAME", "USERNAME", "HOSTNAME"), "mallory")
    assert ensure(sqlite_commands, "--promote", **mallory).code == 0
    told = sqlite_commands.database.rows("SELECT action, actor FROM audit_events")
    assert [tuple(row) for row in told] == [("admin.promoted", operator())]
