"""Runs a move: online against a connection, or offline as a script for the native client."""

import logging
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.util import to_tuple
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.schema import DropTable

from seedrail.errors import HiddenRows, SeedError
from seedrail.failures import UNIQUE, UNUSABLE, failure_of
from seedrail.history.absent import as_it_is_now, gone_tables, refuse_columns_to_come
from seedrail.history.history import SEED_BASE
from seedrail.history.rail import Rail
from seedrail.history.rownames import RowNames
from seedrail.merge.database.guards import count_elsewhere, guard_table, stop_if_any
from seedrail.merge.database.live import Live, frozen_schema, lock_and_read, look_at
from seedrail.merge.database.loads import rows_missed
from seedrail.merge.database.session import pin, refuse_row_security, settle_names
from seedrail.merge.database.standins import find_stand_ins
from seedrail.merge.database.watch import is_watched, refuse_interference, refuse_missed
from seedrail.merge.decide import cases, links
from seedrail.merge.decide.cells import cells, hold, know, known_cells, touch, unpivot
from seedrail.merge.decide.find import find
from seedrail.merge.decide.inherited import refuse_inherited
from seedrail.merge.decide.unknown import Models, guard_columns, guard_later_columns
from seedrail.merge.earlier import earlier_values, refuse_without_value, settle_defaults
from seedrail.merge.filling import Filling, Look
from seedrail.merge.ledger import EXISTS, NO_ROW, TABLE_NAMES, seed_claims, stops_above
from seedrail.merge.plan import Plan, Statement, parents_of
from seedrail.merge.report.answers import TALLIES, Answers, DecisionError
from seedrail.merge.report.conflicts import (
    Conflict,
    ConflictError,
    conflicts,
    faults,
    read_conflicts,
    read_entries,
    summary,
)
from seedrail.merge.report.left_out import refuse_without_parents
from seedrail.merge.report.outcome import Outcome, counted, read_changes
from seedrail.merge.stage import (
    DELETE,
    INSERT,
    Decided,
    StagedTable,
    staged_table,
)
from seedrail.merge.write.apply import apply, arrived, drop, mark_stand_ins, push
from seedrail.merge.write.state import record, recorded
from seedrail.progress import Progress
from seedrail.quoting import one_line, said, shown
from seedrail.run_options import Policy, RunOptions
from seedrail.schema.tables import FrozenTable, Reference, in_foreign_key_order

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Move:
    """From the seed state at `source` to that at `target`, for the seed sets named.

    A script's move needs today's `models` as well: they know columns that came after the seeds. A way down
    may stop at the `target` for what the ledger knows, and end at `final`. On a way up, `came` are columns
    (table, column) that the run's own schema revisions have brought.
    """

    rail: Rail
    source: str
    target: str
    sets: frozenset[str]
    options: RunOptions = field(default_factory=RunOptions)
    models: Models = field(default_factory=dict)
    answers: Answers = field(default_factory=Answers)
    final: str = ""
    came: frozenset[tuple[str, str]] = frozenset()

    @property
    def upgrade(self) -> bool:
        """Whether the target is above the source."""
        return self.rail.position(self.source) < self.rail.position(self.target)

    @property
    def upper(self) -> str:
        """The upper one of its ends."""
        return max(self.source, self.target, key=self.rail.position)

    @property
    def further(self) -> str:
        """Where the way goes on from the target, if that is a stop."""
        return self.final if self.final != self.target else ""

    @property
    def keeps_ledger(self) -> bool:
        """Whether the ledger is still there where the way ends: at seed_base nothing is claimed."""
        return (self.final or self.target) != SEED_BASE

    @property
    def tables(self) -> list[FrozenTable]:
        """The sets' tables, parents first, as they were last on the move's way.

        Among them are those that the documents have given up on the way: rows that were released stay.
        """
        frozen = self.rail.tables_on_way(self.source, self.target)
        return in_foreign_key_order(table for table in frozen.values() if table.set in self.sets)

    def run(self, context: MigrationContext, look: Look | None = None) -> Counter[tuple[str, str]]:
        """Make the move through Alembic's context; returns row counts by (tally, table).

        Raises ConflictError and writes nothing where live rows differ from what the seed expects.
        """
        lower, upper = sorted((self.source, self.target), key=self.rail.position)
        self.rail.verify(self.rail.between(lower, upper))
        with Progress(shown=not (self.options.quiet or context.as_sql)) as progress:
            runner = _Runner(self, context, progress)
            runner.look = look
            return runner.run()

    def look(self, context: MigrationContext, look: Look) -> Outcome:
        """What the move would do, without locks; what is written on the way is the caller's to take back."""
        self.run(context, look)
        assert look.outcome is not None  # noqa: S101 -- run() sets it, or raises
        return look.outcome


