"""Drift: where people changed what the seed left. It is counted and told, and nothing is written.

The seed state of each set is staged as for a rollback, and what a rollback would call edited is counted. All
of it happens in a savepoint that is taken back, so that its temporary tables are gone again.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import DropTable

from seedrail.dialects import dialect_named
from seedrail.errors import SeedError
from seedrail.history.absent import as_it_is_now, gone_tables
from seedrail.history.changes import Change
from seedrail.history.history import SEED_BASE
from seedrail.history.lines import Lone
from seedrail.history.rail import Rail
from seedrail.history.rownames import RowNames
from seedrail.merge.database.live import Live, read_live
from seedrail.merge.database.loads import BulkLoader
from seedrail.merge.decide import cases
from seedrail.merge.decide.cells import (
    GIVEN_BACK,
    GOES,
    IS_GONE,
    cells,
    know,
    known_cells,
    places,
    touch,
    unpivot,
)
from seedrail.merge.decide.find import find
from seedrail.merge.earlier import Earlier, earlier_values
from seedrail.merge.ledger import EXISTS, OWNER, seed_claims, seed_state
from seedrail.merge.plan import Plan, Statement, parents_of
from seedrail.merge.report.as_left import AsLeft, has_others, side_by_side
from seedrail.merge.report.differing import (
    ADOPTED,
    DELETED,
    EDITED,
    EXTRA,
    KEPT,
    Cell,
    Difference,
    DifferentRow,
)
from seedrail.merge.stage import DELETE, StagedTable, load_changes, staged_table
from seedrail.merge.write.bring_over import bring_over
from seedrail.progress import Progress
from seedrail.quoting import said, shown
from seedrail.run_options import Policy
from seedrail.schema.tables import FrozenTable, in_foreign_key_order

log = logging.getLogger(__name__)

T = TypeVar("T")

NAMED = 3
"""How many rows of a table and kind are named."""


def differences(connection: Connection, rail: Rail, *, quiet: bool = True) -> list[Difference]:
    """What differs from the seed in the sets that are applied; sets that are left out are not looked at.

    SeedError where the history does not fit the database. No lock is taken: rows may change meanwhile.
    """
    return compared(connection, rail, Comparison.differences, quiet=quiet)


def different_rows(connection: Connection, rail: Rail, *, quiet: bool = True) -> list[DifferentRow]:
    """Each row that differs, with its columns, and people's rows that belong to seeded ones."""
    return compared(connection, rail, Comparison.different_rows, quiet=quiet)


def tables_as_left(connection: Connection, rail: Rail, *, quiet: bool = True) -> list[AsLeft]:
    """How many rows of each table are to the letter what the seed left there.

    Where all of them are, nothing differs. A row that is not may have been settled, or be as the seed left it
    in the words of the column's type: `different_rows` says so.
    """
    return compared(connection, rail, Comparison.tables, quiet=quiet)


def compared(
    connection: Connection,
    rail: Rail,
    read: "Callable[[Comparison, Progress], Iterable[T]]",
    *,
    quiet: bool,
) -> list[T]:
    """What is read of the comparisons of all sets that are applied, by the revision that they are at."""
    found: list[T] = []
    savepoint = connection.begin_nested()
    try:
        for statement in dialect_named(connection.dialect.name).home([seed_state.name]):
            connection.execute(statement)
        # As everything here, it is taken back.
        bring_over(connection)
        for revision, sets in _applied(connection).items():
            rail.verify(rail.between(SEED_BASE, revision))
            comparison = Comparison(connection, rail, revision, sets)
            with Progress(shown=not quiet) as progress:
                found += read(comparison, progress)
    finally:
        savepoint.rollback()
    return found


def report(find: Callable[[], Iterable[Difference]], level: int) -> None:
    """Log what differs, or why that cannot be told: such a report must not fail the run that it is about."""
    try:
        lines = describe(find())
    except SeedError as error:
        lines = [f"the rows were not compared with the seed: {error}"]
    except DBAPIError as error:
        lines = [f"the rows were not compared with the seed: {said(error.orig)}"]
    for line in lines:
        log.log(level, "%s", line)


