"""Files with secrets that are read: only where nobody else can read them."""

import os
import stat
from pathlib import Path

from pydantic import SecretStr

from app.core.errors import ConfigurationError

MOST_BYTES = 65_536
"""Of a file or a pipe with a secret: more is never read."""


def read_secret(path: Path) -> SecretStr:
    """The line in a file; ConfigurationError where it cannot be read, or more than its owner may read it."""
    try:
        with path.open("rb") as file:
            # Of the open file: the path may lead elsewhere by now.
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = b"" if mode & 0o077 else file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    if mode & 0o077:
        raise ConfigurationError(
            f"{path} is open to group or others (mode {mode:04o}): chmod 600 {path},"
            " and change the secret if anybody else uses this machine"
        )
    return secret_line(content)


def secret_line(content: bytes) -> SecretStr:
    """What was read, without the line's end; ConfigurationError for what is not one line of UTF-8."""
    if len(content) > MOST_BYTES:
        raise ConfigurationError(f"the secret is longer than {MOST_BYTES:,} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ConfigurationError("the secret is not UTF-8: save it in that encoding") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if "\n" in text or "\r" in text:
        raise ConfigurationError("the secret has more than one line")
    return SecretStr(text)
