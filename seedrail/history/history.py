"""The revision files of a history: read all of them or say which one is in the way, and tell their kinds."""

import re
import warnings
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from alembic.script import Script, ScriptDirectory

from seedrail.errors import OptionError, RailError, StateError
from seedrail.history.squash.old_ids import Squash, squash_in
from seedrail.quoting import shown

SEED_BASE = "seed_base"
"""The revision below every seed: it creates the ledger and holds no data."""


def is_seed(script: Script) -> bool:
    """Whether a revision is on the seed rail: it pins a change file."""
    return hasattr(script.module, "seed_sha256")


def on_rail(script: Script) -> bool:
    """Whether a revision is a seed revision or SEED_BASE; every other one is the schema's."""
    return script.revision == SEED_BASE or is_seed(script)


def downs(script: Script) -> tuple[str, ...]:
    """The revisions that a file names in `down_revision`."""
    down = script.down_revision
    if down is None:
        return ()
    return (down,) if isinstance(down, str) else tuple(down)


def needs(script: Script) -> tuple[str, ...]:
    """The revisions that `depends_on` names, labels resolved to the revisions that carry them."""
    # Asking Alembic for a label gives the head of its branch, which is not what it runs first.
    return tuple(script._resolved_dependencies)


def parents(script: Script) -> tuple[str, ...]:
    """Everything that has to be there before a revision: a downgrade below one of them takes it back."""
    return tuple(dict.fromkeys((*downs(script), *needs(script))))


def file_name(script: Script) -> str:
    """The name of a revision's file, for people."""
    return shown(Path(script.path).name)


