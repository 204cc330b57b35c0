"""provision_service_account without a terminal: each mode, where the token goes, and what is refused."""

import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from app.core.clock import utcnow
from app.features.users.audit import operator
from app.features.users.service import Issued, provision, verify_token
from app.features.users.tokens import is_well_formed
from app.scripts.users.issuing import issue
from app.scripts.users.output import SecretFormat
from tests.features.users.support import DAY, HOUR, add_person
from tests.scripts.users.running import TOKEN, Commands, refused
from tests.support.databases import Database
from tests.support.project import Project

SCOPE = "ingest:write"


def issued(commands: Commands, *arguments: str) -> dict[str, Any]:
    """A token for ingest-bot, as its JSON."""
    outcome = commands.bot("--format", "json", *arguments)
    assert outcome.code == 0, outcome.err
    result: dict[str, Any] = json.loads(outcome.out)
    return result


def works(database: Database, token: str) -> bool:
    with Session(database.engine) as session:
        user = verify_token(session, token, SCOPE)
        session.commit()
        return user is not None and user.service_name == "ingest-bot"


def rows(commands: Commands) -> tuple[int, int, int]:
    """How many accounts, tokens and events there are."""
    tables = ("users", "api_tokens", "audit_events")
    users, tokens, events = (commands.database.scalar(f"SELECT count(*) FROM {table}") for table in tables)
    return users, tokens, events


# -- a new token -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "pattern"), [("text", f"({TOKEN})\n"), ("env", f"APP_API_TOKEN=({TOKEN})\n")]
)
@pytest.mark.parametrize("to_file", [False, True])
def test_a_token_goes_where_it_was_asked_and_nowhere_else(
    sqlite_commands: Commands, tmp_path: Path, form: str, pattern: str, to_file: bool
) -> None:
    file = tmp_path / "token"
    outcome = sqlite_commands.bot("--format", form, *(["--output-file", str(file)] if to_file else []))
    shown, silent = (file.read_text(), outcome.out) if to_file else (outcome.out, "")
    found = re.fullmatch(pattern, shown)
    assert found, shown
    assert (outcome.code, silent, file.exists()) == (0, "", to_file)
    assert found[1] not in outcome.err
    assert works(sqlite_commands.database, found[1])


def test_a_file_gets_the_bare_token_unless_told_otherwise(sqlite_commands: Commands, tmp_path: Path) -> None:
    assert sqlite_commands.bot("--output-file", str(tmp_path / "token")).code == 0
    assert re.fullmatch(f"{TOKEN}\n", (tmp_path / "token").read_text())


def test_json_tells_what_was_issued(commands: Commands) -> None:
    result = issued(commands, "--scope", "ingest:write", "--scope", "catalog:read", "--token-name", "nightly")
    assert is_well_formed(result["token"])
    assert works(commands.database, result["token"])
    assert result == {
        "service": "ingest-bot",
        "service_id": result["service_id"],
        "new_account": True,
        "token": result["token"],
        "token_id": result["token_id"],
        "token_name": "nightly",
        "scopes": ["catalog:read", "ingest:write"],
        "expires_at": result["expires_at"],
        "replaces": None,
        "dry_run": False,
    }
    ids = commands.database.rows("SELECT user_id, id FROM api_tokens")
    assert [str(one).replace("-", "") for one in ids[0]] == [
        result[name].replace("-", "") for name in ("service_id", "token_id")
    ]


def test_json_goes_into_a_file_too(sqlite_commands: Commands, tmp_path: Path) -> None:
    outcome = sqlite_commands.bot("--format", "json", "--output-file", str(tmp_path / "token"))
    assert (outcome.code, outcome.out) == (0, "")
    assert works(sqlite_commands.database, json.loads((tmp_path / "token").read_text())["token"])


def test_into_a_pipe_a_token_goes_only_in_a_format_that_somebody_chose(sqlite_commands: Commands) -> None:
    for arguments in ([], ["--ensure"], ["--rotate"], ["--dry-run"]):
        outcome = sqlite_commands.bot(*arguments)
        refused(2, outcome, "choose --format text, json or env, or an --output-file")
    assert rows(sqlite_commands) == (0, 0, 0)


