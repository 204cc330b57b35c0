"""The files of one `alembic revision`: all of them are written, or none stays."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from alembic.autogenerate.api import RevisionContext
from alembic.script import Script

from seedrail.errors import SeedError, SetupError
from seedrail.history.history import is_seed
from seedrail.history.rail.line import Rail


def undo_on_failure(context: RevisionContext, rail: Rail, seed_revision: str) -> None:
    """Take back what a failing command has written by then: a change file without revision, or one of two.

    It fails too where the file of `seed_revision` does not pin its change file.
    Alembic writes a revision when env.py has long ended, and tells nobody; so its last step is wrapped.
    """
    write = context.generate_scripts
    before = _present(rail)

    def generate_scripts() -> Iterator[Script | None]:
        try:
            scripts = list(write())
            _refuse_unpinned(scripts, seed_revision)
            yield from scripts
        except BaseException as error:
            # An interrupt leaves half of it as a full disk does.
            ids = [one.rev_id for one in context.generated_revisions if one.rev_id]
            for path in _present(rail) - before:
                if _is_of(path, ids):
                    path.unlink(missing_ok=True)
            if isinstance(error, OSError):
                where = f" {Path(error.filename).name}" if isinstance(error.filename, str) else ""
                raise SeedError(
                    f"cannot write the revision{where}: {error.strerror or error}; nothing was written"
                ) from None
            raise

    cast(Any, context).generate_scripts = generate_scripts


def _refuse_unpinned(scripts: Iterable[Script | None], seed_revision: str) -> None:
    for script in scripts:
        if script is not None and script.revision == seed_revision and not is_seed(script):
            raise SetupError(
                "script.py.mako leaves out what a seed revision says of its change file; nothing was"
                ' written\n  add `${imports if imports else ""}` below its imports, as in Alembic\'s own'
            )


def _is_of(path: Path, ids: list[str]) -> bool:
    """Whether a new file is of one of these revisions, and not what somebody else wrote meanwhile."""
    named = any(path.name.startswith(one) for one in ids)
    content = b"" if named else path.read_bytes()
    return not content or any(one.encode() in content for one in ids)


def _present(rail: Rail) -> set[Path]:
    """Every file that a revision may consist of."""
    folders = [rail.directory, *rail.history.scripts._version_locations]
    return {path for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_file()}
