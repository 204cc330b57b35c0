"""The seed revisions that a script of the rail is: one, or those of old that a squashed one stands for."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alembic.script import Script

from seedrail.errors import RailError
from seedrail.history.changefile import ChangeFile
from seedrail.history.squash.old_ids import Squash
from seedrail.history.squash.replaced import Replaced, every, identity
from seedrail.quoting import harmless, shown


@dataclass(frozen=True)
class SeedRevision:
    """A revision of the seed rail with its pinned change file; a squashed one with what it stands for."""

    revision: str
    parent: str
    file: ChangeFile
    replaces: tuple[Replaced, ...] = ()

    @property
    def sha256(self) -> str:
        """The digest that ledgers and later change files know the state by, whatever history they are of."""
        return identity(self.file.sha256, self.replaces)

    @property
    def every(self) -> tuple[str, ...]:
        """The ids of the revisions that it stands for, itself the last, one a position."""
        return every(self.revision, self.replaces)


def seeds_of(script: Script, parent: str, folder: Path, squash: Squash | None) -> Iterator[SeedRevision]:
    """A script's seed revision above a parent; of a squashed one those of old, if their files are there."""
    if squash is None or squash.revision != script.revision:
        yield SeedRevision(script.revision, parent, _file(script, folder))
    elif not squash.is_whole:
        yield SeedRevision(script.revision, parent, squash.file, squash.replaces)
    else:
        for one in squash.replaces:
            file = ChangeFile(folder / one.changes, one.revision, one.sha256)
            yield SeedRevision(one.revision, parent, file, one.replaces)
            parent = one.revision


def _file(script: Script, folder: Path) -> ChangeFile:
    name, digest = getattr(script.module, "seed_changes", None), script.module.seed_sha256
    # A name in the folder of the change files, and no way to anywhere else.
    named = isinstance(name, str) and name == Path(name).name and name and harmless(name)
    if not isinstance(name, str) or not named or not isinstance(digest, str):
        raise RailError(
            f"seed revision {script.revision} does not pin a change file:"
            f" {shown(script.path)} must set seed_changes and seed_sha256; restore it as it was committed"
        )
    return ChangeFile(folder / name, script.revision, digest)