def test_an_account_is_used_again(sqlite_commands: Commands) -> None:
    first, second = issued(sqlite_commands), issued(sqlite_commands, "--token-name", "nightly")
    assert (first["service_id"], second["new_account"]) == (second["service_id"], False)
    assert rows(sqlite_commands)[:2] == (1, 2)


def test_an_active_token_of_that_name_is_a_conflict_and_leaves_no_file(
    sqlite_commands: Commands, tmp_path: Path
) -> None:
    issued(sqlite_commands)
    before = sqlite_commands.database.content(volatile=True)
    for arguments in (["--format", "text"], ["--output-file", str(tmp_path / "token")]):
        refused(3, sqlite_commands.bot(*arguments), "has an active token 'default'")
    assert sqlite_commands.database.content(volatile=True) == before
    assert not (tmp_path / "token").exists()


@pytest.mark.parametrize("days", ["1", "365"])
def test_a_token_lives_a_day_to_a_year(sqlite_commands: Commands, days: str) -> None:
    issued(sqlite_commands, "--expires-in-days", days)
    [(created, expires)] = sqlite_commands.database.rows(
        "SELECT julianday(created_at), julianday(expires_at) FROM api_tokens"
    )
    assert expires - created == pytest.approx(int(days))


@pytest.mark.parametrize("mode", [[], ["--ensure"], ["--rotate"]])
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--expires-in-days", "0"], "a token lives 1 to 365 days, not 0"),
        (["--expires-in-days", "-1"], "not -1"),
        (["--expires-in-days", "366"], "not 366"),
        (["--scope", "admin"], "no such scope: 'admin'; there are catalog:read, ingest:write"),
    ],
)
def test_what_the_policy_forbids_leaves_nothing(
    sqlite_commands: Commands, tmp_path: Path, mode: list[str], arguments: list[str], reason: str
) -> None:
    file = tmp_path / "token"
    refused(4, sqlite_commands.bot(*mode, *arguments, "--output-file", str(file)), reason)
    assert rows(sqlite_commands) == (0, 0, 0)
    assert not file.exists()


@pytest.mark.parametrize("name", ["ab", "a" * 64, "ada@example.org", "Ingest-Bot", "1bot", "ingest bot"])
def test_another_name_is_wrong_usage(sqlite_commands: Commands, session: Session, name: str) -> None:
    add_person(session)
    for arguments in ([], ["--ensure"], ["--rotate"], ["--list"]):
        outcome = sqlite_commands.provision("--service-name", name, "--format", "json", *arguments)
        refused(2, outcome, "is no service name")
    assert rows(sqlite_commands)[:2] == (1, 0)


def test_a_missing_name_is_wrong_usage(sqlite_commands: Commands) -> None:
    for arguments in ([], ["--service-name", ""]):
        outcome = sqlite_commands.provision("--format", "json", *arguments, stdin=b"ingest-bot\n")
        refused(2, outcome, "--service-name is missing, and nobody can be asked for it")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--serv", "ingest-bot"],
        ["--expires", "1"],
        ["--token", "srl_x"],
        ["--ens"],
        ["--expires-in-days", "soon"],
        ["--revoke", "default"],
        ["--lock-timeout", "0"],
        ["--format", "yaml"],
        ["ingest-bot"],
    ],
)
def test_options_are_not_abbreviated_and_have_values_of_their_kind(
    sqlite_commands: Commands, arguments: list[str]
) -> None:
    refused(2, sqlite_commands.bot("--format", "json", *arguments))
    assert rows(sqlite_commands) == (0, 0, 0)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--ensure", "--rotate"], "--ensure and --rotate exclude each other"),
        (["--list", "--revoke", str(uuid4())], "--revoke and --list exclude each other"),
        (["--rotate", "--list"], "--rotate and --list exclude each other"),
        (["--overlap-hours", "1"], "--overlap-hours does not go with a new token"),
        (["--ensure", "--overlap-hours", "1"], "--overlap-hours does not go with --ensure"),
        (["--list", "--scope", SCOPE], "--scope does not go with --list"),
        (["--list", "--dry-run"], "--dry-run does not go with --list"),
        (["--list", "--output-file", "token"], "--output-file does not go with --list"),
        (["--list", "--format", "env"], "--list has the formats text and json"),
        (["--revoke", str(uuid4()), "--format", "json"], "--format does not go with --revoke"),
        (["--revoke", str(uuid4()), "--token-name", "a"], "--token-name does not go with --revoke"),
        (["--revoke", str(uuid4()), "--expires-in-days", "1"], "--expires-in-days does not go with --revoke"),
    ],
)
def test_options_that_have_nothing_to_say_to_each_other_are_wrong_usage(
    sqlite_commands: Commands, arguments: list[str], reason: str
) -> None:
    refused(2, sqlite_commands.bot(*arguments), reason)


