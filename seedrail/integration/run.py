"""One Alembic run: which single move it makes, at which of its steps, and from which recorded state.

A run that passes several seed revisions makes one move to the last. On the way up the last seed step
makes it, when the schema is as far up as it gets; on the way down the first one does, for the same reason,
and stops on its way where rows were kept.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.util import CommandError, to_list
from sqlalchemy.exc import DBAPIError

from seedrail.dialects import dialect_named
from seedrail.errors import OptionError, SeedError, SetupError, StateError
from seedrail.failures import failure_of, named_failures
from seedrail.history.changefile import TEXT_UP_TO
from seedrail.history.history import SEED_BASE, is_seed, without_steps
from seedrail.history.rail import ORPHAN, RESTORE_OR_DELETE, Rail
from seedrail.history.rail.heads import refuse_merge, refuse_step_from_several, with_way_out
from seedrail.history.rail.placement import without_move
from seedrail.history.rail.unreadable import without_function
from seedrail.history.squash.old_ids import follow_old_ids
from seedrail.integration.forgotten import NOT_BEGUN
from seedrail.merge.database.live import Arrivals
from seedrail.merge.database.session import online, refuse_row_security
from seedrail.merge.ledger import LEDGER_VERSION, TABLE_NAMES, metadata, seed_state, stops_above
from seedrail.merge.report.answers import TALLIES, Answers, DecisionError
from seedrail.merge.write.bring_over import bring_over
from seedrail.quoting import shown
from seedrail.run_options import RunOptions
from seedrail.schema.tables import in_foreign_key_order

if TYPE_CHECKING:
    from seedrail.documents.sets import SeedCatalog

log = logging.getLogger(__name__)

_MEMO = "seedrail.integration.run"
LOCK_TIMEOUT = "seedrail.lock_timeout"
"""Where `begin` leaves its seconds, for the waits of the move."""
LOOKS = "seedrail_looks"
"""The attribute of a command's function that says that it writes nothing: `begin` then takes no lock."""
TEXT_OPTION = "seedrail_text_up_to"
"""The option of `context.configure` that holds the size of text files."""


_LEFT_OUT = "left out"


@dataclass(frozen=True)
class _SetState:
    """What `seed_state` says of a seed set."""

    revision: str
    left_out: bool = False


@dataclass(frozen=True)
class _Journey:
    """The seed steps of a run: where it starts, where it ends, and the step that makes the move."""

    source: str
    target: str
    mover: str