def describe(found: Iterable[Difference]) -> list[str]:
    """A line for each kind, and what comes of it; none where nothing differs."""
    by_kind: dict[str, list[Difference]] = {}
    for one in found:
        by_kind.setdefault(one.kind, []).append(one)
    lines = [_sentence(*_WORDS[kind], by_kind[kind]) for kind in _WORDS if kind in by_kind]
    if {EDITED, DELETED} & by_kind.keys():
        lines.append(_ADVICE)
    return lines


_WORDS = {
    EDITED: ("seeded row", "was edited", "were edited"),
    DELETED: ("seeded row", "was deleted", "were deleted"),
    KEPT: ("seeded row", "differs and was kept under a policy", "differ and were kept under a policy"),
    ADOPTED: ("adopted row", "differs from the seed", "differ from the seed"),
}

_ADVICE = (
    "nothing of that was touched; a revision that changes such a row, or a rollback that would delete an"
    " edited one, is refused and lists it, unless seed_conflict=keep or overwrite settles it"
)


def _sentence(noun: str, one: str, many: str, found: Sequence[Difference]) -> str:
    total = sum(part.count for part in found)
    where = ", ".join(f"{part.count:,} in {shown(part.table)}{_named(part)}" for part in found)
    return f"{total:,} {noun}{'s' * (total > 1)} {many if total > 1 else one}: {where}"


def _named(part: Difference) -> str:
    more = ["…"] if part.count > len(part.rows) else []
    return f" {', '.join([*part.rows, *more])}" if part.rows else ""


def _applied(connection: Connection) -> dict[str, set[str]]:
    """The sets that hold rows, by the revision that they are at; none where there is no ledger yet."""
    found: dict[str, set[str]] = {}
    if not sa.inspect(connection).has_table(seed_state.name):
        return found
    applied = sa.select(seed_state).where(
        seed_state.c.status == "applied", seed_state.c.revision != SEED_BASE
    )
    for row in connection.execute(applied.order_by(seed_state.c.seed_set)):
        found.setdefault(row.revision, set()).add(row.seed_set)
    return found