# -- --ensure --------------------------------------------------------------------------------------


def test_ensure_is_content_with_an_active_token_and_shows_nothing(commands: Commands) -> None:
    first = issued(commands, "--ensure")
    before = commands.database.content(volatile=True)
    for form in ("text", "env"):
        outcome = commands.bot("--ensure", "--format", form)
        assert (outcome.code, outcome.out) == (0, "")
        assert "token 'default' is there already and active until" in outcome.err
    again = issued(commands, "--ensure")
    assert again == {**first, "token": None, "new_account": False}
    assert commands.database.content(volatile=True) == before


@pytest.mark.parametrize("there_already", [False, True])
def test_ensure_leaves_no_file_for_a_token_that_it_does_not_have(
    sqlite_commands: Commands, tmp_path: Path, there_already: bool
) -> None:
    file = tmp_path / "token"
    issued(sqlite_commands)
    if there_already:
        file.write_text("precious")
    for form in ([], ["--format", "json"]):
        outcome = sqlite_commands.bot("--ensure", "--output-file", str(file), *form)
        assert (outcome.code, outcome.out) == (0, ""), outcome.err
        assert file.exists() is there_already
    assert not there_already or file.read_text() == "precious"


@pytest.mark.parametrize("form", list(SecretFormat))
def test_ensure_leaves_no_file_where_another_run_was_faster(
    sqlite_project: Project, tmp_path: Path, form: SecretFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_project.start_at("head")
    database = sqlite_project.database
    tries: list[Session] = []

    def make(session: Session) -> Issued:
        tries.append(session)
        if len(tries) == 2:
            with Session(database.engine) as other, other.begin():
                provision(other, "ingest-bot", actor="another run")
        return provision(session, "ingest-bot", actor="this run", ensure=True)

    monkeypatch.setattr("app.core.database.get_engine", lambda: database.engine)
    issue(make, ensure=True, format=form, output_file=tmp_path / "token", dry_run=False)
    assert len(tries) == 2
    assert not (tmp_path / "token").exists()


def test_ensure_with_other_scopes_is_a_conflict(sqlite_commands: Commands, tmp_path: Path) -> None:
    issued(sqlite_commands)
    outcome = sqlite_commands.bot("--ensure", "--scope", "catalog:read", "--output-file", str(tmp_path / "t"))
    refused(3, outcome, "has the scopes ingest:write, not catalog:read")
    assert not (tmp_path / "t").exists()


# -- --rotate --------------------------------------------------------------------------------------


def test_rotate_issues_a_new_token_and_both_work_for_a_while(commands: Commands) -> None:
    first = issued(commands)
    second = issued(commands, "--rotate")
    assert (second["replaces"], second["new_account"]) == (first["token_id"], False)
    assert works(commands.database, first["token"])
    assert works(commands.database, second["token"])


def test_rotate_says_what_ends_when(sqlite_commands: Commands) -> None:
    first, second = issued(sqlite_commands), issued(sqlite_commands, "--rotate")
    outcome = sqlite_commands.bot("--rotate", "--format", "json", "--overlap-hours", "0")
    assert f"it replaces {second['token'][:10]}…, which ends " in outcome.err
    assert f"{first['token'][:10]}… revoked: two tokens of a name may live, not three" in outcome.err
    assert not works(sqlite_commands.database, first["token"])
    assert not works(sqlite_commands.database, second["token"])
    assert works(sqlite_commands.database, json.loads(outcome.out)["token"])


@pytest.mark.parametrize("hours", ["-1", "721", "nan"])
def test_another_overlap_is_against_the_policy(sqlite_commands: Commands, hours: str) -> None:
    first = issued(sqlite_commands)
    outcome = sqlite_commands.bot("--rotate", "--overlap-hours", hours, "--format", "json")
    refused(4, outcome, "tokens overlap for 0 to 720 hours")
    assert works(sqlite_commands.database, first["token"])


def test_what_was_never_issued_cannot_be_rotated_revoked_or_listed(
    sqlite_commands: Commands, tmp_path: Path
) -> None:
    rotate = ["--rotate", "--output-file", str(tmp_path / "token")]
    for arguments in (rotate, ["--list"], ["--revoke", str(uuid4())]):
        refused(5, sqlite_commands.bot(*arguments), "there is no service account ingest-bot")
    issued(sqlite_commands)
    outcome = sqlite_commands.bot(*rotate, "--token-name", "nightly")
    refused(5, outcome, "has no token 'nightly' to rotate")
    assert not (tmp_path / "token").exists()


# -- --revoke, --list ------------------------------------------------------------------------------


def test_revoking_again_is_success(commands: Commands) -> None:
    token = issued(commands)
    assert works(commands.database, token["token"])
    for said in ("is revoked", "was revoked before"):
        outcome = commands.bot("--revoke", token["token_id"])
        assert (outcome.code, outcome.out) == (0, "")
        assert outcome.err == f"token {token['token'][:10]}… {said}\n"
        assert not works(commands.database, token["token"])


def test_a_token_of_nobody_or_of_another_service_is_not_found(sqlite_commands: Commands) -> None:
    token = issued(sqlite_commands)
    other = sqlite_commands.provision("--service-name", "other-bot", "--format", "json")
    for unknown in (json.loads(other.out)["token_id"], str(uuid4())):
        refused(5, sqlite_commands.bot("--revoke", unknown), f"has no token with the id {unknown}")
    assert works(sqlite_commands.database, token["token"])


@pytest.fixture
def three(sqlite_commands: Commands, session: Session) -> list[str]:
    """An expired token, one that expires soon, and one that does not: the parts of them that are secret."""
    now = utcnow()
    made = [
        provision(session, "ingest-bot", actor="a@b", token_name=name, expires_in_days=days, now=now - age)
        for name, days, age in (("old", 1, 3 * DAY), ("soon", 10, 2 * HOUR), ("fresh", 90, HOUR))
    ]
    session.commit()
    return [issued.secret.get_secret_value()[10:] for issued in made if issued.secret]


def test_the_list_marks_what_is_over_or_soon_will_be(sqlite_commands: Commands, three: list[str]) -> None:
    outcome = sqlite_commands.bot("--list")
    assert (outcome.code, outcome.err) == (0, "")
    head, *lines = (re.split(r"\s{2,}", line) for line in outcome.out.splitlines())
    assert head == ["ID", "NAME", "TOKEN", "STATUS", "SCOPES", "EXPIRES", "LAST USED"]
    assert [(line[1], line[3], line[4], line[6]) for line in lines] == [
        ("fresh", "active", SCOPE, "never"),
        ("soon", "expiring soon", SCOPE, "never"),
        ("old", "expired", SCOPE, "never"),
    ]


def test_the_list_is_json_too(sqlite_commands: Commands, three: list[str]) -> None:
    entries = json.loads(sqlite_commands.bot("--list", "--format", "json").out)
    assert [(entry["name"], entry["status"]) for entry in entries] == [
        ("fresh", "active"),
        ("soon", "expiring soon"),
        ("old", "expired"),
    ]
    assert entries[0].keys() == {
        *("id", "name", "prefix", "status", "scopes", "created_by", "replaces"),
        *("created_at", "expires_at", "revoked_at", "last_used_at"),
    }


def test_the_list_shows_uses_and_revocations_and_no_secret(
    sqlite_commands: Commands, three: list[str]
) -> None:
    token = issued(sqlite_commands)
    assert works(sqlite_commands.database, token["token"])
    assert sqlite_commands.bot("--revoke", token["token_id"]).code == 0
    text, entries = (sqlite_commands.bot("--list", "--format", form).out for form in ("text", "json"))
    assert re.search(rf"{token['token_id']}  default +\S+ +revoked  .*\d\d:\d\d$", text, re.MULTILINE)
    assert json.loads(entries)[0]["last_used_at"] < json.loads(entries)[0]["revoked_at"]
    hashes = [row[0] for row in sqlite_commands.database.rows("SELECT token_hash FROM api_tokens")]
    for hidden in (token["token"][10:], *three, *hashes):
        assert hidden not in text + entries


def test_results_are_ascii_which_every_terminal_and_pipe_can_take(
    sqlite_commands: Commands, three: list[str]
) -> None:
    assert sqlite_commands.bot("--list").out.isascii()
    assert sqlite_commands.bot("--list", "--format", "json").out.isascii()


# -- --dry-run, the trail --------------------------------------------------------------------------


@pytest.mark.parametrize("to_file", [False, True])
@pytest.mark.parametrize("mode", ["issue", "ensure", "rotate"])
def test_a_dry_run_writes_nothing_and_makes_no_secret_known(
    sqlite_commands: Commands, tmp_path: Path, mode: str, to_file: bool
) -> None:
    if mode == "rotate":
        issued(sqlite_commands)
    before = sqlite_commands.database.content(volatile=True)
    file = tmp_path / "token"
    output = ["--output-file", str(file)] if to_file else ["--format", "json"]
    flag = [] if mode == "issue" else [f"--{mode}"]
    outcome = sqlite_commands.bot("--dry-run", *flag, *output)
    assert outcome.code == 0, outcome.err
    assert "token 'default' would be issued for ingest:write" in outcome.err
    assert not re.search(TOKEN, outcome.text)
    assert to_file or (json.loads(outcome.out)["token"], json.loads(outcome.out)["dry_run"]) == (None, True)
    assert not file.exists()
    assert sqlite_commands.database.content(volatile=True) == before


def test_a_dry_run_revokes_nothing(sqlite_commands: Commands) -> None:
    token = issued(sqlite_commands)
    outcome = sqlite_commands.bot("--dry-run", "--revoke", token["token_id"])
    assert (outcome.code, outcome.err) == (0, f"token {token['token'][:10]}… would be revoked\n")
    assert works(sqlite_commands.database, token["token"])


def test_a_dry_run_is_refused_as_the_run_would_be(sqlite_commands: Commands) -> None:
    issued(sqlite_commands)
    refused(3, sqlite_commands.bot("--dry-run", "--format", "text"), "has an active token")


@pytest.mark.parametrize("mode", [[], ["--ensure"], ["--rotate"]])
def test_a_dry_run_is_refused_where_the_run_could_not_write_its_file(
    sqlite_commands: Commands, tmp_path: Path, mode: list[str]
) -> None:
    if "--rotate" in mode:
        issued(sqlite_commands)
    file = tmp_path / "token"
    file.write_text("precious")
    dry = ["--dry-run", *mode, "--output-file"]
    refused(8, sqlite_commands.bot(*dry, str(file)), "is there already")
    refused(8, sqlite_commands.bot(*dry, str(tmp_path / "no" / "token")), "No such file or directory")
    assert sqlite_commands.bot(*dry, str(file), "--replace").code == 0
    assert file.read_text() == "precious"
    assert not [*tmp_path.glob(".token*")]


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_ensure_says_that_a_file_is_not_there_which_it_cannot_make(
    sqlite_commands: Commands, tmp_path: Path, dry: list[str]
) -> None:
    issued(sqlite_commands)
    file = tmp_path / "token"
    outcome = sqlite_commands.bot("--ensure", *dry, "--output-file", str(file))
    assert (outcome.code, file.exists()) == (0, False)
    assert f"{file} is not there, and was not made" in outcome.err
    file.touch()
    assert "not there" not in sqlite_commands.bot("--ensure", *dry, "--output-file", str(file)).err


def test_the_trail_names_the_operator_whatever_the_environment_says(sqlite_commands: Commands) -> None:
    mallory = dict.fromkeys(("USER", "LOGNAME", "USERNAME", "HOSTNAME"), "mallory")
    outcome = sqlite_commands.bot("--format", "json", **mallory)
    token_id = json.loads(outcome.out)["token_id"].replace("-", "")
    told = sqlite_commands.database.rows("SELECT action, actor, token_id FROM audit_events ORDER BY action")
    assert [tuple(row) for row in told] == [
        ("service.created", operator(), None),
        ("token.issued", operator(), token_id),
    ]
    assert re.fullmatch(r"[^@]+@[^@]+", operator())
    assert sqlite_commands.database.scalar("SELECT created_by FROM api_tokens") == operator()
