"""A squash: what the one revision holds that takes the place of many, and which files go.

Its change file is the net of theirs, from `seed_base` on. It has the id of the last of them, so that
databases that are there, and revisions that follow, find what they know.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alembic.script import Script
from alembic.util import to_tuple

from seedrail.errors import OptionError, RailError, SetupError
from seedrail.history.changefile import TEXT_UP_TO, Header, encode
from seedrail.history.changes import Change, State
from seedrail.history.history import SEED_BASE, downs, file_name, is_seed, needs, on_rail
from seedrail.history.rail import Rail
from seedrail.history.squash.replaced import Replaced
from seedrail.quoting import shown
from seedrail.schema.tables import FrozenTable


@dataclass(frozen=True)
class Squashing:
    """What is written, and what goes.

    `revision` is the squashed revision, which stands for `replaces`, and holds so many `rows`, of which
    some are `released` already. It follows seed_base and the newest `schema` revisions that the others
    followed, and `depends_on` some. `change_file` gets the `content`; the files of the `scripts`, and those
    `spare`, go.
    """

    revision: str
    replaces: tuple[Replaced, ...]
    rows: int
    released: int
    schema: tuple[str, ...]
    depends_on: tuple[str, ...]
    branch_labels: tuple[str, ...]
    change_file: Path
    content: bytes
    scripts: tuple[Script, ...]
    spare: tuple[Path, ...]

    @property
    def every(self) -> tuple[str, ...]:
        """The ids of all revisions that it stands for, itself the last."""
        return tuple(name for one in self.replaces for name in one.every)

    @property
    def going(self) -> tuple[Path, ...]:
        """The files that go."""
        return (*(Path(one.path) for one in self.scripts), *self.spare)

    @property
    def kept(self) -> tuple[Path, ...]:
        """The change files of old, which databases below it still go by."""
        return tuple(self.change_file.parent / one.changes for one in self.replaces)


def squashed(rail: Rail, before: str | None = None) -> Squashing:
    """The squash of all seed revisions, or of those below one; SetupError where that is nothing.

    Whatever is wrong with the revisions or their change files is said first.
    """
    rail.check()
    last = rail.parent_of(_named(rail, before)) if before is not None else rail.head
    rail.verify(rail.between(SEED_BASE, last))
    below = rail.history.at_or_below([last])
    scripts = [one for one in rail.history.revisions if is_seed(one) and one.revision in below]
    if len(scripts) < 2:
        raise SetupError(_nothing(rail, scripts, before))
    _refuse_needed(rail, scripts)
    replaces = tuple(_replaced(rail, scripts))
    schema, depends_on = _follows(rail, scripts)
    header, changes = _net(rail, last, replaces)
    content, suffix = encode(header, changes, {}, TEXT_UP_TO)
    squash = rail.history.squash
    return Squashing(
        revision=last,
        replaces=replaces,
        rows=len(changes),
        released=sum(one.released for one in changes),
        schema=schema,
        depends_on=depends_on,
        branch_labels=tuple(dict.fromkeys(label for one in replaces for label in one.branch_labels)),
        change_file=rail.directory / f"{last}.squashed{suffix}",
        content=content,
        scripts=tuple(scripts),
        # The file of a squash that this one takes apart: nothing leads to it any more.
        spare=(squash.file.path,) if squash is not None and squash.is_whole else (),
    )


def _named(rail: Rail, before: str) -> str:
    """The seed revision that stays, and all above it."""
    if before == "head":
        return rail.head
    rail.history.refuse_unclear(before)
    rail.history.refuse_gone(before)
    script = rail.history.by_id.get(before) or rail.history.scripts.get_revision(before)
    if script is None or not is_seed(script):
        raise OptionError(
            f"{shown(before)} is not a revision with seeds\n"
            "  name the oldest seed revision that is to stay, such as the one that the oldest database is at"
        )
    return script.revision


def _nothing(rail: Rail, scripts: Sequence[Script], before: str | None) -> str:
    where = f" below {shown(before)}" if before is not None else ""
    names = ", ".join(one.revision for one in scripts)
    found = f"{names} is the only seed revision{where}" if names else f"there is no seed revision{where}"
    squash = rail.history.squash
    again = " (it was squashed already)" if squash is not None and squash.script in scripts else ""
    return f"nothing to squash: {found}{again}; nothing was written"


def _refuse_needed(rail: Rail, scripts: Sequence[Script]) -> None:
    """What names a revision that goes would not find it; what follows the last one will."""
    going = {one.revision for one in scripts[:-1]}
    for script in rail.history.revisions:
        named = [one for one in (*downs(script), *needs(script)) if one in going]
        if named and script not in scripts:
            raise RailError(
                f"{file_name(script)} names {shown(named[0])}, which would be squashed; nothing was written\n"
                f"  squash --before {named[0]}, or let it depend on {shown(scripts[-1].revision)}"
            )


def _replaced(rail: Rail, scripts: Sequence[Script]) -> Iterator[Replaced]:
    squash = rail.history.squash
    for script in scripts:
        earlier = squash is not None and script is squash.script
        if squash is not None and earlier and squash.is_whole:
            yield from squash.replaces
            continue
        module = script.module
        yield Replaced(
            script.revision,
            module.seed_changes,
            module.seed_sha256,
            downs(script),
            tuple(to_tuple(getattr(module, "depends_on", None), default=())),
            tuple(to_tuple(getattr(module, "branch_labels", None), default=())),
            script.doc or "",
            squash.replaces if squash is not None and earlier else (),
        )


def _follows(rail: Rail, scripts: Sequence[Script]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The newest schema revisions that scripts follow, and those that they depend on beside."""
    history = rail.history

    def beside(named: Sequence[str]) -> set[str]:
        return {one for one in named if not on_rail(history.by_id[one])}

    base = history.at_or_below([SEED_BASE], dependencies=False)
    followed = beside([down for one in scripts for down in downs(one)])
    among = (history.at_or_below(followed, dependencies=False) & rail.schema) - base
    needed = beside([one for script in scripts for one in needs(script)])
    beyond = (history.at_or_below(needed) & rail.schema) - among - base
    return tuple(history.heads_of(among)), tuple(history.heads_of(beyond))


def _net(rail: Rail, last: str, replaces: tuple[Replaced, ...]) -> tuple[Header, list[Change]]:
    """All rows of the state at the last revision as inserts, those that were released marked so."""
    seeded, released = rail.fold(last)
    tables = rail.tables_at(last)
    known = rail.tables_on_way(SEED_BASE, last)
    left = {name: known[name] for name, rows in released.items() if rows and name not in tables}
    changes = [*_inserts(seeded, tables), *(one.release() for one in _inserts(released, {**left, **tables}))]
    return Header(last, SEED_BASE, "", tables, left=left, replaces=replaces), changes


def _inserts(state: State, tables: Mapping[str, FrozenTable]) -> Iterator[Change]:
    for name, rows in state.items():
        for id_, row in rows.items():
            columns = tables[name].columns
            yield Change(name, id_, None, {column: row[column] for column in row if column in columns})
