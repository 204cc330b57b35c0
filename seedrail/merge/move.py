"""Runs a move: online against a connection, or offline as a script for the native client."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.schema import DropTable

from seedrail.dialects import SeedDialect, dialect_named
from seedrail.errors import HiddenRows, SeedError
from seedrail.failures import UNUSABLE, failure_of
from seedrail.history.absent import refuse_columns_to_come
from seedrail.history.changes import Change
from seedrail.history.history import SEED_BASE
from seedrail.history.lines import Lone
from seedrail.history.rail import Rail
from seedrail.history.rownames import RowNames
from seedrail.merge import program
from seedrail.merge.conflicts import Conflict, ConflictError, read_conflicts
from seedrail.merge.fresh import links_into_empty_tables, passes
from seedrail.merge.guards import count_elsewhere, guard_table, stop_if_any
from seedrail.merge.inherited import refuse_inherited
from seedrail.merge.ledger import TABLE_NAMES, kept_rows, seed_ledger
from seedrail.merge.live import Live, frozen_schema, lock_and_read
from seedrail.merge.loads import BulkLoader, ScriptLoader, rows_missed
from seedrail.merge.program import Plan, Statement
from seedrail.merge.session import online, pin, refuse_row_security, settle_names
from seedrail.merge.stage import Loader, StagedTable, load_changes, staged_table
from seedrail.merge.standins import StandIns, find_stand_ins
from seedrail.merge.unknown import Models, guard_columns, guard_later_columns
from seedrail.merge.watch import is_watched, refuse_interference, refuse_missed
from seedrail.progress import Progress
from seedrail.quoting import one_line, said
from seedrail.run_options import Policy, RunOptions
from seedrail.schema.tables import FrozenTable, Reference, in_foreign_key_order

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Move:
    """From the seed state at `source` to that at `target`, for the seed sets named.

    A script's move needs today's `models` as well: they know columns that came after the seeds.
    """

    rail: Rail
    source: str
    target: str
    sets: frozenset[str]
    options: RunOptions = field(default_factory=RunOptions)
    models: Models = field(default_factory=dict)

    @property
    def upgrade(self) -> bool:
        """Whether the target is above the source."""
        return self.rail.position(self.source) < self.rail.position(self.target)

    @property
    def tables(self) -> list[FrozenTable]:
        """The sets' tables, parents first, as the upper end of the move froze them.

        A table that only the lower end knows is one that seeds gave up since.
        """
        lower, upper = sorted((self.source, self.target), key=self.rail.position)
        frozen = {**self.rail.tables_at(lower), **self.rail.tables_at(upper)}
        return in_foreign_key_order(table for table in frozen.values() if table.set in self.sets)

    def run(self, context: MigrationContext) -> Counter[tuple[str, str]]:
        """Make the move through Alembic's context; returns row counts by (tally, table).

        Raises ConflictError and writes nothing where live rows differ from what the seed expects.
        """
        lower, upper = sorted((self.source, self.target), key=self.rail.position)
        self.rail.verify(self.rail.between(lower, upper))
        with Progress(shown=not (self.options.quiet or context.as_sql)) as progress:
            return _Runner(self, context, progress).run()


class _Runner:
    """One run of a move; `connection` is None where a script is written."""

    def __init__(self, move: Move, context: MigrationContext, progress: Progress) -> None:
        self.move, self.context, self.progress = move, context, progress
        self.dialect: SeedDialect = dialect_named(context.dialect.name)
        self.connection = online(context)
        self.tally: Counter[tuple[str, str]] = Counter()
        self.created: list[sa.Table] = []
        self.stand_ins: StandIns = {}

    def run(self) -> Counter[tuple[str, str]]:
        move = self.move
        pin(self.context)
        settle_names(self.context)
        frozen = move.tables
        live = self._open(frozen)
        span = (move.source, move.target)
        refuse_columns_to_come(move.rail, span, frozen, live.names, self.context.get_current_heads)
        if move.upgrade:
            self.stand_ins = find_stand_ins(self.context, frozen, move.options.stand_ins())
        staged = [staged_table(table, live.columns.get(table.name)) for table in frozen]
        with _refusals():
            self._load(staged)
        self._log_staged(staged)
        plan = self._plan(staged, live)
        self._guard_references(plan)
        if self.connection is None:
            self._guard_stand_ins(plan)
            guard_columns(self.context, self.dialect, staged, move.models)
        self._execute(program.resolve(plan))
        self._execute(program.check(plan))
        self._guard(plan)
        refuse_inherited(self.context, plan)
        self._apply(plan)
        cleared = move.target == SEED_BASE
        sha256 = move.rail.sha256_of(move.target)
        self._execute(program.record(move.sets, move.target, sha256, cleared=cleared))
        self._execute(program.recorded(move.sets, move.target, sha256, cleared=cleared))
        for table in reversed(self.created):
            self.context.execute(DropTable(table))
        return self.tally

    # stages

    def _open(self, frozen: Sequence[FrozenTable]) -> Live:
        """Lock first, look afterwards: whatever decides is read under the locks that the writes need."""
        if self.connection is None:
            self._open_script(frozen)
            return frozen_schema(self.dialect, frozen)
        live = lock_and_read(self.connection, self.dialect, frozen)
        self._refuse_row_security(live)
        self._create(program.conflicts)
        refuse_interference(self.context)
        return live

    def _open_script(self, frozen: Sequence[FrozenTable]) -> None:
        move = self.move
        lines = (
            *self.dialect.preamble,
            f"This moves {', '.join(sorted(move.sets))} from {move.source} to {move.target}.",
        )
        # A name with a line break in it would end the comment.
        self.context.impl.static_output("\n".join(f"-- {one_line(line)}" for line in lines))
        names = sorted(table.name for table in frozen)
        pointing = [ref for table in frozen for ref in table.referenced_by if ref.table not in names]
        self._run_all((*self.dialect.lock_tables(names), *self.dialect.lock_pointing(pointing, names)))
        self._create(program.conflicts)
        self._create(guard_table)
        refuse_interference(self.context)
        lost = "tables that are not there, or hidden by something else of their name"
        stop_if_any(self.context, lost, self.dialect.count_lost([*names, *sorted(TABLE_NAMES)]))
        sha256 = move.rail.sha256_of(move.source)
        elsewhere = count_elsewhere(move.source, sha256, sorted(move.sets))
        stop_if_any(self.context, f"seed sets that are not at {move.source}", elsewhere)
        if not move.upgrade:
            kept = kept_rows(move.rail.position(move.target)).subquery()
            what = "rows that a revision above wanted to delete and a policy kept: go down one at a time"
            stop_if_any(self.context, what, sa.select(sa.func.count()).select_from(kept))

    def _run_all(self, statements: Iterable[sa.Executable]) -> None:
        for statement in statements:
            self.context.execute(statement)

    def _refuse_row_security(self, live: Live) -> None:
        """All tables that hide rows, by name: the server, which is told to refuse, would name the first."""
        tables = self.move.tables
        known = (ref for refs in live.references.values() for ref in refs if ref.readable)
        asked = {(ref.schema, ref.table) for ref in known}
        asked |= {(None, key.table) for table in tables for key in table.foreign_keys.values()}
        asked |= {(None, table.name) for table in tables}
        refuse_row_security(self.context, asked)

    def _load(self, staged: Iterable[StagedTable]) -> None:
        move = self.move
        tables = {table.name: table for table in staged}
        positions = {one.revision: position for position, one in enumerate(move.rail.revisions, start=1)}
        self._load_changes(tables, positions)
        if self._may_revive():
            self._load_revivals(tables, positions)
        for table in staged:
            self.tally["inserted", table.name] += table.loaded
            for name, count in table.unlinked.items():
                self.tally["unlinked", name] += count
        filled = [t.by_kind(kind) for t in staged for kind, n in t.counts.items() if n]
        referenced = {key.table for t in staged for key in t.frozen.foreign_keys.values()}
        parents = [t.inserts for t in staged if t.name in referenced and t.counts["insert"]]
        for statement in self.dialect.prepare(filled, parents):
            self.context.execute(statement)

    def _loader(self) -> AbstractContextManager[Loader]:
        if self.connection is None:
            return nullcontext(ScriptLoader(self.context, self.dialect, self._create))
        return BulkLoader(self.connection, self.dialect, self._create, self.progress.advance)

    def _load_changes(self, tables: Mapping[str, StagedTable], positions: Mapping[str, int]) -> None:
        move = self.move
        frozen = [table.frozen for table in tables.values()]
        links = None
        # Each stand-in has its entry in the ledger, which is made of staged rows.
        empty = move.upgrade and move.source == SEED_BASE and not self.stand_ins
        if self.connection is not None and empty:
            links = links_into_empty_tables(self.connection, self.dialect, frozen)
        for name, table in tables.items():
            table.links = None if links is None else links[name]
        # A table's foreign keys are checked when its load ends.
        turns = [set(tables)] if links is None else list(passes(frozen))
        size = move.rail.size(move.source, move.target)
        self.progress.begin("staging" if links is None else "loading", size * len(turns))
        with self._loader() as loader:
            for names in turns:
                changes = move.rail.net_rows(move.source, move.target, self.progress.work)
                load_changes(changes, {name: tables[name] for name in names}, positions, loader)

    def _may_revive(self) -> bool:
        """Whether an update may have to insert its row, or on the way down to delete it."""
        if self.move.upgrade:
            return self.move.options.policy is Policy.OVERWRITE
        if self.connection is None:
            return True
        revived = sa.select(seed_ledger.c.seed_id).where(seed_ledger.c.outcome == "revived")
        return self.connection.execute(revived.limit(1)).first() is not None

    def _load_revivals(self, tables: Mapping[str, StagedTable], positions: Mapping[str, int]) -> None:
        """Stage the updated rows whole, as they are at the upper end of the move."""
        updating = {name: table for name, table in tables.items() if table.counts["update"]}
        if not updating:
            return
        move, rail = self.move, self.move.rail
        changes = rail.net_rows(move.source, move.target)
        updated = {one.sort_key for one in changes if isinstance(one, Change) and one.effect == "update"}
        upper = move.target if move.upgrade else move.source
        whole = (
            one.only(updated) if isinstance(one, Lone) else one
            for one in rail.net_rows(SEED_BASE, upper)
            if isinstance(one, Lone) or one.sort_key in updated
        )
        with self._loader() as loader:
            load_changes(whole, updating, positions, loader, revivals=True)
        for table in updating.values():
            table.reviving = True
            for stage in (table.inserts, table.deletes, table.revivals):
                self._create(stage)

    def _create(self, table: sa.Table) -> None:
        """Create a temporary table when it is needed; a live one is there."""
        if table not in self.created and table.dialect_kwargs["postgresql_on_commit"]:
            self.context.execute(self.dialect.create(table))
            self.created.append(table)

    def _log_staged(self, staged: Iterable[StagedTable]) -> None:
        for table in staged:
            counts = ", ".join(f"{n} {kind}s" for kind, n in table.counts.items() if n)
            if counts:
                log.debug("staged %s: %s", table.name, counts)

    def _plan(self, staged: Sequence[StagedTable], live: Live) -> Plan:
        return Plan(
            tables=staged,
            references=live.references,
            derived=live.derived,
            unseeded=live.unseeded,
            uniques=live.uniques,
            watched=is_watched(self.context, [table.name for table in staged]),
            parents=program.parents_of(staged),
            upgrade=self.move.upgrade,
            from_nothing=self.move.source == SEED_BASE,
            source=self.move.rail.position(self.move.source),
            target=self.move.rail.position(self.move.target),
            dialect=self.dialect,
            policy=self.move.options.policy,
            seen=self._known(),
            stand_ins=self.stand_ins,
        )

    def _known(self) -> Counter[tuple[str, str]] | None:
        """The tally, with the ledger's rows of each table in it; None for a script, which cannot count."""
        if self.connection is None:
            return None
        count = sa.select(seed_ledger.c.table_name, sa.func.count()).group_by(seed_ledger.c.table_name)
        for name, known in self.connection.execute(count):
            self.tally["known", name] = known
        return self.tally

    def _guard(self, plan: Plan) -> None:
        if self.connection is not None:
            move = self.move
            names = RowNames(move.rail, (move.source, move.target), move.tables)
            with self.dialect.readable(self.connection):
                found, total = read_conflicts(self.connection, plan, names)
            if total and self.move.options.policy is Policy.ABORT:
                raise ConflictError(found, total, move.options.spelled)
            if total:
                self._report(found, total)
            return
        # The client prints them, then stops at the guard.
        self.context.execute(sa.select(*map(self.dialect.listed, program.conflicts.c)))
        if self.move.options.policy is Policy.ABORT:
            count = sa.select(sa.func.count()).select_from(program.conflicts)
            stop_if_any(self.context, "conflicts with live rows, listed above", count)
        guard_later_columns(self.context, plan, self.move.models)

    def _guard_stand_ins(self, plan: Plan) -> None:
        """A script makes one move, and does not stop where links were filled again in between."""
        what = "links that were filled by more than one run: go down one at a time"
        for table in plan.tables if not plan.upgrade else ():
            for count in program.uncovered_stand_ins(plan, table):
                stop_if_any(self.context, what, count)

    def _guard_references(self, plan: Plan) -> None:
        """Stop where rows that would decide cannot be seen by this role, or are unknown to a script."""
        known: dict[str, Sequence[Reference]] = {}
        columns: dict[str, frozenset[str]] = {}
        for table in plan.tables:
            references, changing = program.deciding(plan, table)
            hidden = next((one for one in references if not one.readable), None)
            if hidden is not None:
                raise HiddenRows(table.name, hidden)
            if changing is None or changing:
                known[table.name] = plan.references.get(table.name, ())
            if changing:
                columns[table.name] = changing
        if self.connection is None and known:
            count = self.dialect.count_unknown_references(known, columns)
            stop_if_any(self.context, "foreign keys that the models do not know", count)

    def _apply(self, plan: Plan) -> None:
        self.progress.begin("applying", sum(sum(table.counts.values()) for table in plan.tables))
        with _refusals():
            self._execute(program.apply(plan))
            for statement in self.dialect.fire_deferred():
                self.context.execute(statement)
        for table in plan.tables:
            self._check_inserted(table)
        self._execute(program.arrived(plan))

    def _check_inserted(self, table: StagedTable) -> None:
        """As many rows as were staged must have come."""
        if self.connection is None or not table.has("insert"):
            return
        count = sa.select(sa.func.count()).select_from(table.inserts)
        expected = self.connection.scalar(count.where(table.inserts.c.outcome.is_(None)))
        if self.tally["inserted", table.name] - table.loaded != expected:
            raise rows_missed(table.name, "insert")

    def _report(self, found: Sequence[Conflict], total: int) -> None:
        """Under keep and overwrite the conflicts are settled, and said."""
        policy = self.move.options.policy
        log.warning(
            "%d difference%s from what the seed expects, settled by seed_conflict=%s:",
            total, "s" * (total > 1), policy,
        )  # fmt: skip
        for conflict in found:
            log.warning("  %s", conflict)
        if total > len(found):
            log.warning("  … and %d more", total - len(found))

    def _execute(self, statements: Iterable[Statement]) -> None:
        for statement in statements:
            if statement.missed:
                refuse_missed(self.context, *statement.missed, statement.sql)
                continue
            if statement.probe:
                if (
                    self.connection is not None
                    and self.move.options.policy is Policy.ABORT
                    and statement.counts
                ):
                    self.tally[statement.counts] += self.connection.scalar(statement.sql) or 0
                continue
            if self.connection is None:
                self.context.execute(statement.sql)
                continue
            result = self.connection.execute(statement.sql, execution_options={"preserve_rowcount": True})
            if statement.counts:
                count = max(result.rowcount, 0)
                self.tally[statement.counts] += count
                if statement.counts[0] in _WRITES:
                    self.progress.work(count)
                    self.progress.advance(count)


@contextmanager
def _refusals() -> Iterator[None]:
    """The program checks every key that it knows of: what is left is a constraint of the tables."""
    try:
        yield
    except (IntegrityError, DataError) as error:
        failure = failure_of(error)
        if failure is not None and failure.exit_code == UNUSABLE:
            # No row is wrong: the database's encoding is.
            raise failure from error
        raise SeedError(
            f"the database refused the seed: {said(error.orig)}; nothing was written\n"
            "  a constraint of the tables forbids a row that the seed asks for: look for a live row"
            " that takes the same unique value, or correct the document and its revision"
        ) from None


_WRITES = frozenset({"inserted", "updated", "deleted"})