class SeedRun:
    """The engine's part of one run of Alembic's environment."""

    def __init__(
        self, context: MigrationContext, catalog: "Callable[[], SeedCatalog]", options: RunOptions
    ) -> None:
        if context.script is None:
            raise SetupError("seeds need Alembic's script directory; run them through its commands")
        self.context, self._catalog, self.options = context, catalog, options
        if options.sets - {"all"}:
            self._check_sets(options.sets - {"all"})
        self.answers = _answers(context, options)
        self.rail = Rail(context.script)
        self.journey: _Journey | None = None
        self._stepped: tuple[str, bool] | None = None
        self._running: tuple[Sequence[Any], int] = (), 0
        """The steps, and the number of the one that runs."""
        self._came: frozenset[tuple[str, str]] = frozenset()

    @property
    def lock_timeout(self) -> float | None:
        """The seconds that the run may wait for others, if it began."""
        seconds: float | None = self.context.impl.memo.get(LOCK_TIMEOUT)
        return seconds

    @property
    def text_up_to(self) -> int:
        """The bytes up to which a new change file is text."""
        size: int = self.context.opts.get(TEXT_OPTION, TEXT_UP_TO)
        return size

    @cached_property
    def catalog(self) -> "SeedCatalog":
        """The application's seed sets."""
        return self._catalog()

    def _check_sets(self, asked: frozenset[str]) -> None:
        names = sorted(one.name for one in self.catalog.sets)
        unknown = sorted(asked - set(names))
        if unknown:
            raise OptionError(f"no such seed set: {unknown[0]!r}; there are all, {', '.join(names)}")

    @classmethod
    def of(cls, context: MigrationContext) -> "SeedRun":
        """The run that takes part in a context; SetupError where env.py did not begin it."""
        run = context.impl.memo.get(_MEMO)
        if not isinstance(run, cls):
            raise SetupError(NOT_BEGUN)
        return run

    def attach(self) -> None:
        """Take part in the context's run: see its steps before it takes them."""
        self.context.impl.memo[_MEMO] = self
        # A file that cannot be read is said here: for a script, Alembic looks for its start before the steps.
        _ = self.rail.history.revisions
        self._refuse_unclear()
        command = self.context.opts.get("fn")
        if command is not None:
            # Alembic has no hook before the first step; the list of steps is what tells the target.
            self.context._migrations_fn = self._planned(command)

    def _refuse_unclear(self) -> None:
        """Raise OptionError where it is not clear which revisions the command was told."""
        opts = self.context.opts
        new = getattr(opts.get("revision_context"), "command_args", {})
        named = opts.get("destination_rev"), opts.get("starting_rev"), new.get("head"), new.get("depends_on")
        self.rail.history.refuse_unclear(*named)

    def follow_history(self) -> None:
        """Go by the old ids of a squashed history, where the database is at one or the command names one.

        In the run's transaction: who is at an old one is asked under its lock.
        """
        squash = self.rail.history.squash
        if squash is None or not squash.is_whole:
            return
        opts = self.context.opts
        named = [
            name
            for one in (opts.get("destination_rev"), opts.get("starting_rev"))
            for name in to_list(one, [])
        ]
        heads = () if self.context.as_sql else self.context.get_current_heads()
        if squash.old_ids & {*heads, *map(without_steps, named)}:
            follow_old_ids(self.rail.history.scripts, squash)
            self.rail = Rail(self.rail.history.scripts, aside=self.rail.pinned)

    def step(self, revision: str, *, upgrade: bool) -> None:
        """What a seed revision's upgrade() or downgrade() does: the run's move, or nothing."""
        journey = self.journey
        if journey is None:
            raise SetupError(f"seed revision {revision} runs outside of an Alembic command")
        self._stepped = revision, upgrade
        if revision == journey.mover:
            with named_failures(self.lock_timeout):
                self._move(self.recorded(journey.source, journey.target), journey.target, upgrade=upgrade)
        else:
            log.info("%s is carried by the move from %s to %s", revision, journey.source, journey.target)

    def journey_of(self, steps: Sequence[Any]) -> "_Journey | None":
        """The seed steps among some steps of Alembic's; None where there are none."""
        return _journey(steps, self.rail)

    def _planned(self, command: Callable[..., Iterable[Any]]) -> Callable[..., Iterator[Any]]:
        def planned(heads: Sequence[str], context: MigrationContext) -> Iterator[Any]:
            # A broken rail is said before anything runs, whatever the command.
            self.rail.check(heads)
            if not context.as_sql:
                self.rail.history.check_heads(heads)
            refuse_merge(self.rail, command, context.config)
            refuse_step_from_several(self.rail, heads, context)
            for name in self.rail.orphans() if self.rail.exists else ():
                log.warning("%s %s: %s", name, ORPHAN, RESTORE_OR_DELETE)
            try:
                steps = list(command(heads, context))
            except CommandError as error:
                raise with_way_out(self.rail, error) from error.__cause__
            except AttributeError as error:
                raise without_function(error) from None
            self.journey = _journey(steps, self.rail)
            arrivals = self._arrivals(steps)
            try:
                for number, one in enumerate(steps):
                    self._running = steps, number
                    yield one
                    self._refuse_still(one)
                    if arrivals and isinstance(one, RevisionStep) and not is_seed(one.revision):
                        arrivals.look_again()
                        self._came = frozenset(arrivals.came)
                if command.__name__ == "upgrade" and self.journey is None and not context.as_sql:
                    with named_failures(self.lock_timeout):
                        self._catch_up()
                if command.__name__ in ("upgrade", "downgrade"):
                    self._end_report()
            finally:
                # Where a step failed, this is closed.
                self.answers.abandon()

        return planned

    def begin_report(self) -> None:
        """Begin the run's report; OptionError where its decisions are of another history."""
        known = {SEED_BASE, *(one.revision for one in self.rail.revisions)}
        self.answers.refuse_unknown(lambda one: self.rail.tables_at(one) if one in known else None)
        connection = online(self.context)
        if connection is not None:
            self.answers.begin(dialect_named(connection.dialect.name).files(connection))

    def schema_failure(self, error: DBAPIError) -> SeedError | None:
        """What it may mean that a schema revision fails behind seeds; None for any other failure."""
        failure, (steps, number) = failure_of(error), self._running
        revisions = [one.revision for one in steps if isinstance(one, RevisionStep)]
        failed = steps[number].revision if revisions else None
        if failure is None or failed is None or is_seed(failed) or not steps[number].is_upgrade:
            return None
        below = [one.revision for one in revisions if is_seed(one)]
        seeds = [one for one in below if failed.revision not in self.rail.history.at_or_below([one])]
        if not seeds:
            return None
        return SeedError(
            f"schema revision {failed.revision} failed: {failure.reason}; nothing was written\n"
            "  a run moves its seeds after all of its schema revisions: if this one needs what earlier seeds"
            f" write, run alembic upgrade {seeds[-1]} first"
        )

    def _arrivals(self, steps: Sequence[Any]) -> Arrivals | None:
        """What the schema brings before the seeds move, to a database that has some."""
        connection, journey = online(self.context), self.journey
        if connection is None or journey is None or journey.source == SEED_BASE:
            return None
        schema = [one for one in steps if isinstance(one, RevisionStep) and not is_seed(one.revision)]
        if not schema or not schema[0].is_upgrade:
            return None
        tables = self.rail.tables_on_way(journey.source, journey.target)
        return Arrivals(connection, dialect_named(self.context.dialect.name), tables)

    def _end_report(self) -> None:
        self.begin_report()
        self.answers.end()
        self.tell_unused()

    def tell_unused(self) -> None:
        """Say where decisions were made for other moves: those of a run that was made already, as a rule."""
        if self.answers.unused:
            log.warning(
                "%d decision%s made for moves that this run did not make",
                self.answers.unused, "s were" if self.answers.unused > 1 else " was",
            )  # fmt: skip

    def _refuse_still(self, step: Any) -> None:
        """A seed revision that was run calls its operation with its own id, or its rows are not moved."""
        if not isinstance(step, RevisionStep) or not is_seed(step.revision):
            return
        if self._stepped != (step.revision.revision, step.is_upgrade):
            raise without_move(step.revision, "upgrade" if step.is_upgrade else "downgrade")

    def _catch_up(self) -> None:
        """Apply what Alembic believes to be applied: after a stamp or a crash, or sets left out so far."""
        seeded = self.seed_revision(self.context.get_current_heads())
        if seeded is None:
            return
        recorded = self.recorded(seeded, seeded)
        strayed = {
            name: state for name, state in recorded.items() if state.revision != seeded and not state.left_out
        }
        if strayed:
            ledger = ", ".join(f"{shown(n)} at {shown(s.revision)}" for n, s in sorted(strayed.items()))
            log.warning(
                "alembic_version says %s, but the ledger says %s: the version was stamped, the ledger was"
                " edited, or a run ended between two commits; moving the rows to %s",
                seeded, ledger, seeded,
            )  # fmt: skip
        self._move(recorded, seeded, upgrade=None)

    def seed_revision(self, heads: Sequence[str]) -> str | None:
        """The newest seed revision that the heads include, or None below seed_base."""
        if not heads:
            return None
        applied = self.rail.history.applied(heads)
        if SEED_BASE not in applied:
            return None
        seeds = [one.revision for one in self.rail.revisions if one.revision in applied]
        return seeds[-1] if seeds else SEED_BASE

    def _sets(self, source: str, target: str) -> set[str]:
        # Those of the ends as these know them: a table may have come to another set since.
        ends = [self.rail.tables_at(revision) for revision in dict.fromkeys((source, target))]
        tables = [*ends, self.rail.tables_on_way(source, target)]
        return {table.set for at in tables for table in at.values()}

    def recorded(self, source: str, target: str) -> dict[str, "_SetState"]:
        """The seed state of every seed set: as recorded, or as assumed for a script."""
        names = self._sets(source, target)
        connection = online(self.context)
        if connection is None:
            # A script goes to a database of this run's environment: down, only sets that it allows are there.
            up = self.rail.position(source) < self.rail.position(target)
            return {name: _SetState(source) for name in names if up or self._allows(name)}
        bring_over(connection)
        refuse_row_security(self.context, [(None, name) for name in TABLE_NAMES])
        recorded: dict[str, _SetState] = {}
        for row in connection.execute(sa.select(seed_state)):
            recorded[row.seed_set] = _SetState(row.revision, row.status == _LEFT_OUT)
            self._refuse_other_content(row)
        return {**self._heirs(names, recorded), **recorded}

    def _heirs(self, names: Iterable[str], recorded: "Mapping[str, _SetState]") -> dict[str, "_SetState"]:
        """Sets that the ledger does not know: they are where that set is which had, or has, their tables."""
        found = {}
        for name in names:
            kin = sorted(other for other in self.rail.kin(name) if other in recorded)
            found[name] = recorded[kin[0]] if kin else _SetState(SEED_BASE)
        return found

    def _refuse_parted(
        self, source: str, target: str, names: Collection[str], recorded: "Mapping[str, _SetState]"
    ) -> None:
        """Raise StateError where a seeded table goes to another set on a way up that takes one of both."""
        before, upward = self.rail.tables_at(source), self.rail.position(source) < self.rail.position(target)
        for table, now in self.rail.tables_on_way(source, target).items() if upward else ():
            sets = {before[table].set, now.set} if table in before else {now.set}
            others = sorted(name for name in sets.difference(names) if name in recorded)
            if not others or not sets & set(names):
                continue
            at = ", ".join(f"{shown(name)} is at {recorded[name].revision}" for name in others)
            apart = any(recorded[name].revision != source for name in others)
            first = f"bring them to one revision first: alembic upgrade {source}, with"
            way = first if apart else "ask for all:"
            raise StateError(
                f"the table {shown(table)} changes its seed set between {source} and {target}, and this run"
                f" does not take both along: {at}; nothing was written\n"
                f"  {way} {self.options.spelled('seed_sets', ','.join(sorted(sets)))}"
            )

    def check_content(self) -> None:
        """Raise StateError where the database holds what another history's revision of that id brought."""
        connection = online(self.context)
        if connection is not None and sa.inspect(connection).has_table(seed_state.name):
            for row in connection.execute(sa.select(seed_state)):
                self._refuse_other_content(row)

    def _refuse_other_content(self, row: Any) -> None:
        if row.sha256 != self.rail.sha256_of(row.revision):
            raise StateError(
                f"the database holds seed set {row.seed_set!r} of a revision {row.revision} with"
                " another content than this history's\n"
                "  the revision was made anew after it had been applied, or seed_state was edited by"
                " hand: downgrade to seed_base with the version of the project that applied it, then"
                " upgrade with this one"
            )

    def _allows(self, seed_set: str) -> bool:
        return self.options.allows(seed_set, self.catalog.refused_in(seed_set))

    def _move(self, recorded: dict[str, "_SetState"], target: str, *, upgrade: bool | None) -> None:
        """Bring the sets to the target, those with the same source together.

        A run up moves nothing down and the other way round; `upgrade` is None where either may be.
        """
        moved: Counter[tuple[str, str]] = Counter()
        left_out, sources = self.sources(recorded, target, upgrade)
        for name in left_out:
            self._leave_out(name, recorded[name])
        for source, names in sources.items():
            self._refuse_parted(source, target, names, recorded)
            moved += self._move_sets(names, source, target)
        self._report(moved, target)

    def sources(
        self, recorded: "Mapping[str, _SetState]", target: str, upgrade: bool | None
    ) -> tuple[list[str], dict[str, frozenset[str]]]:
        """The sets that the environment leaves out, and the others by where they come from, in order."""
        position = self.rail.position
        left_out: list[str] = []
        sources: dict[str, set[str]] = {}
        for name, state in recorded.items():
            up = position(state.revision) < position(target)
            if up and upgrade is not False and not self._allows(name):
                left_out.append(name)
            elif state.revision != target and upgrade in (None, up):
                sources.setdefault(state.revision, set()).add(name)
        ordered = self._ordered(sources, target) if sources else []
        return left_out, {source: frozenset(sources[source]) for source in ordered}

    def _move_sets(self, names: frozenset[str], source: str, target: str) -> Counter[tuple[str, str]]:
        # What only a move needs takes a while to import.
        from seedrail.merge.move import Move
        from seedrail.merge.report.conflicts import ConflictError

        moved: Counter[tuple[str, str]] = Counter()
        models = self.catalog.models if self.context.as_sql else {}
        self.begin_report()
        for stop in (*self.stops(source, target), target):
            move = Move(
                self.rail, source, stop, names, self.options, models, self.answers, target, self._came
            )
            try:
                moved += move.run(self.context)
            except (ConflictError, DecisionError):
                # Nothing is written to the database: the report is what the run was for.
                self.answers.end()
                raise
            source = stop
        return moved

    def stops(self, source: str, target: str) -> list[str]:
        """The revisions between, on a way down, below those at which the ledger met rows.

        There such a row is as its seed state has it. A script cannot look, and goes down one at a time.
        """
        connection = online(self.context)
        below, above = self.rail.position(target), self.rail.position(source)
        if below >= above:
            return []
        positions = {self.rail.position(one.revision) for one in self.rail.between(target, source)}
        if connection is not None:
            positions = {position - 1 for position in connection.scalars(stops_above(below))}
        stops = [self.rail.at(one) for one in sorted(positions, reverse=True) if one < above]
        for one in stops:
            self.rail.history.refuse_gone(one)
        if stops and connection is not None:
            log.info("down to %s by way of %s, where the ledger met rows", target, ", ".join(stops))
        return stops

    def _ordered(self, sources: dict[str, set[str]], target: str) -> list[str]:
        """The sources so that sets with parents move up before, and down after, those with children."""
        frozen = in_foreign_key_order(
            {**self.rail.tables_at(target), **self.rail.tables_at(self.rail.head)}.values()
        )
        rank = {table.set: index for index, table in reversed(list(enumerate(frozen)))}

        def key(source: str) -> tuple[bool, int]:
            down = self.rail.position(source) > self.rail.position(target)
            first = min(rank.get(name, 0) for name in sources[source])
            return down, -first if down else first

        return sorted(sources, key=key)

    def _leave_out(self, name: str, state: "_SetState") -> None:
        log.warning(
            "seed set %s is left out in %s; %s brings it in",
            name, self.options.environment, self.options.spelled("seed_sets", "all"),
        )  # fmt: skip
        # A script cannot know how far a set got that was left out before.
        if not state.left_out and (not self.context.as_sql or state.revision == SEED_BASE):
            from seedrail.merge.write.state import record

            sha256 = self.rail.sha256_of(state.revision)
            for statement in record([name], state.revision, sha256, status=_LEFT_OUT):
                self.context.execute(statement.sql)

    def _report(self, moved: Counter[tuple[str, str]], target: str) -> None:
        if self.context.as_sql:
            return
        tables = sorted({table for tally, table in moved if tally in TALLIES})
        for table in tables:
            counts = ", ".join(f"{moved[t, table]} {t}" for t in TALLIES if moved[t, table])
            log.info("seeds at %s: %s: %s", target, shown(table), counts)
        if not tables:
            log.info("seeds at %s: no row had to change", target)
        for (tally, table), count in sorted(moved.items()):
            if tally == "unlinked" and count:
                log.warning(
                    "%d link%s of seed rows to %s left empty: the row%s not in the database",
                    count, "s" * (count > 1), shown(table), "s are" if count > 1 else " is",
                )  # fmt: skip


