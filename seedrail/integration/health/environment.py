"""What env.py and the database say: its seeds, its tables, its logging; driver, rights, where it stands."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection

from seedrail.dialects import dialect_named
from seedrail.errors import SeedError
from seedrail.history.history import is_seed
from seedrail.integration.autogenerate import pending_changes
from seedrail.integration.health.findings import FAULT, OK, WARNING, Finding, fault
from seedrail.integration.health.tables import CAN, CANNOT, SEEDED, seedable
from seedrail.integration.look.looking import Heads, looking, named
from seedrail.integration.run import LOOKS, SeedRun
from seedrail.quoting import numbered, shown
from seedrail.schema.tables import FrozenTable, SeedTable


def examiner(found: list[Finding]) -> Callable[..., list[Any]]:
    """A function for Alembic's environment that asks everything that needs env.py and the database."""

    def ask(run: SeedRun, connection: Connection, heads: Heads) -> Finding:
        found.extend(_of_environment(run, connection, heads))
        return Finding("environment", OK, "env.py gives its seeds to Alembic, and begins its runs with them")

    inner = looking(ask, found, any_history=True)

    def examine(heads: Sequence[str], context: MigrationContext) -> list[Any]:
        # First, and also of a project that has no seeds yet: its models are what it would like to know about.
        found.append(_of_tables(context))
        return inner(heads, context)

    # What is asked of a function that looks.
    examine.__dict__.update(inner.__dict__)
    return examine


def tables_teller(found: list[Finding]) -> Callable[..., list[Any]]:
    """The same for the tables alone, which asks nothing of a database."""

    def tell(heads: Sequence[str], context: MigrationContext) -> list[Any]:
        found.append(_of_tables(context))
        return []

    setattr(tell, LOOKS, True)
    return tell


def _of_tables(context: MigrationContext) -> Finding:
    metadata = context.opts.get("target_metadata")
    if not metadata:
        return Finding(
            "tables", WARNING, "env.py gives Alembic no models: autogenerate compares none",
            "give target_metadata to context.configure",
        )  # fmt: skip
    tables = seedable(metadata, _declared(context))
    counts = (f"{sum(one.state == state for one in tables):,} {state}" for state in (SEEDED, CAN, CANNOT))
    odd = [one.name for one in tables if one.state == SEEDED and one.reasons]
    mend = f"mend what is said of {', '.join(map(shown, odd))}" if odd else ""
    return Finding("tables", WARNING if odd else OK, ", ".join(counts), mend, tables)


def _declared(context: MigrationContext) -> dict[str, tuple[str, SeedTable]]:
    """The seed tables by name, each with its set; none where the sets cannot be had, as is said elsewhere."""
    try:
        sets = SeedRun.of(context).catalog.sets
    except Exception:  # the application's own function, which may fail in any way
        return {}
    return {table.table.name: (one.name, table) for one in sets for table in one.tables}


def _of_environment(run: SeedRun, connection: Connection, heads: Heads) -> Iterator[Finding]:
    yield _of_loggers()
    yield from _of_database(connection)
    tables: Sequence[FrozenTable] = ()
    try:
        tables = list(run.catalog.tables.values())
        yield Finding("seed sets", OK, ", ".join(shown(one.name) for one in run.catalog.sets) or "none")
    except SeedError as error:
        yield fault("seed sets", error)
    yield from _of_rights(connection, [table.name for table in tables])
    if tables:
        yield _of_documents(run)
    yield _of_position(run, heads)


def _of_loggers() -> Finding:
    told = "what a run does with rows is logged"
    if logging.getLogger("seedrail").getEffectiveLevel() <= logging.INFO:
        return Finding("logging", OK, told)
    return Finding(
        "logging", WARNING, f"not set up: {told} nowhere",
        "add seedrail to the keys of [loggers] in alembic.ini, and a section [logger_seedrail] with"
        " level = INFO, handlers =, qualname = seedrail; seedrail init writes it",
    )  # fmt: skip


def _of_database(connection: Connection) -> Iterator[Finding]:
    dialect = connection.dialect
    version = ".".join(map(str, dialect.server_version_info or ()))
    yield Finding("database", OK, f"{named(connection)}, version {version}, by {dialect.driver}")
    if slower := dialect_named(dialect.name).slower(connection):
        yield Finding("driver", WARNING, slower, "connect with the driver that it names")
    level = connection.get_isolation_level()
    if dialect.name != "sqlite" and level != "READ COMMITTED":
        yield Finding(
            "isolation", WARNING, f"transactions begin as {level}",
            "a run that waits for another would see what was there before: begin migrations READ COMMITTED",
        )  # fmt: skip


def _of_rights(connection: Connection, tables: Sequence[str]) -> Iterator[Finding]:
    dialect = dialect_named(connection.dialect.name)
    missing = dialect.rights_missing(connection, sorted(tables))
    if missing:
        yield Finding("rights", FAULT, f"the role lacks {', '.join(missing)}", "let the owner grant it")
    else:
        yield Finding("rights", OK, "the role may do what a run does")
    secured = dialect.secured(connection, [(None, name) for name in sorted(tables)])
    if secured:
        yield Finding(
            "row security", FAULT, f"policies may hide rows of {', '.join(map(shown, secured))}",
            "run as a superuser or a role with BYPASSRLS",
        )  # fmt: skip


def _of_documents(run: SeedRun) -> Finding:
    try:
        pending = pending_changes(run)
    except SeedError as error:
        return fault("documents", error)
    if pending is None:
        return Finding("documents", OK, "all that they say is in revisions")
    return Finding(
        "documents", WARNING, f"{numbered(len(pending.changes), 'change')} that no revision ships yet",
        'alembic revision --autogenerate -m "…"',
    )  # fmt: skip


def _of_position(run: SeedRun, heads: Heads) -> Finding:
    try:
        run.rail.history.check_heads(heads)
        applied = run.rail.history.applied(heads)
        run.check_content()
    except SeedError as error:
        return fault("revision", error)
    pending = [one for one in run.rail.history.revisions if one.revision not in applied]
    at = ", ".join(heads) or "no revision"
    if not pending:
        return Finding("revision", OK, f"at {at}, the newest")
    seeds = sum(map(is_seed, pending))
    both = f"{numbered(len(pending) - seeds, 'schema revision')} and {numbered(seeds, 'seed revision')}"
    told = f"at {at}; pending: {both}"
    return Finding("revision", WARNING, told, "alembic upgrade head; seedrail plan says what it would do")