class _Runner(Filling):
    """One run of a move; `connection` is None where a script is written."""

    def run(self) -> Counter[tuple[str, str]]:
        move = self.move
        pin(self.context)
        settle_names(self.context)
        away = self._gone() | (self.look.to_come if self.look else frozenset())
        span, heads = (move.source, move.target), self.context.get_current_heads
        there = [one for one in move.tables if one.name not in away]
        frozen = as_it_is_now(move.rail, span, there, heads)
        live = self._open(frozen)
        if self.look is None or not self.look.ahead:
            refuse_columns_to_come(move.rail, span, frozen, live.names, heads)
        frozen, self.earlier = earlier_values(move.rail, span, frozen, live.required)
        self.anew = {table.name for table in frozen if (table.name, table.id) in move.came}
        if move.upgrade:
            self.stand_ins = find_stand_ins(self.context, frozen, move.options.stand_ins())
        tables = [self._staged(table, live) for table in frozen]
        known = self.known_tables()
        with _refusals():
            self.load(tables)
        staged = [table for table in tables if any(table.counts.values())]
        self._settle_defaults(staged, live)
        self._log_staged(staged)
        plan = self._plan(staged, live, known)
        self._guard_references(plan)
        if self.connection is None:
            guard_columns(self.context, self.dialect, staged, move.models)
        self._decide(plan)
        self._count(plan)
        if self.look is None:
            self._guard(plan)
        elif not self._looked(plan, self.look):
            self._clear()
            return self.tally
        refuse_inherited(self.context, plan)
        self._apply(plan, tables)
        cleared = move.target == SEED_BASE
        sha256 = move.rail.sha256_of(move.target)
        self._execute(record(move.sets, move.target, sha256, cleared=cleared))
        self._execute(recorded(move.sets, move.target, sha256, cleared=cleared))
        self._clear()
        return self.tally

    # stages

    def _gone(self) -> set[str]:
        """The move's tables that the schema has dropped since the seeds gave them up."""
        move, names = self.move, sorted(table.name for table in self.move.tables)
        if self.connection is None:
            # A script is told by the models what its database will lack.
            models = to_tuple(self.context.opts.get("target_metadata"), default=())
            there: Container[str] = {table for one in models for table in one.tables} if models else names
        else:
            there = self.dialect.find(self.connection, names)
        missing = [name for name in names if name not in there]
        heads = tuple if self.connection is None else self.context.get_current_heads
        return gone_tables(move.rail, (move.source, move.target), missing, heads)

    def _staged(self, table: FrozenTable, live: Live) -> StagedTable:
        return staged_table(
            table, live.columns.get(table.name), live.unseeded_of(table), upgrade=self.move.upgrade
        )

    def _settle_defaults(self, staged: Sequence[StagedTable], live: Live) -> None:
        """A state that lacks a column has its default in it."""
        move = self.move
        for table in staged:
            name = table.name
            source, target = (
                move.rail.columns_seen_from(name, end, (move.source, move.target)) or table.columns
                for end in (move.source, move.target)
            )
            self.run_all(settle_defaults(self.dialect, table, live.defaults.get(name, {}), (source, target)))
            if self.connection is not None:
                lacking = live.required.get(name, frozenset()) & set(table.columns) - set(target)
                refuse_without_value(self.connection, table, sorted(lacking), self.move.target)

    def _clear(self) -> None:
        for table in reversed(self.created):
            self.context.execute(DropTable(table))

    def _looked(self, plan: Plan, look: Look) -> bool:
        """Say what would happen; whether the run goes on all the same, to be taken back."""
        move, connection = self.move, self.connection
        assert connection is not None  # noqa: S101 -- a script looks at nothing
        refuse_inherited(self.context, plan)
        names = RowNames(move.rail, (move.source, move.target), move.tables)
        made = move.answers.of(move.source, move.target)
        with self.dialect.readable(connection):
            entries = list(read_entries(connection, plan, names, (move.source, move.target), made))
            rows = tuple(read_changes(connection, plan, names)) if look.rows else ()
            counts = self.tally + counted(connection, plan)
        move.answers.write(entries)
        wrong = faults(entries, made)
        if wrong:
            raise DecisionError(wrong)
        refused = move.options.policy is Policy.ABORT
        undecided = sum(entry.decision is None for entry in entries) if refused else 0
        counts = Counter({key: count for key, count in counts.items() if key[0] in TALLIES})
        look.outcome = Outcome(move.source, move.target, counts, tuple(entries), undecided, rows)
        return look.goes_on and not undecided

    def _open(self, frozen: Sequence[FrozenTable]) -> Live:
        """Lock first, look afterwards: whatever decides is read under the locks that the writes need."""
        if self.connection is None:
            self._open_script(frozen)
            return frozen_schema(self.dialect, frozen)
        slower = self.dialect.slower(self.connection)
        if slower:
            log.info("%s", slower)
        read = lock_and_read if self.look is None or self.look.goes_on else look_at
        live = read(self.connection, self.dialect, frozen)
        self._refuse_row_security(live)
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
        self.run_all((*self.dialect.lock_tables(names), *self.dialect.lock_pointing(pointing, names)))
        self.create(guard_table)
        refuse_interference(self.context)
        lost = "tables that are not there, or hidden by something else of their name"
        stop_if_any(self.context, lost, self.dialect.count_lost([*names, *sorted(TABLE_NAMES)]))
        sha256 = move.rail.sha256_of(move.source)
        elsewhere = count_elsewhere(move.source, sha256, sorted(move.sets))
        stop_if_any(self.context, f"seed sets that are not at {move.source}", elsewhere)
        self._guard_squashed()

    def _guard_squashed(self) -> None:
        """A way down past a squashed revision may need the states that were: an online run says so."""
        rail, move = self.move.rail, self.move
        for one in rail.between(move.target, move.source) if not move.upgrade else ():
            if len(one.every) > 1:
                met = stops_above(rail.position(move.target)).subquery("met")
                count = sa.select(sa.func.count()).select_from(met)
                within = count.where(met.c.position <= rail.position(one.revision))
                what = f"rows that were met before {one.revision} was squashed: restore its change files"
                stop_if_any(self.context, what, within)

    def _refuse_row_security(self, live: Live) -> None:
        """All tables that hide rows, by name: the server, which is told to refuse, would name the first."""
        tables = self.move.tables
        known = (ref for refs in live.references.values() for ref in refs if ref.readable)
        asked = {(ref.schema, ref.table) for ref in known}
        asked |= {(None, key.table) for table in tables for key in table.foreign_keys.values()}
        asked |= {(None, table.name) for table in tables}
        refuse_row_security(self.context, asked)

    def _log_staged(self, staged: Iterable[StagedTable]) -> None:
        for table in staged:
            counts = ", ".join(f"{n} {kind}s" for kind, n in table.counts.items() if n)
            if counts:
                log.debug("staged %s: %s", table.name, counts)

    def _plan(self, staged: Sequence[StagedTable], live: Live, known: frozenset[str] | None) -> Plan:
        if self.connection is None:
            for table in staged:
                table.touched = True
        return Plan(
            tables=staged,
            references=live.references,
            derived=live.derived,
            uniques=live.uniques,
            parents=parents_of(staged),
            source=self.move.rail.position(self.move.source),
            target=self.move.rail.position(self.move.target),
            dialect=self.dialect,
            policy=self.move.options.policy,
            watched=is_watched(self.context, [table.name for table in staged]),
            stand_ins=self.stand_ins,
            known=known,
            tally=None if self.connection is None else self.tally,
            marked=self._marked(),
            decisions=self.load_decisions(),
            held=self.load_held(),
            claimed_at=self.positions.get(self.move.target, 0),
            came=self.move.came,
            since=self.move.rail.renewed_since(
                max(self.move.source, self.move.target, key=self.move.rail.position)
            ),
        )

    def _marked(self) -> frozenset[tuple[str, str]] | None:
        if self.connection is None:
            return None
        marks = seed_claims.c.seed_id == sa.literal(NO_ROW, sa.Uuid())
        found = sa.select(seed_claims.c.table_name, seed_claims.c.column_name).where(marks).distinct()
        return frozenset((table, column) for table, column in self.connection.execute(found))

    def _decide(self, plan: Plan) -> None:
        """What becomes of every row and cell: nothing live is written."""
        if not plan.tables:
            return
        self.create(cells)
        if any(plan.knows(table.name) for table in plan.tables):
            self.create(known_cells)
            self._execute(know(plan))
        # Before links are followed: these rows have some too.
        self.stage_missing(plan)
        for table in plan.tables:
            self._execute(find(plan, table))
        self.place_marked(plan)
        for table in plan.tables:
            self._execute(touch(plan, table))
            table.touched = self.connection is None or self.tally["touched", table.name] > 0
        self._decide_touched(plan, [table for table in plan.tables if table.touched])
        for table in plan.tables:
            self._execute(links.cut(plan, table))
            self._execute(links.keep_values(plan, table))
        for table in reversed(plan.tables):
            if self.connection is not None and table.counts[DELETE]:
                table.emptied = not self.connection.scalar(links.count_staying(table))
            self._execute(links.keep_rows(plan, table))
            table.emptied = table.emptied and not self.tally["kept", table.name]

    def _decide_touched(self, plan: Plan, touched: Sequence[StagedTable]) -> None:
        passing = self.load_passing()
        if not touched and not passing:
            return
        for table in touched:
            self._execute(hold(table))
        self.index(cells, ["table_name", "seed_id", "column_name"])
        self._execute(cases.rows(plan))
        if passing:
            self._execute(links.pass_by(plan))
        for table in touched:
            self._execute(cases.bring(table))
        for table in touched:
            self._execute(unpivot(plan, table))
        self._execute(cases.columns(plan))
        self._learn_outcomes(touched)
        for table in touched:
            self._execute(cases.put_back(plan, table))
        self.place_coming(plan)
        self._execute(cases.claim(plan))

    def _learn_outcomes(self, touched: Sequence[StagedTable]) -> None:
        """Of all that could happen to touched rows, what does: the rest needs no statements."""
        if self.connection is None:
            return
        found = list(self.connection.execute(cases.outcomes()))
        for table in touched:
            mine = [(column, action) for name, column, action in found if name == table.name]
            known = [(column, action) for column, action in mine if column in {EXISTS, *table.columns}]
            actions = frozenset(action for _, action in known)
            table.decided = Decided(actions, frozenset(column for column, _ in known) - {EXISTS})

    def _count(self, plan: Plan) -> None:
        """What was decided of touched rows and cells, for the log."""
        if self.connection is None or not plan.tables:
            return
        rows = cases.told()
        counts = sa.select(rows.c.what, rows.c.table_name, sa.func.count())
        for what, table, number in self.connection.execute(counts.group_by(rows.c.what, rows.c.table_name)):
            self.tally[what, table] += number

    def _guard(self, plan: Plan) -> None:
        if self.connection is not None:
            move = self.move
            names = RowNames(move.rail, (move.source, move.target), move.tables)
            with self.dialect.readable(self.connection):
                self._answer(plan, names)
                found, counts = read_conflicts(self.connection, plan, names)
            if counts and move.upgrade:
                tables = move.rail.tables_at(move.target)
                refuse_without_parents(self.connection, plan, counts, move.sets, tables, move.options)
            if counts and self.move.options.policy is Policy.ABORT:
                raise ConflictError(found, counts, move.options.spelled, move.further, kept=move.keeps_ledger)
            if counts:
                self._report(found, counts)
            return
        if not plan.tables:
            return
        listed = conflicts(plan)
        # The client prints them, then stops at the guard.
        told = (column for column in listed.c if column.key not in _TOLD_OF_ONE)
        self.context.execute(sa.select(*map(self.dialect.listed, told)))
        if self.move.options.policy is Policy.ABORT:
            count = sa.select(sa.func.count()).select_from(listed)
            stop_if_any(self.context, "conflicts with live rows, listed above", count)
        guard_later_columns(self.context, plan, self.move.models)

    def _answer(self, plan: Plan, names: RowNames) -> None:
        """Write the run's report; DecisionError where a decision was made for another conflict."""
        move, answers = self.move, self.move.answers
        if self.connection is None or not answers:
            return
        made = answers.of(move.source, move.target)
        entries = list(read_entries(self.connection, plan, names, (move.source, move.target), made))
        answers.write(entries)
        wrong = faults(entries, made)
        if wrong:
            raise DecisionError(wrong)
        decided = sum(entry.decision is not None for entry in entries)
        if decided:
            log.info("%d difference%s settled by %s", decided, "s" * (decided > 1), shown(answers.name))

    def _guard_references(self, plan: Plan) -> None:
        """Stop where rows that would decide cannot be seen by this role, or are unknown to a script."""
        known: dict[str, Sequence[Reference]] = {}
        columns: dict[str, frozenset[str]] = {}
        for table in plan.tables:
            references, changing = links.deciding(plan, table)
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

    def _apply(self, plan: Plan, tables: Iterable[StagedTable]) -> None:
        self.progress.begin("applying", sum(sum(table.counts.values()) for table in plan.tables))
        claims = self._has_claims(plan)
        if claims:
            self.place_claims(plan)
        with _refusals():
            self._execute(apply(plan))
            self.run_all(self.dialect.fire_deferred())
        for table in plan.tables:
            self._check_inserted(table)
        self._execute(arrived(plan))
        self._execute(drop(plan, [table.name for table in self.move.tables]))
        self._execute(mark_stand_ins(plan, tables))
        if claims:
            self._execute(push(plan))

    def _has_claims(self, plan: Plan) -> bool:
        """Whether there is something to claim; a script has to assume it."""
        if self.connection is None or not plan.tables:
            return bool(plan.tables)
        found = sa.select(cells.c.seed_id).where(cells.c.stands.is_not(None)).limit(1)
        return self.connection.execute(found).first() is not None

    def _check_inserted(self, table: StagedTable) -> None:
        """As many rows as were staged must have come."""
        if self.connection is None or not table.may(INSERT):
            return
        count = sa.select(sa.func.count()).select_from(table.stage)
        expected = self.connection.scalar(count.where(table.stage.c.action == INSERT))
        if self.tally["inserted", table.name] - table.loaded != expected:
            raise rows_missed(table.name, "insert")

    def _report(self, found: Sequence[Conflict], counts: Counter[tuple[str, str]]) -> None:
        """Under keep and overwrite the conflicts are settled, and said."""
        policy, total = self.move.options.policy, counts.total()
        log.warning(
            "%d difference%s from what the seed expects, settled by seed_conflict=%s: %s",
            total, "s" * (total > 1), policy, summary(counts),
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
        # What is unique is told with the value; of other constraints the server shows whole rows.
        reason = said(error.orig) if failure is None or failure.kind is UNIQUE else failure.reason
        advice = f"\n  {failure.kind.advice}" if failure is not None else ""
        raise SeedError(f"the database refused the seed: {reason}; nothing was written{advice}") from None


_WRITES = frozenset({"inserted", "updated", "deleted"})
_TOLD_OF_ONE = frozenset({"expected", "is_decided", "is_left_out"})
"""What a report says of a conflict that a script's client does not print."""