def _journey(steps: Sequence[Any], rail: Rail) -> _Journey | None:
    seeds = [s for s in steps if isinstance(s, RevisionStep) and is_seed(s.revision)]
    if not seeds:
        return None
    first, last = seeds[0].revision.revision, seeds[-1].revision.revision
    if seeds[0].is_upgrade:
        return _Journey(rail.parent_of(first), last, last)
    return _Journey(first, rail.parent_of(last), first)


def _answers(context: MigrationContext, options: RunOptions) -> Answers:
    """The files for a run's conflicts; OptionError for a script, whose conflicts are its client's to find."""
    if context.as_sql:
        for name, value in (("seed_report", options.report), ("seed_decisions", options.decisions)):
            if value:
                raise OptionError(f"{name} needs a database to look at; a script of --sql has none")
    return Answers(options.report, options.decisions)


def create_ledger(context: MigrationContext, version: int) -> None:
    """Create the ledger's tables; a `seed_base` that names an older version gets today's all the same."""
    _check_version(version)
    dialect_named(context.dialect.name)
    for table in metadata.sorted_tables:
        context.execute(sa.schema.CreateTable(table))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            context.execute(sa.schema.CreateIndex(index))


def drop_ledger(context: MigrationContext, version: int) -> None:
    """Drop the ledger's tables."""
    _check_version(version)
    connection = online(context)
    if connection is not None:
        bring_over(connection)
    for table in reversed(metadata.sorted_tables):
        context.execute(sa.schema.DropTable(table))


def _check_version(version: int) -> None:
    if version not in (1, LEDGER_VERSION):
        raise SetupError(f"this engine has no ledger of version {version}; it knows version {LEDGER_VERSION}")
