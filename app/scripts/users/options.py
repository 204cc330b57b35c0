"""The options of provision_service_account, and which of them go together."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from app.core.errors import ConfigurationError
from app.features.users.policy import DEFAULT_DAYS, DEFAULT_OVERLAP_HOURS, MOST_DAYS, Scope
from app.features.users.service import DEFAULT_NAME
from app.scripts.users.output import SecretFormat

_SCOPES = ", ".join(scope.value for scope in Scope)

ServiceName = Annotated[str | None, typer.Option(help="Such as ingest-bot; asked for at a terminal.")]
Days = Annotated[
    int | None, typer.Option(help=f"The token's life, 1 to {MOST_DAYS}. (default: {DEFAULT_DAYS})")
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
Revoke = Annotated[UUID | None, typer.Option(metavar="TOKEN_ID", help="End a token now.")]
Listing = Annotated[bool, typer.Option("--list", help="Show the service's tokens, never their secrets.")]
FormatOption = Annotated[
    SecretFormat | None,
    typer.Option("--format", help="env: APP_API_TOKEN=… (default: text, at a terminal or in a file)"),
]
OutputFile = Annotated[
    Path | None, typer.Option(help="A new file for the token, readable by you alone; never overwritten.")
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
    LIST = "list"


_ISSUING = {"expires_in_days", "token_name", "scopes", "format", "output_file", "replace", "dry_run"}
_TAKES = {
    Mode.ISSUE: _ISSUING,
    Mode.ENSURE: _ISSUING,
    Mode.ROTATE: _ISSUING | {"overlap_hours"},
    Mode.REVOKE: {"dry_run"},
    Mode.LIST: {"format"},
}


def mode_of(**asked: bool) -> Mode:
    """The mode that was asked for; ConfigurationError for more than one."""
    modes = [Mode(name) for name, is_asked in asked.items() if is_asked]
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
    if mode is Mode.LIST and output["format"] is SecretFormat.ENV:
        raise ConfigurationError("--list has the formats text and json")
    return given


_SPELLED = {"scopes": "scope"}
