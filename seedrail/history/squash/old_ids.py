"""A squashed history as it was: databases at one of its old revisions go by these until they are past.

Its revision files are gone, and its change files may be there still. What the former said stands in the
header of the squashed revision, so that Alembic can be given the revisions once more.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from alembic import op
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionMap

from seedrail.errors import ChangeFileError, StateError
from seedrail.history.changefile import ChangeFile
from seedrail.history.lines import RESTORE
from seedrail.history.squash.replaced import Replaced, every
from seedrail.quoting import shown


@dataclass(frozen=True)
class Squash:
    """A squashed revision: its script, its change file, and the revisions that it stands for."""

    script: Script
    file: ChangeFile
    replaces: tuple[Replaced, ...]

    @property
    def revision(self) -> str:
        """Its id, which was that of the last revision that it stands for."""
        return self.script.revision

    @cached_property
    def every(self) -> tuple[str, ...]:
        """The ids of all revisions that it stands for, one a position; the last is its own."""
        return every(self.revision, self.replaces)

    @property
    def old_ids(self) -> frozenset[str]:
        """The ids that no file has any more."""
        return frozenset(self.every) - {self.revision}

    @cached_property
    def is_whole(self) -> bool:
        """Whether the change files of old are there still, so that databases can go by them."""
        return not self.missing

    @property
    def missing(self) -> list[str]:
        """The names of those that are not there."""
        folder = self.file.path.parent
        return [one.changes for one in self.replaces if not (folder / one.changes).exists()]

    @cached_property
    def scripts(self) -> list[Script]:
        """The revisions that it stands for, as Alembic knew them."""
        return [Script(_module(one), one.revision, self.script.path) for one in self.replaces]

    def gone(self, revision: str) -> StateError:
        """What is said of a database, or a command, that needs a revision whose change file is gone."""
        lost = self.missing
        if not lost:
            # It was squashed before, into one of those that this one stands for.
            return StateError(
                f"{shown(revision)} was squashed into {shown(self.revision)}, and its change file is gone;"
                " nothing was written\n"
                f"  run this with a version of the project that still has {shown(revision)}, then go on with"
                " this one"
            )
        return StateError(
            f"{shown(revision)} was squashed into {shown(self.revision)}, and {len(lost)} of the change"
            f" files that lead there are gone, {shown(lost[0])} first; nothing was written\n"
            f"  restore them as they were committed (git log --diff-filter=D -- '*/{shown(lost[0])}' tells"
            " which commit deleted them), or run this with a version of the project from before"
        )


def squash_in(scripts: ScriptDirectory, revisions: Iterable[Script]) -> Squash | None:
    """The squashed revision of a history, if it has one; ChangeFileError where its file is not as pinned."""
    for script in revisions:
        count = getattr(script.module, "seed_replaces", None)
        if count is not None:
            name, digest = script.module.seed_changes, script.module.seed_sha256
            file = ChangeFile(folder_of(scripts) / name, script.revision, digest)
            # Positions hang on its header, whatever a run reads else.
            file.verify()
            squash = Squash(script, file, file.header().replaces)
            if len(squash.every) != count:
                raise ChangeFileError(
                    name,
                    f"stands for {len(squash.every)} revisions, where {script.revision} says {count!r}",
                    RESTORE,
                )
            return squash
    return None


def follow_old_ids(scripts: ScriptDirectory, squash: Squash) -> None:
    """Let Alembic know the old revisions in place of the squashed one."""

    def revisions() -> Iterator[Script]:
        for script in scripts._load_revisions():
            if script.revision != squash.revision:
                yield script
        yield from Squash(squash.script, squash.file, squash.replaces).scripts

    scripts.revision_map = RevisionMap(revisions)


def folder_of(scripts: ScriptDirectory) -> Path:
    """Where a history has its change files."""
    return Path(scripts.dir) / "seeds"


def _module(one: Replaced) -> ModuleType:
    """A revision file's module: what a project's template writes beside this is nobody's but its reader's."""
    module = ModuleType(one.revision, one.message)
    said: dict[str, Any] = {
        "revision": one.revision,
        "down_revision": one.down_revision,
        "depends_on": one.depends_on or None,
        "branch_labels": one.branch_labels or None,
        "seed_changes": one.changes,
        "seed_sha256": one.sha256,
        "upgrade": _upgrade(one.revision),
        "downgrade": _downgrade(one.revision),
    }
    if one.replaces:
        said["seed_replaces"] = len(one.every)
    vars(module).update(said)
    return module


def _upgrade(revision: str) -> Callable[[], None]:
    def upgrade() -> None:
        op.upgrade_seeds(revision)  # type: ignore[attr-defined]  # registered by the engine

    return upgrade


def _downgrade(revision: str) -> Callable[[], None]:
    def downgrade() -> None:
        op.downgrade_seeds(revision)  # type: ignore[attr-defined]  # registered by the engine

    return downgrade
