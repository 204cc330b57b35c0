"""Writes a squash, all of it or nothing, and deletes what was left for databases below it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionMap

from seedrail.errors import SeedError, SetupError
from seedrail.history.changefile import pins, sha256, write
from seedrail.history.history import SEED_BASE, is_seed
from seedrail.history.rail import Rail
from seedrail.history.squash.squashing import Squashing


def write_squash(config: Config, squashing: Squashing, message: str) -> Path:
    """Write the squashed revision with its change file, and delete what goes; the revision's path.

    SeedError where files cannot be written, SetupError where the project's template leaves something out:
    then all is as it was.
    """
    scripts = ScriptDirectory.from_config(config)
    with _as_it_was(squashing):
        write(squashing.change_file, squashing.content)
        script = _generated(config, scripts, squashing, message)
        path = Path(script.path).resolve()
        for one in squashing.going:
            if one.resolve() != path:
                one.unlink()
        # Alembic has to read what was written, and to find all in its place.
        Rail(ScriptDirectory.from_config(config)).check()
    return path


def finish(rail: Rail) -> tuple[Path, ...]:
    """Delete the change files that databases below a squashed revision go by; which ones."""
    found = left_over(rail)
    for path in found:
        path.unlink()
    return found


def left_over(rail: Rail) -> tuple[Path, ...]:
    """The change files that databases below a squashed revision go by; SetupError where there are none."""
    squash = rail.history.squash
    if squash is None:
        raise SetupError("no seed revision of this history is a squashed one; nothing was deleted")
    found = tuple(rail.directory / one.changes for one in squash.replaces)
    there = tuple(one for one in found if one.exists())
    if not there:
        raise SetupError(f"the change files that {squash.revision} stands for are gone already")
    return there


def _generated(config: Config, scripts: ScriptDirectory, squashing: Squashing, message: str) -> Script:
    """The revision's file, made by the project's template, and by its hooks."""
    follows = [SEED_BASE, *squashing.schema]
    below = Rail(ScriptDirectory.from_config(config)).history.at_or_below([*follows, *squashing.depends_on])
    # To Alembic, a revision of that id is still to be made.
    scripts.revision_map = RevisionMap(lambda: (s for s in scripts._load_revisions() if s.revision in below))
    scripts.messaging_opts = {"quiet": True}
    script = scripts.generate_revision(
        squashing.revision,
        message,
        head=follows,
        splice=True,
        branch_labels=squashing.branch_labels or None,
        version_path=Path(squashing.scripts[-1].path).parent
        if not scripts.recursive_version_locations
        else None,
        depends_on=squashing.depends_on or None,
        config=config,
        imports=pins(squashing.change_file.name, sha256(squashing.content), len(squashing.every)),
        upgrades="op.upgrade_seeds(revision)",
        downgrades="op.downgrade_seeds(revision)",
    )
    if script is None or not is_seed(script):
        raise SetupError(
            "script.py.mako leaves out what a seed revision says of its change file; nothing was written\n"
            '  add `${imports if imports else ""}` below its imports, as in Alembic\'s own'
        )
    return script


@contextmanager
def _as_it_was(squashing: Squashing) -> Iterator[None]:
    """Take back what a failing squash has written and deleted by then."""
    folders = {path.parent for path in (squashing.change_file, *squashing.going)}
    before = {path: path.read_bytes() for path in squashing.going}
    present = _files(folders)
    try:
        yield
    except BaseException as error:
        for path in _files(folders) - present:
            path.unlink(missing_ok=True)
        for path, content in before.items():
            with suppress(OSError):
                path.write_bytes(content)
        if isinstance(error, OSError):
            name = Path(error.filename).name if isinstance(error.filename, str) else "a file"
            raise SeedError(
                f"cannot write or delete {name}: {error.strerror or error}; nothing was written"
            ) from None
        raise


def _files(folders: set[Path] | Sequence[Path]) -> set[Path]:
    return {path for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_file()}