class History:
    """All revisions of a script directory, and their order."""

    def __init__(self, scripts: ScriptDirectory) -> None:
        self.scripts = scripts

    @cached_property
    def revisions(self) -> tuple[Script, ...]:
        """Every revision, parents first; HistoryError where files are missing, broken or there twice."""
        found: tuple[Script, ...] = ()
        failure: BaseException | None = None
        with warnings.catch_warnings():
            # Alembic warns of what is refused here, and then fails with a KeyError.
            warnings.filterwarnings("ignore", message=_ALEMBIC_WARNS, category=UserWarning)
            try:
                found = tuple(self.scripts.walk_revisions())
            except (Exception, SystemExit) as error:  # a revision file is a program: it may fail in any way
                failure = error
            # Revisions that were squashed have the path of the one that stands for them.
            if failure or len(revision_files(self.scripts)) != len({one.path for one in found}):
                from seedrail.history.rail.unreadable import what_is_wrong

                fault = what_is_wrong(self.scripts, failure)
                if fault:
                    raise fault
        return found[::-1]

    @cached_property
    def by_id(self) -> dict[str, Script]:
        """The revisions by their ids; those of old, too, where databases can go by them still."""
        old = self.squash.scripts if self.squash and self.squash.is_whole else ()
        return {script.revision: script for script in (*old, *self.revisions)}

    @cached_property
    def squash(self) -> Squash | None:
        """The squashed revision of this history, if it has one."""
        return squash_in(self.scripts, self.revisions)

    def refuse_unclear(self, *named: object) -> None:
        """Raise OptionError where a command's revision has no name, or a beginning that several share.

        Alembic fails an assertion over an empty name, and says of several that it found none.
        """
        for one in named:
            for name in one if isinstance(one, (tuple, list)) else [one]:
                if isinstance(name, str):
                    self._refuse_unclear(name)

    def _refuse_unclear(self, name: str) -> None:
        bare = without_steps(name)
        if not bare and not _STEPS.search(name):
            raise OptionError(
                f"{name!r} names no revision; nothing was written\n"
                "  name one, such as head; with --sql, one on each side of the colon"
            )
        known = {*self.by_id, *_SYMBOLS, *(label for one in self.revisions for label in one.branch_labels)}
        begun = sorted(one for one in self.by_id if one.startswith(bare)) if bare not in known else []
        if bare and len(begun) > 1:
            raise OptionError(
                f"{shown(name)} may be any of {', '.join(map(shown, begun))}; nothing was written\n"
                "  name one of them whole"
            )

    def at_or_below(self, revisions: Iterable[str], *, dependencies: bool = True) -> set[str]:
        """The ids of revisions and all their ancestors, by `depends_on` too unless told otherwise."""
        above = parents if dependencies else downs
        found: set[str] = set()
        waiting = list(revisions)
        while waiting:
            revision = waiting.pop()
            if revision not in found:
                found.add(revision)
                waiting += above(self.by_id[revision])
        return found

    def applied(self, heads: Iterable[str]) -> set[str]:
        """The ids of all revisions that a database at `heads` has; StateError for an unknown head."""
        heads = tuple(heads)
        self.check_known(heads)
        return self.at_or_below(heads)

    def check_known(self, heads: Iterable[str]) -> None:
        """Raise StateError where a database is at a revision that no file has."""
        heads = tuple(heads)
        for head in heads:
            self.refuse_gone(head)
        unknown = sorted(repr(head) for head in heads if head not in self.by_id)
        if unknown:
            raise StateError(
                f"the database is at {' and '.join(unknown)}, which no file in {folders(self.scripts)} has;"
                " nothing was written\n"
                "  another branch or a newer version of the project migrated it, or a revision file is lost:"
                " check out the version that has this revision, and go on from there, or restore the file"
            )

    def refuse_gone(self, revision: str) -> None:
        """Raise StateError where a revision was squashed, and its change file is gone."""
        squash = self.squash
        if squash is not None and revision in squash.old_ids and revision not in self.by_id:
            raise squash.gone(revision)

    def check_heads(self, heads: Iterable[str]) -> None:
        """Raise StateError where a database is at a revision that no file has, or at one and one below it."""
        heads = tuple(heads)
        self.check_known(heads)
        included = [head for head in heads if head in self.at_or_below(self._above(head, heads))]
        if included:
            left = sorted(set(heads) - set(included))
            raise StateError(
                f"the database is at {' and '.join(map(repr, sorted(heads)))}, but {left[0]!r} has come to"
                f" include {' and '.join(map(repr, sorted(included)))}: its file got another parent;"
                f" nothing was written\n  alembic stamp --purge {' '.join(left)}"
            )

    def _above(self, head: str, heads: Iterable[str]) -> set[str]:
        return {parent for other in heads if other != head for parent in parents(self.by_id[other])}

    def heads_of(self, revisions: Iterable[str]) -> list[str]:
        """Those that none of the others follows, in the history's order."""
        among = set(revisions)
        followed = {down for revision in among for down in downs(self.by_id[revision])}
        return [script.revision for script in self.revisions if script.revision in among - followed]


def without_steps(name: str) -> str:
    """The revision that a name such as `seed_0004-1` or `branch@head` counts from."""
    return _STEPS.sub("", name.rpartition("@")[2])


_STEPS = re.compile(r"[+-]\d+$")
"""The end of a revision's name that counts from it, such as `-1`."""
_SYMBOLS = frozenset({"head", "heads", "base", "current"})

_ALEMBIC_WARNS = r"Revision .* (present more than once|is not present)"


def revision_files(scripts: ScriptDirectory) -> list[Path]:
    """The files that Alembic reads revisions from."""
    return [
        file.resolve()
        for folder in scripts._version_locations
        if folder.exists()
        for file in Script._list_py_dir(scripts, folder)
        if file.suffix == ".py" and not file.name.startswith((".#", "__init__"))
    ]


def folders(scripts: ScriptDirectory) -> str:
    """Where the revision files are, for people."""
    return " or ".join(shown(folder) for folder in scripts._version_locations)


def branched(revision: str, files: list[str]) -> RailError:
    """What is said of two revisions in one place of the seed rail."""
    return RailError(
        f"the seed rail branches at {revision}: {' and '.join(files)}\n"
        "  two people made a seed revision at the same time; delete the one that is not published yet,"
        " with its change file, and make it again on top of the other:"
        ' alembic upgrade head, then alembic revision --autogenerate -m "…"'
    )
