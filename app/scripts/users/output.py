"""Where the account scripts' results go: to standard output, and secrets where somebody asked for them."""

import json
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Self, TextIO

from app.core.commits import Stake
from app.core.errors import ConfigurationError
from app.core.secret_file import SecretFile
from app.core.streams import Output, say
from app.features.users import User
from app.features.users.service import Issued


class Format(StrEnum):
    """The form of a result."""

    TEXT = "text"
    JSON = "json"


class SecretFormat(StrEnum):
    """The form of a token."""

    TEXT = "text"
    JSON = "json"
    ENV = "env"


class Stdout(Output, Stake):
    """Standard output, flushed with each secret, before the transaction that makes it true is committed."""

    def __init__(self) -> None:
        self._in_vain = False

    def __enter__(self) -> Self:
        return self

    def write(self, text: str) -> None:
        """Write and flush; OutputError where that fails."""
        super().write(text)
        self.flush()
        self._in_vain = True

    def begin(self) -> None:
        """From now on it may be a token."""
        self._in_vain = False

    def lost(self) -> None:
        """It is none."""
        self._in_vain = True

    def __exit__(self, *_: object) -> None:
        if self._in_vain:
            say("what was shown is no token: it was not issued")


def show(text: str) -> None:
    """A result."""
    Stdout().write(text + "\n")


def show_account(user: User, outcome: str, *, dry_run: bool) -> None:
    """What became of a person's account, as JSON."""
    show(json.dumps({"email": user.email, "id": str(user.id), "outcome": outcome, "dry_run": dry_run}))


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody is there; a stream that was closed before the start is None."""
    return stream is not None and stream.isatty()


def require_sink(form: SecretFormat | None, file: Path | None) -> None:
    """Raise ConfigurationError where a token would flow into a pipe that nobody chose a format for.

    And for the file `-`, by which somebody means standard output, and one without a name, as of a variable
    that is not set.
    """
    if file in (Path("-"), Path()):
        raise ConfigurationError("--output-file takes a file's name: for standard output, leave it out")
    if form is None and file is None and not is_terminal(sys.stdout):
        raise ConfigurationError(
            "standard output is no terminal: choose --format text, json or env, or an --output-file"
        )


def secret_sink(file: Path | None, *, replace: bool) -> Stdout | SecretFile:
    """The place for a token: a new file, or standard output."""
    return Stdout() if file is None else SecretFile(file, replace=replace)


def rendered(issued: Issued, form: SecretFormat | None, *, dry_run: bool) -> str:
    """A token as the format shows it; empty where there is none to show."""
    secret = issued.secret.get_secret_value() if issued.secret and not dry_run else None
    if form is SecretFormat.JSON:
        entry = {
            "service": issued.user.service_name,
            "service_id": str(issued.user.id),
            "new_account": issued.new_account,
            "token": secret,
            "token_id": str(issued.token.id),
            "token_name": issued.token.name,
            "scopes": issued.token.scopes,
            "expires_at": issued.token.expires_at.isoformat(),
            "replaces": str(issued.replaced.id) if issued.replaced else None,
            "dry_run": dry_run,
        }
        return json.dumps(entry) + "\n"
    if secret is None:
        return ""
    return f"APP_API_TOKEN={secret}\n" if form is SecretFormat.ENV else f"{secret}\n"


def told(issued: Issued, *, dry_run: bool) -> Iterator[str]:
    """What happened, in sentences without a secret."""
    would, token = "would be " if dry_run else "", issued.token
    if issued.new_account:
        yield f"service account {issued.user.service_name} {would}created"
    if issued.secret is None:
        yield f"token {token.name!r} is there already and active until {token.expires_at:%Y-%m-%d %H:%M} UTC"
        return
    if issued.recovered:
        yield f"a run that was cut off had issued token {token.name!r}; its file alone was not there"
    prefix = "" if dry_run else f" ({token.display_prefix}…)"
    yield (
        f"token {token.name!r}{prefix} {would}issued for {', '.join(token.scopes)}, until"
        f" {token.expires_at:%Y-%m-%d %H:%M} UTC"
    )
    if issued.replaced:
        old = issued.replaced
        yield f"it replaces {old.display_prefix}…, which ends {old.expires_at:%Y-%m-%d %H:%M} UTC"
    for old in issued.revoked:
        yield f"{old.display_prefix}… {would}revoked: two tokens of a name may live, not three"
