"""What a run would do: the steps that Alembic would take, and of their seeds each row, before and after.

Everything happens in a savepoint that is taken back. A single move is only looked at, without locks. Of a way
down with stops each move but the last is made as well, for what comes below depends on it.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alembic.runtime.migration import RevisionStep
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.engine import Connection

from seedrail.dialects import dialect_named
from seedrail.history.history import SEED_BASE, is_seed
from seedrail.history.rail.heads import with_way_out
from seedrail.integration.look.looking import looking, named
from seedrail.integration.run import SeedRun
from seedrail.merge.filling import Look
from seedrail.merge.move import Move
from seedrail.merge.report.left_out import refuse_rows_to_come
from seedrail.merge.report.outcome import CellChange, Outcome, RowChange
from seedrail.schema.identity import as_text


@dataclass(frozen=True)
class Station:
    """A revision on one of the rails, and whether the database has it before the run and after it."""

    revision: str
    is_seed: bool
    before: bool
    after: bool


@dataclass(frozen=True)
class Way:
    """The way from where a database is to a target.

    `schema` and `seeds` are the revisions that the run makes or takes back, in its order. `left_out` are the
    seed sets that the environment leaves out; `to_come` the seeded tables that one of those schema revisions
    makes first. `outcomes` are the moves, each with what it would do; `stations` are all revisions, and
    `columns` the seeded columns of each table, by its name.
    """

    target: str
    up: bool
    heads: tuple[str, ...]
    schema: tuple[str, ...]
    seeds: tuple[str, ...]
    left_out: tuple[str, ...]
    to_come: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    database: str = ""
    stations: tuple[Station, ...] = ()
    columns: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def counts(self) -> Counter[tuple[str, str]]:
        """What the run would log: rows by what happens to them, and table."""
        return sum((one.counts for one in self.outcomes), Counter[tuple[str, str]]())

    @property
    def undecided(self) -> int:
        """How many conflicts would have the run refused."""
        return sum(one.undecided for one in self.outcomes)


def looker(target: str, *, rows: bool, found: list[Way]) -> Callable[..., list[Any]]:
    """A function for Alembic's environment that looks at the way to a target."""
    return looking(lambda run, connection, heads: _look(run, connection, heads, target, rows=rows), found)


def _look(run: SeedRun, connection: Connection, heads: tuple[str, ...], target: str, *, rows: bool) -> Way:
    scripts = run.rail.history.scripts
    up, steps = _steps(run, scripts, heads, target)
    revisions = [step.revision for step in steps if isinstance(step, RevisionStep)]
    schema = tuple(one.revision for one in revisions if not is_seed(one))
    seeds = tuple(one.revision for one in revisions if is_seed(one))
    run.begin_report()
    try:
        left_out, to_come, outcomes = _moves(
            run, connection, steps, heads, up=up, ahead=up and schema, rows=rows
        )
        run.answers.end()
        if not any(one.undecided for one in outcomes):
            run.tell_unused()
    finally:
        # Where it cannot be planned, this is closed.
        run.answers.abandon()
    history = run.rail.history
    before = history.applied(heads)
    after = before | {*schema, *seeds} if up else before - {*schema, *seeds}
    stations = [
        Station(one, one == SEED_BASE or is_seed(history.by_id[one]), one in before, one in after)
        for one in (script.revision for script in history.revisions)
    ]
    return Way(
        target, up, heads, schema, seeds, left_out, to_come, outcomes, named(connection), tuple(stations),
        _columns(run, heads),
    )  # fmt: skip


