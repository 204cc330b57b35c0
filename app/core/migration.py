"""Alembic's commands as functions, and where a database is on the project's rails."""

import logging
from collections.abc import Mapping

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, inspect, text

from app.core.alembic_env import OPTIONS, QUIET
from app.core.config import ROOT, get_settings
from app.core.engines import connected, new_engine
from app.core.errors import LockTimedOut, SchemaBehind
from app.core.exits import after_commit
from app.core.locks import limit_waits
from app.core.shown_urls import shown_url
from app.core.sqlite import is_there
from seedrail import SEED_BASE, DatabaseFailure, LockTimeout, Rail, StateError, failures, report_drift, shown


def alembic_config(options: Mapping[str, str | None] | None = None, *, quiet: bool = False) -> Config:
    """The project's alembic.ini, wherever the process was started, with options as of `-x`."""
    given = {name: value for name, value in (options or {}).items() if value is not None}
    return Config(str(ROOT / "alembic.ini"), attributes={OPTIONS: given, QUIET: quiet})


def seed(*, quiet: bool = False, **options: str | None) -> tuple[str, ...]:
    """`alembic upgrade head`; returns the revisions that the database is at then.

    `options` are those of `-x`, by name; None leaves the setting's. Unless the run is quiet, it is said where
    people changed rows that were seeded before.
    """
    config = alembic_config(options, quiet=quiet)
    before = () if quiet else applied_revisions()
    command.upgrade(config, "head")
    with after_commit():
        if before:
            _say_drift(config)
        return applied_revisions()


def _say_drift(config: Config) -> None:
    # Not of the engine that migrates: nobody has to wait for a comparison.
    engine = new_engine()
    try:
        with connected(engine) as connection:
            limit_waits(connection)
            rail = Rail(ScriptDirectory.from_config(config))
            report_drift(connection, rail, logging.INFO, quiet=False)
    finally:
        engine.dispose()


def rollback_seed(*, quiet: bool = False, **options: str | None) -> tuple[str, ...]:
    """`alembic downgrade seed_base`, or nothing where no seed revision was ever applied."""
    config = alembic_config(options, quiet=quiet)
    if SEED_BASE in _rail(config).history.applied(applied_revisions()):
        command.downgrade(config, SEED_BASE)
    with after_commit():
        return applied_revisions()


def applied_revisions() -> tuple[str, ...]:
    """The revisions in `alembic_version`, sorted; none for an empty database.

    DatabaseUnavailable where the role sees no schema: nothing that is there would be found.
    """
    if not _may_be_there(get_settings().url()):
        return ()
    engine = new_engine()
    try:
        with connected(engine, lock_timeout=get_settings().lock_timeout) as connection:
            limit_waits(connection)
            if not inspect(connection).has_table("alembic_version"):
                _require_visible_schema(connection)
                return ()
            rows = connection.execute(text("SELECT version_num FROM alembic_version"))
            return tuple(sorted(row.version_num for row in rows))
    finally:
        engine.dispose()


def _may_be_there(url: URL) -> bool:
    """Whether there is something to connect to: what only asks must not leave an empty file behind."""
    return url.get_backend_name() != "sqlite" or is_there(url)


def _require_visible_schema(connection: Connection) -> None:
    if connection.dialect.name == "postgresql" and connection.scalar(text("SELECT current_schema()")) is None:
        raise DatabaseFailure(failures.NO_SCHEMA, "the role sees no schema")


def require_schema() -> None:
    """Raise SchemaBehind unless the database has the newest schema; which seeds it has does not matter."""
    url = get_settings().url()
    if not _may_be_there(url):
        raise SchemaBehind(f"there is no database {shown_url(url)} yet: alembic upgrade head makes it")
    rail = _rail(alembic_config())
    heads = rail.schema_heads()
    try:
        revisions = applied_revisions()
    except LockTimeout as error:
        raise LockTimedOut(error.seconds) from None
    at = ", ".join(map(shown, revisions)) or "no revision"
    try:
        applied = rail.history.applied(revisions)
    except StateError:
        raise SchemaBehind(
            f"the database {shown_url(url)} is at {at}, which this version of the project does not"
            " know: it was migrated by a newer one"
        ) from None
    if not applied.issuperset(heads):
        raise SchemaBehind(
            f"the database {shown_url(url)} is at {at}, behind the schema {', '.join(heads)}:"
            " run alembic upgrade head first"
        )


def describe_database() -> str:
    """The database's URL without its password."""
    return shown_url(get_settings().url())


def _rail(config: Config) -> Rail:
    """The project's history."""
    return Rail(ScriptDirectory.from_config(config))
