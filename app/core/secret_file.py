"""A file for a secret, which gets its name when what it depends on is committed, and not before."""

import errno
import fcntl
import os
import secrets
import stat
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from app.core.commits import Stake
from app.core.errors import OutputError
from app.core.signals import signals_held
from seedrail import shown

_NAME_KEPT = 100
"""Bytes of the file's name in that of its temporary one, which must not get too long for the folder."""

_ATTEMPTS = 5
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What file systems say that have no hard links."""

_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC


class SecretMisplaced(OutputError):
    """The commit was made, but its secret could not be put in its place: it is in `kept`, or nowhere."""

    def __init__(self, path: Path, kept: Path | None, reason: str) -> None:
        self.kept = kept
        where = f"it is in {shown(kept)}: move it from there" if kept else "its file is gone: revoke it"
        super().__init__(f"what was asked for is done, but not put into {shown(path)}: {reason}\n  {where}")


class SecretFile(Stake):
    """A new file for a secret, readable by its owner alone; never through a link, nor over another file.

    Entering makes a temporary file beside it, which is put in its place where the commit is `won`, stays
    where nobody knows, and is gone in any other case. With `replace`, it takes the place of one's own file.
    Raises OutputError, before anything is committed where that can be seen then, and SecretMisplaced.
    """

    def __init__(self, path: Path, *, replace: bool = False) -> None:
        self.path, self.replace = path, replace
        self.temporary = path
        self._folder = self._descriptor = -1
        self._at_stake = self._written = False

    def __enter__(self) -> "SecretFile":
        opened = False
        try:
            with signals_held():
                self._open()
                opened = True
        except KeyboardInterrupt:
            # It waited for the file, which nobody else would take away.
            if opened:
                self._close()
            raise
        return self

    def write(self, text: str) -> None:
        """Write and flush to the disk; OutputError where that fails."""
        content = text.encode()
        try:
            while content:
                content = content[os.write(self._descriptor, content) :]
            os.fsync(self._descriptor)
            self._flush_folder()
        except OSError as error:
            raise OutputError(f"cannot write {shown(self.path)}: {error.strerror}") from None
        self._written = True

    def begin(self) -> None:
        """From now on it stays, unless the commit is `lost`."""
        self._at_stake = self._written

    def lost(self) -> None:
        """It goes, as the secret in it means nothing."""
        self._at_stake = False

    def won(self) -> None:
        """Put it in its place; OutputError where that cannot be done any more, which says where it is."""
        if not self._written:
            return
        try:
            self._place()
        except OSError as error:
            kept = os.fstat(self._descriptor).st_nlink > 0
            raise SecretMisplaced(self.path, self.temporary if kept else None, _reason(error)) from None
        self._at_stake = self._written = False
        self._flush_folder()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with signals_held():
            self._close()

    def _open(self) -> None:
        with ExitStack() as undone:
            try:
                self._folder = os.open(self.path.parent, _FOLDER)
                undone.callback(os.close, self._folder)
                self._require_room()
                self._create()
            except (OSError, ValueError) as error:
                raise OutputError(f"cannot create {shown(self.path)}: {_reason(error)}") from None
            undone.pop_all()

    def _close(self) -> None:
        if not self._at_stake:
            with suppress(OSError):
                os.unlink(self.temporary.name, dir_fd=self._folder)
        os.close(self._descriptor)
        os.close(self._folder)

    def _flush_folder(self) -> None:
        # Not every file system can, and not everybody may read a folder that takes files.
        with suppress(OSError):
            readable = os.open(".", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._folder)
            try:
                os.fsync(readable)
            finally:
                os.close(readable)

    def _require_room(self) -> None:
        try:
            there = os.lstat(self.path.name or ".", dir_fd=self._folder)
        except FileNotFoundError:
            return
        if not stat.S_ISREG(there.st_mode):
            reason = ": it is no regular file"
        elif there.st_uid != os.geteuid():
            reason = ": it belongs to somebody else"
        elif not self.replace:
            reason = ", unless --replace says so"
        else:
            return
        raise OutputError(f"{shown(self.path)} is there already; it is never overwritten{reason}")

    def _create(self) -> None:
        for _ in range(_ATTEMPTS):
            name = f"{stem(self.path)}{secrets.token_hex(8)}.tmp"
            self._descriptor = os.open(name, _NEW, 0o600, dir_fd=self._folder)
            # A umask may have taken the owner's own rights away.
            os.fchmod(self._descriptor, 0o600)
            # Held as long as this process lives: it tells a file in use from one that was left behind.
            if lock(self._descriptor) is not False and os.fstat(self._descriptor).st_nlink:
                self.temporary = self.path.with_name(name)
                return
            os.close(self._descriptor)
        raise OSError("somebody takes each new file away")

    def _place(self) -> None:
        source, target = self.temporary.name, self.path.name
        ends = {"src_dir_fd": self._folder, "dst_dir_fd": self._folder}
        if self.replace:
            os.rename(source, target, **ends)
            return
        try:
            os.link(source, target, **ends, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # An empty file of our own keeps the name meanwhile.
            os.close(os.open(target, _NEW, 0o600, dir_fd=self._folder))
            os.rename(source, target, **ends)
            return
        os.unlink(source, dir_fd=self._folder)


def stem(path: Path) -> str:
    """What the names of temporary files for a secret's file begin with."""
    return f".{os.fsdecode(os.fsencode(path.name)[:_NAME_KEPT])}."


def lock(descriptor: int) -> bool | None:
    """Whether the file is this process's now; None where the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileExistsError):
        return "there is a file of that name by now"
    return (isinstance(error, OSError) and error.strerror) or str(error)
