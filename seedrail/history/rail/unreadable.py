"""Why a history cannot be read: each revision file is looked at alone, and the one in the way is named."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError

from seedrail.errors import HistoryError, SeedError
from seedrail.history.history import branched, downs, file_name, folders, on_rail, revision_files
from seedrail.quoting import one_line, shown


def what_is_wrong(scripts: ScriptDirectory, failure: BaseException | None) -> SeedError | None:
    """The first fault of a script directory's files; `failure` is what Alembic made of it, if it failed."""
    found: list[Script] = []
    for file in revision_files(scripts):
        try:
            script = Script._from_path(scripts, file)
        except (Exception, SystemExit) as error:  # a revision file is a program: it may fail in any way
            return _unreadable(file.name, _reason(error))
        if script is not None and (reason := _ill_named(script)):
            return _unreadable(file.name, reason)
        if script is not None:
            found.append(script)
    fault = _repeated(found) or _missing(found)
    if fault is None and failure is not None:
        # Two files with one branch label, or revisions that follow each other in a circle.
        return HistoryError(
            f"the revisions in {folders(scripts)} make no history: {one_line(failure)}; nothing was written\n"
            "  correct their down_revision, depends_on or branch_labels"
        )
    return fault


def without_function(error: AttributeError) -> Exception:
    """The error, in words where it is that Alembic found no upgrade() or downgrade() in a revision."""
    if error.name in ("upgrade", "downgrade") and isinstance(error.obj, ModuleType):
        return _unreadable(Path(error.obj.__file__ or "").name, f"it has no {error.name}()")
    return error


def _unreadable(name: str, reason: str) -> HistoryError:
    return HistoryError(
        f"{shown(name)}: the revision cannot be read: {reason}; nothing was written\n"
        "  restore it as it was committed, or correct it"
    )


_RESERVED = ("", "base", "head", "heads")
"""What Alembic's commands mean something else by."""


def _ill_named(script: Script) -> str | None:
    """What is wrong with the names in a file, each of which Alembic takes as it is."""
    if not isinstance(script.revision, str) or script.revision in _RESERVED:
        return f"revision = {script.revision!r} is no name for one"
    for name in ("down_revision", "depends_on"):
        value = getattr(script.module, name, None)
        several = isinstance(value, (tuple, list, set)) and all(isinstance(one, str) for one in value)
        if not (several or value is None or isinstance(value, str)):
            return f"{name} = {value!r} is no name of a revision, and no tuple of such"
    return None


def _repeated(scripts: Sequence[Script]) -> SeedError | None:
    """Of files with one id, Alembic takes the last."""
    twins: dict[str, list[Script]] = {}
    for script in scripts:
        twins.setdefault(script.revision, []).append(script)
    for revision, same in sorted(twins.items()):
        names = sorted({file_name(script) for script in same})
        squash = next((one for one in same if hasattr(one.module, "seed_replaces")), None)
        if len(names) > 1 and squash is not None:
            return HistoryError(
                f"{' and '.join(names)} are both revision {revision!r}: a squash was interrupted, or taken"
                " back in part; nothing was written\n"
                "  restore the revision files that are gone as they were committed, and delete"
                f" {file_name(squash)} with its change file; then squash again"
            )
        if len(names) > 1 and any(map(on_rail, same)):
            return branched(revision, names)
        if len(names) > 1:
            return HistoryError(
                f"{' and '.join(names)} are both revision {revision!r}; nothing was written\n"
                "  delete the one that is a copy, or give it an id of its own and a place after the other"
            )
    return None


def _missing(scripts: Sequence[Script]) -> HistoryError | None:
    known = {name for one in scripts for name in (one.revision, *one.branch_labels)}
    for script in scripts:
        dependencies = script.dependencies or ()
        named = (*downs(script), *([dependencies] if isinstance(dependencies, str) else dependencies))
        for parent in named:
            if parent not in known:
                return HistoryError(
                    f"{file_name(script)}: revision {script.revision!r} follows {parent!r}, which no file"
                    f" in {shown(Path(script.path).parent)} has; nothing was written\n"
                    f"  restore the file of {parent!r} as it was committed; where it never was, name the"
                    f" revision that {script.revision!r} is to follow in its down_revision"
                )
    return None


def _reason(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {one_line(error.msg)}"
    if isinstance(error, CommandError):
        return "it sets no revision"
    reason = one_line(error)
    return f"{type(error).__name__}: {reason}" if reason else type(error).__name__
