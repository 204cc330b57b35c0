"""What the account scripts are not told on the command line: asked for at a terminal, or read from a pipe."""

import sys
from contextlib import redirect_stdout
from pathlib import Path

import typer
from pydantic import SecretStr

from app.core.config import get_settings
from app.core.errors import ConfigurationError
from app.core.files import MOST_BYTES, read_secret, secret_line
from app.core.streams import Nowhere
from app.features.users.errors import PolicyError
from app.features.users.policy import checked_password
from app.scripts.users.output import is_terminal

_ATTEMPTS = 3
_MOST_LEAKED = 1_048_576
"""Bytes of a text that tokens are looked for in."""


def ask_text(value: str | None, question: str, option: str, *, no_input: bool = False) -> str:
    """An option's value, or the answer of somebody at the terminal; ConfigurationError without one."""
    if value:
        return value
    _need_terminal(option, no_input)
    # `err` leaves the prompt's last blank on standard output, where the result goes.
    with redirect_stdout(sys.stderr):
        return str(typer.prompt(question, err=True)).strip()


def given_password(*, stdin: bool, file: Path | None) -> SecretStr | None:
    """The password from the one place that it was given in, or None; ConfigurationError for two places."""
    if stdin and file:
        raise ConfigurationError("give --password-stdin or --password-file, not both")
    if stdin and is_terminal(sys.stdin):
        raise ConfigurationError(
            "--password-stdin reads from a pipe; at a terminal, leave it out to be asked without an echo"
        )
    if stdin:
        content = sys.stdin.buffer.read(MOST_BYTES + 1) if sys.stdin is not None else b""
        return _not_empty(secret_line(content), "--password-stdin")
    if file:
        return _not_empty(read_secret(file), str(file))
    password = get_settings().admin_password
    return password if password and password.get_secret_value() else None


def ask_password(email: str, *, no_input: bool = False) -> SecretStr:
    """A password that is typed twice and not shown; one against the policy may be tried again."""
    _need_terminal("--password-stdin, --password-file or APP_ADMIN_PASSWORD", no_input)
    for left in reversed(range(_ATTEMPTS)):
        typed = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        try:
            return checked_password(SecretStr(typed), about=[email])
        except PolicyError as error:
            if not left:
                raise
            typer.echo(f"{error}; try another one", err=True)
    raise AssertionError("the last attempt returns or raises")


def leaked_text() -> SecretStr:
    """A text with tokens in it: from a pipe, or typed at a terminal without being shown."""
    if is_terminal(sys.stdin):
        _need_terminal("the token", no_input=False)
        return SecretStr(typer.prompt("Leaked token", hide_input=True, err=True))
    content = sys.stdin.buffer.read(_MOST_LEAKED + 1) if sys.stdin is not None else b""
    if len(content) > _MOST_LEAKED:
        raise ConfigurationError(
            f"standard input has more than {_MOST_LEAKED:,} bytes: give the lines with the token alone"
        )
    return SecretStr(content.decode(errors="replace"))


def _not_empty(password: SecretStr, source: str) -> SecretStr:
    if not password.get_secret_value():
        raise ConfigurationError(f"there is no password in {source}")
    return password


def _need_terminal(option: str, no_input: bool) -> None:
    if no_input or not is_terminal(sys.stdin) or sys.stderr is None or isinstance(sys.stderr, Nowhere):
        raise ConfigurationError(f"{option} is missing, and nobody can be asked for it")
