"""The file `.env`: read as it is written, or refused; a secret in it is never silently another one.

The usual reading cuts a value at ` #`, puts variables in the place of `${…}`, decodes escapes, and passes
over lines that it cannot read.
"""

import io
import os
import re
import stat
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import get_args

from dotenv.parser import Binding, parse_stream
from pydantic import SecretStr
from pydantic_settings import BaseSettings, DotEnvSettingsSource

from app.core.errors import ConfigurationError
from app.core.streams import say

_BOM = b"\xef\xbb\xbf"
_UNSEEN = re.compile("[\x00-\x1f\x7f]")
_SECRET_NAME = re.compile("PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|PRIVATE|API_?KEY", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"://[^/?#@]*:[^@]+@|[?&](?:ssl)?password=", re.IGNORECASE)

_IN_QUOTES = "put the value into single quotes, and comments on lines of their own"


class EnvFile(DotEnvSettingsSource):
    """The settings of an `.env`, without guesses; ConfigurationError names the line, and never a value.

    Lines of others, such as Compose reads them, need only be lines.
    """

    def _read_env_file(self, file_path: Path) -> Mapping[str, str | None]:
        text, mode = _content(file_path)
        secret = _is_secret(self.settings_cls)
        found: dict[str, str | None] = {}
        for binding, line in _bindings(text, file_path.name):
            name = (binding.key or "").lower()
            place = f"bad settings: {file_path.name}, line {line}: "
            if name in secret:
                if name in found:
                    raise ConfigurationError(f"{place}{name.upper()} is there twice: leave one of them out")
                found[name] = _value(binding, f"{place}{name.upper()}", secret=secret[name])
            elif swallowed := _names_in(binding, secret):
                raise ConfigurationError(
                    f"{place}a quote that is opened here ends behind {swallowed}: close it"
                )
        if mode & 0o077 and _holds_a_secret(text):
            warn_of_readers(file_path, mode)
        return found


def _content(path: Path) -> tuple[str, int]:
    """The text, and the mode of a file that lies on a disk; UnicodeDecodeError or OSError."""
    with path.open("rb") as file:
        # Of the open file: the path may lead elsewhere by now.
        mode = os.fstat(file.fileno()).st_mode
        content = file.read()
    if content.startswith(_BOM):
        raise ConfigurationError(
            f"bad settings: the file {path.name} begins with a byte order mark: save it as UTF-8 without one"
        )
    return content.decode("utf-8"), stat.S_IMODE(mode) if stat.S_ISREG(mode) else 0


def _bindings(text: str, file: str) -> Iterator[tuple[Binding, int]]:
    """Each assignment with the number of its line."""
    for binding in parse_stream(io.StringIO(text, newline="")):
        written = binding.original.string
        blank = written[: len(written) - len(written.lstrip())]
        line = binding.original.line + len(re.findall(r"\r\n|\n|\r", blank))
        if binding.error:
            raise ConfigurationError(
                f"bad settings: {file}, line {line}: this is not NAME=value, or a quote is not closed, or"
                " something follows one"
            )
        if binding.key is not None:
            yield binding, line


def _value(binding: Binding, subject: str, *, secret: bool) -> str:
    """The value as it is written; ConfigurationError where another reader would find another one."""
    value = binding.value
    if value is None:
        raise ConfigurationError(f"{subject} has no value: write NAME=value")
    written = binding.original.string.partition("=")[2].strip()
    if "\n" in written or "\r" in written:
        raise ConfigurationError(f"{subject} goes over more than one line: close its quote")
    if "${" in value and not written.startswith("'"):
        raise ConfigurationError(f"{subject} has a ${{…}}, which is never expanded: {_IN_QUOTES}")
    if secret and written not in (value, f"'{value}'", f'"{value}"'):
        raise ConfigurationError(
            f"{subject} can be read in more than one way, for a #, a quote or a backslash in it: {_IN_QUOTES}"
            " (into double quotes where it has a single one)"
        )
    if _UNSEEN.search(value):
        raise ConfigurationError(f"{subject} holds a character that cannot be seen: take it out")
    return value


def _names_in(binding: Binding, names: Mapping[str, bool]) -> str | None:
    """A setting that became part of somebody else's value."""
    lines = re.split(r"[\r\n]+", binding.original.string.strip())[1:]
    assigned = (re.match(r"\s*(?:export\s+)?(\w+)\s*=", line) for line in lines)
    return next((match[1].upper() for match in assigned if match and match[1].lower() in names), None)


def _is_secret(settings: type[BaseSettings]) -> dict[str, bool]:
    """The variables of the settings, in small letters, and whether each is a secret."""
    prefix = settings.model_config.get("env_prefix", "")
    return {
        str(field.validation_alias or prefix + name).lower(): SecretStr
        in (field.annotation, *get_args(field.annotation))
        for name, field in settings.model_fields.items()
    }


def _holds_a_secret(text: str) -> bool:
    for binding in parse_stream(io.StringIO(text, newline="")):
        if binding.key and binding.value and _SECRET_NAME.search(binding.key):
            return True
        if binding.key and _PASSWORD_IN_URL.search(binding.value or ""):
            return True
    return False


@cache
def warn_of_readers(path: Path, mode: int) -> None:
    """Say once in a process that others may read the secrets of a file."""
    say(
        f"WARNING: {path} holds a secret and is open to group or others (mode {mode:04o}): chmod 600 it, and"
        " change the secret if anybody else uses this machine"
    )