class Comparison:
    """The rows of some sets at a revision, staged and compared."""

    def __init__(self, connection: Connection, rail: Rail, revision: str, sets: Collection[str]) -> None:
        self.connection, self.rail, self.revision = connection, rail, revision
        self.dialect = dialect_named(connection.dialect.name)
        tables = rail.tables_at(revision)
        self.names = RowNames(rail, (revision,), tables.values())
        self.earlier = Earlier()
        found = self.dialect.find(connection, sorted(tables))
        missing = [name for name in tables if name not in found]
        # What was dropped since has no rows that could differ.
        gone = gone_tables(rail, (revision, revision), missing, rail.schema_heads)
        there = [table for name, table in tables.items() if table.set in sets and name not in gone]
        heads = MigrationContext.configure(connection).get_current_heads
        self.frozen = in_foreign_key_order(as_it_is_now(rail, (revision, revision), there, heads))

    def differences(self, progress: Progress) -> list[Difference]:
        """How many rows of each table differ, by kind; the first are named."""
        return [] if self._is_as_left(progress) else self._run_program(progress, Comparison._counts)

    def different_rows(self, progress: Progress) -> list[DifferentRow]:
        """All rows that differ, then those that people added to seeded ones."""
        return self.read(progress, Comparison.rows_of)

    def read(self, progress: Progress, read: "Callable[[Comparison, Plan], Iterable[T]]") -> list[T]:
        """What is read of the staged rows and their cells, where something differs; else nothing."""
        if self._is_as_left(progress, others=True):
            return []
        return self._run_program(progress, read)

    def tables(self, progress: Progress) -> list[AsLeft]:
        """How many rows of each table are as the seed left them."""
        found = self._side_by_side(progress)
        if found is None or not all(table.told for table in found):
            found = self._run_program(progress, Comparison._as_left)
        return found

    def _is_as_left(self, progress: Progress, *, others: bool = False) -> bool:
        """Whether nothing differs at all, as far as the rows tell that are read side by side.

        Of what was met, the ledger knows more than the rows do. With `others` somebody's rows that may belong
        to seeded ones count too: where there are some, they are to be listed.
        """
        linked = {table.name for table in self.frozen if others and {*table.key} & {*table.foreign_keys}}
        if self._known() or any(has_others(self.connection, table) for table in self._named(linked)):
            return False
        found = self._side_by_side(progress)
        return found is not None and all(
            table.told and not table.differ and not (table.others and table.table in linked)
            for table in found
        )

    def _named(self, names: Collection[str]) -> list[FrozenTable]:
        return [table for table in self.frozen if table.name in names]

    def _side_by_side(self, progress: Progress) -> list[AsLeft] | None:
        live, staged = self._begin(progress)
        return side_by_side(self.connection, staged, live.columns, self._rows(progress), progress.advance)

    def _begin(self, progress: Progress) -> tuple[Live, list[StagedTable]]:
        progress.begin("comparing", self.rail.size(SEED_BASE, self.revision))
        live = read_live(self.connection, self.dialect, self.frozen)
        span = (self.revision, SEED_BASE)
        frozen, self.earlier = earlier_values(self.rail, span, self.frozen, live.required)
        return live, [
            staged_table(table, live.columns.get(table.name), live.unseeded_of(table), upgrade=False)
            for table in frozen
        ]

    def _run_program(self, progress: Progress, read: "Callable[[Comparison, Plan], Iterable[T]]") -> list[T]:
        _, staged = self._begin(progress)
        self._load(staged, progress)
        plan = self._plan([table for table in staged if table.counts[DELETE]])
        self._compare(plan)
        with self.dialect.readable(self.connection):
            found = list(read(self, plan))
        for temporary in (places, cells, known_cells):
            # The sets of another revision have rows of their own.
            self.connection.execute(DropTable(temporary))
        return found

    def _counts(self, plan: Plan) -> Iterator[Difference]:
        for table in plan.tables:
            if table.touched:
                yield from self._differences(table)

    def _as_left(self, plan: Plan) -> Iterator[AsLeft]:
        differ: Counter[str] = Counter()
        for one in self._counts(plan):
            differ[one.table] += one.count
        for table in plan.tables:
            rows = table.counts[DELETE]
            yield AsLeft(table.name, rows, rows - differ[table.name])

    def rows_of(self, plan: Plan) -> Iterator[DifferentRow]:
        """The rows that differ, and people's beside them."""
        for table in plan.tables:
            if table.touched:
                yield from self._different(plan, table)
            yield from self._extra(plan, table)

    def _different(self, plan: Plan, table: StagedTable) -> Iterator[DifferentRow]:
        rows, c = kinds_of(table.name).subquery("differing"), cells.c
        text = plan.dialect.text
        values = c.seed_id, c.column_name, text(c.expected), text(c.found)
        differs = c.table_name == table.name, c.column_name != EXISTS, ~c.as_expected
        by_row: dict[str, list[Cell]] = {}
        for id_, column, expected, found in self.connection.execute(
            sa.select(*values).where(*differs).order_by(c.column_name)
        ):
            by_row.setdefault(str(id_), []).append(Cell(column, expected, found))
        kinds = {
            str(id_): kind for id_, kind in self.connection.execute(sa.select(rows.c.seed_id, rows.c.kind))
        }
        self.names.learn((table.name, id_) for id_ in kinds)
        for id_ in sorted(kinds, key=lambda id_: (self.names(table.name, id_), id_)):
            words = self.names.words(table.name, id_)
            yield DifferentRow(kinds[id_], table.name, id_, words, tuple(by_row.get(id_, ())))

    def _extra(self, plan: Plan, table: StagedTable) -> Iterator[DifferentRow]:
        """Rows of a table whose key leads to seeded rows, and that the seed has not got."""
        live, ours = table.live, sa.select(table.stage.c.live_id).where(table.stage.c.live_id.is_not(None))
        for name in table.frozen.key:
            link = table.frozen.foreign_keys.get(name)
            parent = plan.staged(link.table) if link is not None else None
            if parent is None or name not in table.columns:
                continue
            above = sa.select(parent.stage.c.live_id).where(parent.stage.c.live_id.is_not(None))
            mine = sa.select(table.live_id, *(plan.dialect.text(live.c[one]) for one in table.frozen.key))
            mine = mine.where(live.c[name].in_(above), table.live_id.not_in(ours)).order_by(table.live_id)
            for id_, *key in self.connection.execute(mine):
                yield DifferentRow(EXTRA, table.name, str(id_), dict(zip(table.frozen.key, key, strict=True)))
            return

    def _load(self, staged: Sequence[StagedTable], progress: Progress) -> None:
        by_name = {table.name: table for table in staged}
        with BulkLoader(self.connection, self.dialect, self._create, progress.advance) as loader:
            load_changes(self._rows(progress), by_name, self._positions, loader)
        for statement in self.dialect.prepare([table.stage for table in staged if table.counts[DELETE]]):
            self.connection.execute(statement)

    def _compare(self, plan: Plan) -> None:
        """The touched cells of a move that takes all rows back, as far as it looks at them."""
        for temporary in (known_cells, cells, places):
            self._create(temporary)
        self._run(know(plan))
        for table in plan.tables:
            self._run(find(plan, table))
        for table in plan.tables:
            table.touched = self._run(touch(plan, table)) > 0
        self._run(cases.rows(plan))
        for table in plan.tables:
            if table.touched:
                self._run(unpivot(plan, table))

    def _run(self, statements: Iterable[Statement]) -> int:
        """Make some statements; the last one's row count."""
        count = 0
        for statement in statements:
            result = self.connection.execute(statement.sql, execution_options={"preserve_rowcount": True})
            count = result.rowcount if statement.counts else 0
        return count

    def _rows(self, progress: Progress) -> Iterator[Lone | Change]:
        """The seed's rows as deletes; one that was released is its owner's to change."""
        for entry in self.earlier.settle(self.rail.net_rows(self.revision, SEED_BASE, progress.work)):
            if isinstance(entry, Lone) or entry.before == "seeded":
                yield entry

    def _create(self, table: sa.Table) -> None:
        self.connection.execute(self.dialect.create(table))

    def _plan(self, tables: Sequence[StagedTable]) -> Plan:
        return Plan(
            tables=tables,
            references={},
            derived={},
            uniques={},
            parents=parents_of(tables),
            source=self.rail.position(self.revision),
            target=0,
            dialect=self.dialect,
            policy=Policy.ABORT,
            known=self._known(),
        )

    def _known(self) -> frozenset[str]:
        """The tables of which the ledger has claims."""
        return frozenset(self.connection.scalars(sa.select(seed_claims.c.table_name).distinct()))

    @property
    def _positions(self) -> dict[str, int]:
        return self.rail.positions

    def _differences(self, table: StagedTable) -> Iterator[Difference]:
        rows = kinds_of(table.name).subquery("differing")
        counts = sa.select(rows.c.kind, sa.func.count()).group_by(rows.c.kind).order_by(rows.c.kind)
        for kind, count in list(self.connection.execute(counts)):
            first = sa.select(rows.c.seed_id).where(rows.c.kind == kind).order_by(rows.c.seed_id)
            ids = [str(id_) for id_ in self.connection.scalars(first.limit(NAMED))]
            self.names.learn((table.name, id_) for id_ in ids)
            yield Difference(kind, table.name, count, tuple(self.names(table.name, id_) for id_ in ids))


def kinds_of(table: str) -> sa.Select[Any]:
    """The rows of a table that differ from the seed, as `seed_id` and `kind`."""
    row, cell = cells.alias("row"), cells.alias("cell")
    differs = cell.c.table_name == table, cell.c.seed_id == row.c.seed_id, ~cell.c.as_expected
    found: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(cell).where(*differs)
    unsettled = found.where(sa.func.coalesce(cell.c.top, "") != OWNER)
    kind: Any = sa.case(
        (row.c.fate == IS_GONE, DELETED),
        (~row.c.there, KEPT),
        (sa.and_(row.c.fate == GIVEN_BACK, found.exists()), ADOPTED),
        (sa.and_(row.c.fate == GOES, unsettled.exists()), EDITED),
        (sa.and_(row.c.fate == GOES, found.exists()), KEPT),
        else_="",
    )
    of_rows = row.c.table_name == table, row.c.column_name == EXISTS
    rows = sa.select(row.c.seed_id, kind.label("kind")).where(*of_rows).subquery("compared")
    return sa.select(rows).where(rows.c.kind != "")
