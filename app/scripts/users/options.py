"""The options of provision_service_account, and which of them go together."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from app.core.errors import ConfigurationError
from app.features.users.policy import DEFAULT_DAYS, DEFAULT_OVERLAP_HOURS, Scope
from app.features.users.service import DEFAULT_NAME
from app.scripts.users.output import SecretFormat

_SCOPES = ", ".join(scope.value for scope in Scope)

ServiceName = Annotated[str | None, typer.Option(help="Such as ingest-bot; asked for at a terminal.")]
Days = Annotated[
    int | None,
    typer.Option(help=f"The token's life, up to APP_TOKEN_MAX_DAYS. (default: {DEFAULT_DAYS}, or that)"),
]
TokenName = Annotated[
    str | None, typer.Option(help=f"One of several of a service. (default: {DEFAULT_NAME})")
]
Scopes = Annotated[
    list[str] | None,
    typer.Option(metavar="SCOPE", help=f"May be repeated: {_SCOPES}. (default: {Scope.INGEST_WRITE})"),
]
Ensure = Annotated[bool, typer.Option("--ensure", help="Be content with an active token, and show nothing.")]
Rotate = Annotated[
    bool, typer.Option("--rotate", help="Issue a new token; the old one lives on for a while.")
]
Overlap = Annotated[
    float | None, typer.Option(help=f"How long the old one lives. (default: {DEFAULT_OVERLAP_HOURS})")
]
Revoke = Annotated[
    str | None,
    typer.Option(
        metavar="TOKEN_ID|-", help="End a token now; - reads a leaked one from a pipe, or asks for it."
    ),
]
RevokeAll = Annotated[bool, typer.Option("--revoke-all", help="End every token of the service now.")]
Activate = Annotated[bool, typer.Option("--activate", help="Let the account work again, and its tokens.")]
Deactivate = Annotated[
    bool, typer.Option("--deactivate", help="Let nothing of the account work until it is activated.")
]
Listing = Annotated[
    bool,
    typer.Option("--list", help="Show tokens, never their secrets; without a service, all accounts too."),
]
CheckExpiry = Annotated[
    int | None,
    typer.Option(
        metavar="DAYS", help="Show tokens that end within so many days: exit code 10 where there are any."
    ),
]
FormatOption = Annotated[
    SecretFormat | None,
    typer.Option("--format", help="env: APP_API_TOKEN=… (default: text, at a terminal or in a file)"),
]
OutputFile = Annotated[
    Path | None,
    # Whether it may be read does not matter: one that is there is refused for that.
    typer.Option(
        readable=False,
        help="A new file for the token, readable by you alone; one that is there stays, but for --replace.",
    ),
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Let the output file take the place of yours of that name.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and do nothing.")]
LockTimeout = Annotated[float, typer.Option(min=0.001, help="Seconds to wait for another run.")]


class Mode(StrEnum):
    """What the script is asked to do; each but the first is an option of that name."""

    ISSUE = "issue"
    ENSURE = "ensure"
    ROTATE = "rotate"
    REVOKE = "revoke"
    REVOKE_ALL = "revoke-all"
    ACTIVATE = "activate"
    DEACTIVATE = "deactivate"
    LIST = "list"
    CHECK_EXPIRY = "check-expiry"


_ISSUING = {"expires_in_days", "token_name", "scopes", "format", "output_file", "replace", "dry_run"}
_TAKES = {
    Mode.ISSUE: _ISSUING,
    Mode.ENSURE: _ISSUING,
    Mode.ROTATE: _ISSUING | {"overlap_hours"},
    Mode.REVOKE: {"dry_run"},
    Mode.REVOKE_ALL: {"dry_run"},
    Mode.ACTIVATE: {"dry_run"},
    Mode.DEACTIVATE: {"dry_run"},
    Mode.LIST: {"format"},
    Mode.CHECK_EXPIRY: {"format"},
}
OF_ANY_SERVICE = {Mode.REVOKE, Mode.LIST, Mode.CHECK_EXPIRY}
"""The modes that need no service's name."""


def mode_of(**asked: bool) -> Mode:
    """The mode that was asked for; ConfigurationError for more than one."""
    modes = [Mode(name.replace("_", "-")) for name, is_asked in asked.items() if is_asked]
    if len(modes) > 1:
        names = " and ".join(f"--{mode}" for mode in modes)
        raise ConfigurationError(f"{names} exclude each other")
    return modes[0] if modes else Mode.ISSUE


def check_options(mode: Mode, output: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    """The arguments that were given; ConfigurationError for options that the mode has no use for."""
    given = {name: value for name, value in arguments.items() if value is not None}
    idle = sorted({*given, *(name for name, value in output.items() if value)} - _TAKES[mode])
    if idle:
        said = f"--{mode}" if mode is not Mode.ISSUE else "a new token"
        raise ConfigurationError(
            f"--{_SPELLED.get(idle[0], idle[0].replace('_', '-'))} does not go with {said}"
        )
    if output.get("replace") and not output["output_file"]:
        raise ConfigurationError("--replace is for an --output-file")
    if mode in (Mode.LIST, Mode.CHECK_EXPIRY) and output["format"] is SecretFormat.ENV:
        raise ConfigurationError(f"--{mode} has the formats text and json")
    return given


_SPELLED = {"scopes": "scope"}


def check_switches(*, activate: bool, deactivate: bool, force: bool, **others: object) -> None:
    """Raise ConfigurationError for options of create_admin_account that do not go together."""
    if activate and deactivate:
        raise ConfigurationError("--activate and --deactivate exclude each other")
    if force and not deactivate:
        raise ConfigurationError("--force goes with --deactivate alone")
    given = sorted(name for name, value in others.items() if value)
    if deactivate and given:
        raise ConfigurationError(f"--{given[0].replace('_', '-')} does not go with --deactivate")
    source = {"password_stdin", "password_file"} & {*given}
    if activate and source and "reset_password" not in given:
        raise ConfigurationError(
            f"--{min(source).replace('_', '-')} goes with --activate where --reset-password does"
        )