def _columns(run: SeedRun, heads: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """The seeded columns of each table, where the database is and at the newest revision."""
    found: dict[str, frozenset[str]] = {}
    for revision in (run.seed_revision(heads) or SEED_BASE, run.rail.head):
        for name, table in run.rail.tables_at(revision).items():
            found[name] = found.get(name, frozenset()) | table.columns.keys()
    return found


def _steps(
    run: SeedRun, scripts: ScriptDirectory, heads: tuple[str, ...], target: str
) -> tuple[bool, list[Any]]:
    """Whether it goes up, and the steps that `alembic upgrade` or `downgrade` would take."""
    up = _goes_up(run, scripts, heads, target)
    steps = scripts._upgrade_revs if up else scripts._downgrade_revs
    try:
        return up, list(steps(target, heads))  # type: ignore[arg-type]  # Alembic's own commands do so
    except CommandError as error:
        raise with_way_out(run.rail, error) from error.__cause__


def _goes_up(run: SeedRun, scripts: ScriptDirectory, heads: tuple[str, ...], target: str) -> bool:
    if target[:1] in "+-" or target == "base":
        return target[:1] == "+"
    if "head" in target.rpartition("@")[2] or not target:
        return True
    named = {one.revision for one in scripts.get_revisions(target) if one is not None}
    return not named <= run.rail.history.applied(heads)


def _moves(
    run: SeedRun,
    connection: Connection,
    steps: Sequence[Any],
    heads: tuple[str, ...],
    *,
    up: bool,
    ahead: Any,
    rows: bool,
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[Outcome, ...]]:
    """The sets that are left out, the tables that are still to come, and the outcome of each move."""
    journey = run.journey_of(steps)
    if journey is not None:
        source, target, upgrade = journey.source, journey.target, up
    else:
        at = run.seed_revision(heads) if up else None
        if at is None:
            return (), (), ()
        # As an upgrade catches up with what Alembic believes to be applied.
        source = target = at
        upgrade = None
    left_out, sources = run.sources(run.recorded(source, target), target, upgrade)
    outcomes: list[Outcome] = []
    lost: dict[str, None] = {}
    for start, names in sources.items():
        stops = [*run.stops(start, target), target]
        for stop in stops:
            move = Move(run.rail, start, stop, names, run.options, {}, run.answers, target)
            to_come = _to_come(connection, move) if ahead else frozenset()
            look = Look(stop != stops[-1], ahead=bool(ahead), rows=rows, to_come=to_come)
            outcome = move.look(run.context, look)
            if to_come:
                _refuse_without_parents(connection, move, to_come)
            outcomes.append(_with_new_tables(move, outcome, to_come, rows=rows))
            lost |= dict.fromkeys(sorted(to_come))
            if outcome.undecided:
                return tuple(left_out), tuple(lost), tuple(outcomes)
            start = stop
    return tuple(left_out), tuple(lost), tuple(outcomes)


def _to_come(connection: Connection, move: Move) -> frozenset[str]:
    """The move's tables that are not there yet, where schema revisions run first."""
    names = [table.name for table in move.tables]
    found = dialect_named(connection.dialect.name).find(connection, sorted(names))
    return frozenset(name for name in names if name not in found)


def _refuse_without_parents(connection: Connection, move: Move, to_come: frozenset[str]) -> None:
    changes = move.rail.net_changes(move.source, move.target)
    mine = (one for one in changes if one.table in to_come and one.effect == "insert")
    refuse_rows_to_come(connection, mine, move.sets, move.rail.tables_at(move.target), move.options)


def _with_new_tables(move: Move, outcome: Outcome, to_come: frozenset[str], *, rows: bool) -> Outcome:
    """The outcome with the rows of tables that are still to come, which nothing can be in the way of."""
    if not to_come:
        return outcome
    counts = Counter(outcome.counts)
    made: list[RowChange] = []
    for change in move.rail.net_changes(move.source, move.target):
        if change.table in to_come and change.effect == "insert":
            counts["inserted", change.table] += 1
            if rows:
                cells = [CellChange(name, None, as_text(v)) for name, v in sorted((change.new or {}).items())]
                made.append(RowChange(change.table, "insert", change.id, change.id, None, tuple(cells)))
    return Outcome(
        outcome.source, outcome.target, counts, outcome.conflicts, outcome.undecided, (*outcome.rows, *made)
    )
