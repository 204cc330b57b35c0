"""Fills the temporary tables of a move: staged rows, those that are staged whole, and places of claims."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any
from uuid import UUID as RowId  # noqa: N811 -- not the staging's type

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext

from seedrail.dialects import SeedDialect, dialect_named
from seedrail.history.changes import Change
from seedrail.history.history import SEED_BASE
from seedrail.history.lines import Lone
from seedrail.merge.database.fresh import links_into_empty_tables, passes
from seedrail.merge.database.loads import BulkLoader, ScriptLoader
from seedrail.merge.database.session import online
from seedrail.merge.database.standins import StandIns
from seedrail.merge.decide.cells import COMES, cells, decisions, held, known_cells, passing, places
from seedrail.merge.earlier import Earlier
from seedrail.merge.ledger import CUT, EXISTS, seed_claims
from seedrail.merge.plan import Plan
from seedrail.merge.stage import (
    BOOLEAN,
    DELETE,
    INSERT,
    INTEGER,
    TEXT,
    UPDATE,
    UUID,
    Loader,
    StagedTable,
    load_changes,
)
from seedrail.merge.whole import Whole
from seedrail.progress import Progress
from seedrail.run_options import Policy

if TYPE_CHECKING:
    from seedrail.merge.move import Move
    from seedrail.merge.report.outcome import Outcome


@dataclass
class Look:
    """How a run looks that writes nothing in the end: `outcome` is what it found.

    One that `goes_on` writes all the same, to be taken back, so that the next move of its way can look.
    `ahead` says that schema revisions come first: then columns may be missing yet, and the tables `to_come`.
    """

    goes_on: bool = False
    ahead: bool = False
    to_come: frozenset[str] = frozenset()
    rows: bool = True
    outcome: "Outcome | None" = None


class Filling:
    """What a run of a move loads; `connection` is None where a script is written."""

    def __init__(self, move: "Move", context: MigrationContext, progress: Progress) -> None:
        self.move, self.context, self.progress = move, context, progress
        self.dialect: SeedDialect = dialect_named(context.dialect.name)
        self.connection = online(context)
        self.tally: Counter[tuple[str, str]] = Counter()
        self.created: list[sa.Table] = []
        self.look: Look | None = None
        self.stand_ins: StandIns = {}
        self.placed: set[tuple[str, str]] = set()
        self.earlier = Earlier()
        self.anew: set[str] = set()

    def load(self, tables: Sequence[StagedTable]) -> None:
        """Stage what the move does to rows, or load it where nothing can be in the way."""
        by_name = {table.name: table for table in tables}
        self._load_changes(by_name)
        for table in tables:
            self.tally["inserted", table.name] += table.loaded
        self.run_all(self.dialect.prepare([table.stage for table in tables if any(table.counts.values())]))

    def _net_rows(self, seen: Callable[[int], None] | None = None) -> Iterator[Lone | Change]:
        """What the move does to rows; `seen` is told how many bytes of the change files were read."""
        changes = self.move.rail.net_rows(self.move.source, self.move.target, seen)
        if self.anew:
            changes = chain((one for one in changes if one.table not in self.anew), self._rows_anew())
        return self.earlier.settle(changes)

    def _rows_anew(self) -> Iterator[Change]:
        """All rows of tables that the run's own schema revisions have made anew."""
        rail, target = self.move.rail, self.move.target
        rows = {(name, id_) for at in rail.fold(target) for name in self.anew for id_ in at.get(name, ())}
        for (table, id_), values, given in rail.lives(target, rows):
            yield Change(table, id_, None, values, given[EXISTS], given, first_revision=given[EXISTS])

    def _kept_apart(self, changes: Iterable[Lone | Change], kept: list[Change]) -> Iterator[Lone | Change]:
        """Changes, but for those that only say what rows keep."""
        for one in changes:
            if self.earlier.values and isinstance(one, Change) and (one.kind, one.effect) == (UPDATE, None):
                kept.append(one)
            else:
                yield one

    def known_tables(self) -> frozenset[str] | None:
        """The tables that the ledger has claims of; None for a script, which has to expect them of all."""
        if self.connection is None:
            return None
        return frozenset(self.connection.scalars(sa.select(seed_claims.c.table_name).distinct()))

    def _loader(self) -> AbstractContextManager[Loader]:
        if self.connection is None:
            return nullcontext(ScriptLoader(self.context, self.dialect, self.create))
        return BulkLoader(self.connection, self.dialect, self.create, self.progress.advance)

    def _load_changes(self, tables: Mapping[str, StagedTable]) -> None:
        move = self.move
        frozen = [table.frozen for table in tables.values()]
        links = None
        # A stand-in for a link needs to be looked up row by row.
        empty = move.upgrade and move.source == SEED_BASE and not self.stand_ins and self.look is None
        if self.connection is not None and empty:
            links = links_into_empty_tables(self.connection, self.dialect, frozen)
        for name, table in tables.items():
            table.links = None if links is None else links[name]
        # A table's foreign keys are checked when its load ends.
        turns = [set(tables)]
        if links is not None:
            turns = list(passes(frozen, move.rail.ranks(move.source, move.target)))
        size = move.rail.size(move.source, move.target)
        self.progress.begin("staging" if links is None else "loading", size * len(turns))
        claimed = self._claimed(tables) if links is None else Whole()
        kept: list[Change] = []
        with self._loader() as loader:
            for names in turns:
                changes = self._kept_apart(claimed.without(self._net_rows(self.progress.work)), kept)
                load_changes(changes, {name: tables[name] for name in names}, self.positions, loader)
            if kept:
                load_changes(kept, tables, self.positions, loader, whole=True)
            if claimed:
                load_changes(self._whole(claimed), tables, self.positions, loader, whole=True)
            if links is not None:
                self._claim_cut_links(tables.values(), loader)

    @cached_property
    def positions(self) -> dict[str, int]:
        """Where each revision claims what it meets.

        A squashed one whose old change files are gone has many positions. On a way up it claims at the first:
        no way down stops within it for that. In a database that went the old way, and has claims in between,
        a way down claims at the last: earlier chapters stay earlier.
        """
        found = dict(self.move.rail.positions)
        if not self.move.upgrade:
            for one in self.move.rail.revisions:
                if len(one.every) > 1 and self._has_claims_within(found[one.revision] + 1, len(one.every)):
                    found[one.revision] += len(one.every) - 1
        return found

    def _has_claims_within(self, first: int, count: int) -> bool:
        """Whether there are claims at some positions; a script has to expect them."""
        if self.connection is None:
            return True
        at = seed_claims.c.position.between(first, first + count - 2)
        return (
            self.connection.execute(sa.select(seed_claims.c.ordinal).where(at).limit(1)).first() is not None
        )

    def _claimed(self, tables: Mapping[str, StagedTable]) -> Whole:
        """The rows that are staged whole, because the ledger has claims on them; all updates, in a script."""
        move = self.move
        if self.connection is None:
            changes = self._net_rows()
            updated = (one for one in changes if isinstance(one, Change) and one.effect == "update")
            return Whole(frozenset(one.seed_row for one in updated))
        c = seed_claims.c
        rows = sa.select(c.table_name, c.seed_id, sa.func.max(c.position)).where(c.table_name.in_(tables))
        rows = rows.group_by(c.table_name, c.seed_id)
        found = {(name, str(id_)): top for name, id_, top in self.connection.execute(rows)}
        above = self.move.rail.position(move.target)
        dropped = frozenset(row for row, top in found.items() if not move.upgrade and top > above)
        return Whole(frozenset(found), dropped)

    def _whole(self, claimed: Whole) -> Iterator[Change]:
        """Rows as they are at both ends of the move, with the revisions that change them."""
        rail, move = self.move.rail, self.move
        rows = claimed.met.keys() | claimed.dropped
        before, after = (
            {row: self.earlier.row(*row, values) for row, values, _ in rail.lives(end, rows)}
            for end in (move.source, move.target)
        )
        # Grouped by table, as staging takes them.
        for table, id_ in sorted(rows):
            change = claimed.met.get((table, id_))
            old, new = before.get((table, id_)), after.get((table, id_))
            if change is not None and change.effect != "update":
                yield change
            elif change is not None and old is not None and new is not None:
                yield replace(change, old=old, new=new)
            elif old is not None and new is not None:
                yield Change(table, id_, old, new, move.rail.head)

    def _claim_cut_links(self, tables: Iterable[StagedTable], loader: Loader) -> None:
        """Links that were left empty by a load which staged nothing."""
        names = ("table_name", "seed_id", "column_name", "position", "stands")
        columns = [
            (name, UUID if name == "seed_id" else INTEGER if name == "position" else TEXT) for name in names
        ]
        for table in tables:
            rows: list[Sequence[Any]] = [
                (table.name, id_, column, self.positions[revision], CUT)
                for id_, column, revision in table.unlinked
            ]
            for _, column, _ in table.unlinked:
                self.tally["unlinked", table.frozen.foreign_keys[column].table] += 1
            if rows:
                loader.load(seed_claims, columns, rows)

    def create(self, table: sa.Table) -> None:
        """Create a temporary table when it is needed; a live one is there."""
        if table not in self.created and table.dialect_kwargs["postgresql_on_commit"]:
            self.context.execute(self.dialect.create(table))
            self.created.append(table)

    def index(self, table: sa.Table, columns: Sequence[str]) -> None:
        """Make rows of a temporary table fast to find."""
        self.run_all(self.dialect.index(table, columns))

    def run_all(self, statements: Iterable[sa.Executable]) -> None:
        """Execute statements whose row counts nobody needs."""
        for statement in statements:
            self.context.execute(statement)

    def load_decisions(self) -> bool:
        """What was decided of this move's conflicts; whether there is anything."""
        made = self.move.answers.of(self.move.source, self.move.target)
        if self.connection is None or not made:
            return False
        columns = [
            ("table_name", TEXT),
            ("seed_id", UUID),
            ("column_name", TEXT),
            ("kind", TEXT),
            ("by", TEXT),
            ("overwrite", BOOLEAN),
        ]
        rows: list[Sequence[Any]] = [(*one.entry.conflict, one.overwrite) for one in made]
        with self._loader() as loader:
            loader.load(decisions, columns, rows)
        self.index(decisions, ["table_name", "seed_id", "column_name"])
        return True

    def stage_missing(self, plan: Plan) -> None:
        """Stage whole the rows that an update finds gone: the policy may bring them back."""
        overwrites = plan.decisions or plan.policy is Policy.OVERWRITE
        if self.connection is None or not plan.upgrade or not overwrites:
            return
        missing: dict[tuple[str, str], None] = {}
        for table in plan.tables:
            if table.counts[UPDATE]:
                stage = table.stage
                there = sa.exists().where(table.live_id == stage.c.live_id)
                gone = sa.select(stage.c.seed_id).where(stage.c.action == UPDATE, ~there)
                if plan.knows(table.name):
                    # Those are staged whole, and may be there under another id.
                    claims = sa.select(seed_claims.c.seed_id).where(seed_claims.c.table_name == table.name)
                    gone = gone.where(stage.c.seed_id.not_in(claims))
                missing |= dict.fromkeys((table.name, str(id_)) for id_ in self.connection.scalars(gone))
        if not missing:
            return
        claimed = Whole(frozenset(missing))
        for _ in claimed.without(self._net_rows()):
            pass
        for table in plan.tables:
            ids = [RowId(id_) for name, id_ in missing if name == table.name]
            for start in range(0, len(ids), 500):
                some = table.stage.c.seed_id.in_(ids[start : start + 500])
                self.connection.execute(sa.delete(table.stage).where(some))
            table.counts[UPDATE] -= len(ids)
        by_name = {table.name: table for table in plan.tables}
        with self._loader() as loader:
            load_changes(self._whole(claimed), by_name, self.positions, loader, whole=True)

    def load_passing(self) -> bool:
        """At a stop on a way down: those rows that enter, and are in no state where the way ends."""
        move = self.move
        if move.final in ("", move.target):
            return False
        changes = move.rail.net_changes(move.source, move.target)
        rows = {one.seed_row for one in changes if one.effect == INSERT}
        rows -= {row for row, _, _ in move.rail.lives(move.final, rows)}
        if rows:
            columns = [("table_name", TEXT), ("seed_id", UUID)]
            with self._loader() as loader:
                loader.load(passing, columns, list[Sequence[Any]](sorted(rows)))
            self.index(passing, ["table_name", "seed_id"])
        return bool(rows)

    def load_held(self) -> bool:
        """On a way down: where at or below the target the seed had the rows that leave; whether it had any.

        Of rows alone that were met there, if the ledger can be asked.
        """
        move = self.move
        if move.upgrade or move.target == SEED_BASE:
            return False
        changes = move.rail.net_changes(move.source, move.target)
        if self.connection is not None:
            c = seed_claims.c
            of_rows = c.column_name == EXISTS, c.live_id.is_not(None)
            met = sa.select(c.table_name, c.seed_id).where(
                *of_rows, c.position <= move.rail.position(move.target)
            )
            rows = {(name, str(id_)) for name, id_ in self.connection.execute(met)}
            rows &= {one.seed_row for one in changes if one.effect == DELETE} if rows else rows
        else:
            rows = {one.seed_row for one in changes if one.effect == DELETE}
        found = sorted(move.rail.held(move.target, rows))
        if found:
            columns = [("table_name", TEXT), ("seed_id", UUID), ("position", INTEGER)]
            with self._loader() as loader:
                loader.load(held, columns, list[Sequence[Any]](found))
            self.index(held, ["table_name", "seed_id"])
        return bool(found)

    def place_marked(self, plan: Plan) -> None:
        """On a way down: the places of links that were cut, or may get a stand-in; of all, in a script."""
        if plan.upgrade:
            return
        if self.connection is not None:
            cut = sa.select(known_cells.c.table_name, known_cells.c.seed_id).where(known_cells.c.lower == CUT)
            rows = self.connection.execute(cut).all() if known_cells in self.created else ()
            self._load_places({(name, str(id_)) for name, id_ in rows})
        if plan.marked == frozenset():
            return
        tables = {name for name, _ in plan.marked} if plan.marked else {table.name for table in plan.tables}
        changes = self.move.rail.net_changes(self.move.source, self.move.target)
        self._load_places(
            {one.seed_row for one in changes if one.effect in (INSERT, UPDATE) and one.table in tables}
        )

    def place_coming(self, plan: Plan) -> None:
        """Where rows that come on a way down, and have claims, were born."""
        if plan.upgrade or self.connection is None:
            return
        c = cells.c
        found = sa.select(c.table_name, c.seed_id).where(c.column_name == EXISTS, c.fate == COMES, c.known)
        self._load_places({(name, str(id_)) for name, id_ in self.connection.execute(found)})

    def place_claims(self, plan: Plan) -> None:
        """Where claims of a way down belong, at or below the target."""
        if plan.upgrade or self.connection is None:
            return
        found = sa.select(cells.c.table_name, cells.c.seed_id).where(cells.c.stands.is_not(None)).distinct()
        self._load_places({(name, str(id_)) for name, id_ in self.connection.execute(found)})

    def _load_places(self, rows: set[tuple[str, str]]) -> None:
        if places not in self.created:
            self.create(places)
            self.index(places, ["table_name", "seed_id"])
        new = rows - self.placed
        self.placed |= new
        entries: list[Sequence[Any]] = [
            (table, id_, column, self.positions[revision])
            for (table, id_), _, revisions in self.move.rail.lives(self.move.target, new)
            for column, revision in revisions.items()
        ]
        columns = [("table_name", TEXT), ("seed_id", UUID), ("column_name", TEXT), ("position", INTEGER)]
        if entries:
            with self._loader() as loader:
                loader.load(places, columns, entries)
