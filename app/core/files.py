"""Files with secrets: read when nobody else can, written where nothing was."""

import os
import stat
from pathlib import Path
from types import TracebackType

from pydantic import SecretStr

from app.core.errors import ConfigurationError, OutputError

_MOST_BYTES = 65_536


def read_secret(path: Path) -> SecretStr:
    """The line in a file; ConfigurationError where it cannot be read, or more than its owner may read it."""
    try:
        with path.open("rb") as file:
            # Of the open file: the path may lead elsewhere by now.
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = b"" if mode & 0o077 else file.read(_MOST_BYTES + 1)
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
    if len(content) > _MOST_BYTES:
        raise ConfigurationError(f"the secret is longer than {_MOST_BYTES:,} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ConfigurationError("the secret is not UTF-8") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if "\n" in text or "\r" in text:
        raise ConfigurationError("the secret has more than one line")
    return SecretStr(text)


class SecretFile:
    """A new file for a secret, readable by its owner alone; gone again where the work fails.

    Entering creates it, never through a link and never over another file; OutputError where that fails.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._written = False

    def __enter__(self) -> "SecretFile":
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._descriptor = os.open(self.path, flags, 0o600)
            # A umask may have taken the owner's own rights away.
            os.fchmod(self._descriptor, 0o600)
        except FileExistsError:
            raise OutputError(f"{self.path} is there already; it is never overwritten") from None
        except OSError as error:
            raise OutputError(f"cannot create {self.path}: {error.strerror}") from None
        return self

    def write(self, text: str) -> None:
        """Write and flush to the disk; OutputError where that fails."""
        content = text.encode()
        try:
            while content:
                content = content[os.write(self._descriptor, content) :]
            os.fsync(self._descriptor)
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror}") from None
        self._written = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)
        if kind is not None or not self._written:
            self.path.unlink(missing_ok=True)
