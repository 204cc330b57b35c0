"""Alembic for this application: what env.py needs of it, and the two commands as functions."""

import gc
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TextIO, cast

from alembic import command
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import JSON, Connection, DefaultClause, inspect, text

from app.core.config import ROOT, get_settings
from app.core.engines import connected, new_engine
from app.core.errors import AppError, SchemaBehind
from app.core.exits import after_commit, exit_code_of, interruption, wants_traceback
from app.core.shown_urls import shown_url
from app.core.signals import signals_heeded
from app.core.sqlite import file_of
from app.core.streams import Notices, Output, finish, say, speak_utf8
from app.core.types import UTCDateTime
from seedrail import SEED_BASE, Rail, RunOptions, StandIn, StateError
from seedrail.failures import NO_SCHEMA, DatabaseFailure, named_failures
from seedrail.quoting import shown


def alembic_config(options: Mapping[str, str | None] | None = None, *, quiet: bool = False) -> Config:
    """The project's alembic.ini, wherever the process was started, with options as of `-x`."""
    given = {name: value for name, value in (options or {}).items() if value is not None}
    return Config(str(ROOT / "alembic.ini"), attributes={_OPTIONS: given, _QUIET: quiet})


_OPTIONS, _QUIET, _OWNER = "seed_options", "quiet", "seed_owner"
_FLAGS = {"seed_conflict": "--conflict", "seed_sets": "--sets"}
"""What the scripts call the options of `-x`."""


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
    from seedrail.merge import drift

    engine = new_engine()
    try:
        with connected(engine) as connection:
            rail = Rail(ScriptDirectory.from_config(config))
            drift.report(lambda: drift.differences(connection, rail, quiet=False), logging.INFO)
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
    engine = new_engine()
    try:
        with connected(engine) as connection:
            if not inspect(connection).has_table("alembic_version"):
                _require_visible_schema(connection)
                return ()
            rows = connection.execute(text("SELECT version_num FROM alembic_version"))
            return tuple(sorted(row.version_num for row in rows))
    finally:
        engine.dispose()


def _require_visible_schema(connection: Connection) -> None:
    if connection.dialect.name == "postgresql" and connection.scalar(text("SELECT current_schema()")) is None:
        raise DatabaseFailure(NO_SCHEMA, "the role sees no schema")


def require_schema() -> None:
    """Raise SchemaBehind unless the database has the newest schema; which seeds it has does not matter."""
    url = get_settings().url()
    if url.get_backend_name() == "sqlite" and not file_of(url).exists():
        # Connecting would create it.
        raise SchemaBehind(f"there is no database {shown_url(url)} yet: alembic upgrade head makes it")
    rail = _rail(alembic_config())
    heads = rail.schema_heads()
    revisions = applied_revisions()
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


# -- for env.py ------------------------------------------------------------------------------------


def keep_imports(config: Config) -> None:
    """On the command line: leave everything imported so far out of every garbage collection.

    It stays until the process ends. To look through all of it then, for nothing, takes a fifth of a command
    that has nothing to do.
    """
    if _on_command_line(config):
        gc.freeze()


def _on_command_line(config: Config) -> bool:
    """Whether the process is Alembic's own, and not a program that runs a command of it."""
    return config.cmd_opts is not None


@contextmanager
def reported(config: Config) -> Iterator[None]:
    """On the command line: an expected error is a message and its exit code, without a traceback.

    Alembic's own handling would print it twice, wrapped to the terminal, and exit with 255.
    """
    if not _on_command_line(config):
        yield
        return
    speak_utf8()
    # Alembic itself passes over a result that cannot be written.
    config.stdout = cast("TextIO", Output())
    try:
        with signals_heeded(), named_failures():
            yield
        finish()
        # What Alembic says from now on (a file that it writes, a check that found nothing) is not caught here
        # any more, and is no result: that is the file, and the exit code.
        sys.stdout = config.stdout = cast("TextIO", Notices(sys.stdout))
    except (AppError, CommandError) as error:
        if getattr(config.cmd_opts, "raiseerr", False) or wants_traceback():
            raise
        say(f"ERROR: {error}")
        raise SystemExit(exit_code_of(error)) from None
    except KeyboardInterrupt as interrupt:
        sentence, code = interruption(interrupt)
        say(sentence)
        raise SystemExit(code) from None


@contextmanager
def unseen_expressions() -> Iterator[None]:
    """Without a word about indexes of expressions, which nobody can reflect from SQLite.

    A table that is rebuilt there loses them: a revision that does so makes them again, and
    tests/features/users/test_schema_revision.py compares what the revisions make with the models.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*expression-based index")
        yield


def seed_options(
    config: Config,
    arguments: Mapping[str, str],
    owner: Callable[[str, str], Sequence[StandIn]],
) -> RunOptions:
    """The run's options: those of `-x` or of a script, over the settings.

    `owner` gives what makes an account the owner of seeded rows, by its name and by what named it.
    """
    settings = get_settings()
    defaults = {"seed_conflict": settings.seed_conflict, "seed_sets": settings.seed_sets}
    given = {**arguments, **config.attributes.get(_OPTIONS, {})}
    setting = f"-x {_OWNER}" if _OWNER in given else "APP_SEED_OWNER"
    named = given.get(_OWNER, settings.seed_owner).strip()
    return RunOptions.parse(
        given,
        defaults,
        settings.environment,
        quiet=is_quiet(config),
        flags=_FLAGS if _OPTIONS in config.attributes else {},
        others=[_OWNER],
        stand_ins=lambda: owner(named, setting) if named else (),
    )


def is_quiet(config: Config) -> bool:
    """Whether a run says nothing but warnings and errors: `alembic -q`, or a script's --quiet."""
    return bool(config.attributes.get(_QUIET) or getattr(config.cmd_opts, "quiet", False))


def offline_options(config: Config) -> dict[str, Any]:
    """How `--sql` is written: literals in place, and no driver's percent signs doubled."""
    return {
        "url": get_settings().url(),
        "output_buffer": config.output_buffer or Output(),
        "literal_binds": True,
        "dialect_opts": {"paramstyle": "named"},
    }


def render_item(kind: str, item: Any, context: AutogenContext) -> str | Literal[False]:
    """Revisions name SQLAlchemy's types, not the application's, and run on every database.

    Without it a default is rendered in the words of the database that autogenerate happened to ask.
    """
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, JSON):
        context.imports.add("from sqlalchemy.dialects.postgresql import JSONB")
        return 'sa.JSON().with_variant(JSONB(), "postgresql")'
    if kind == "server_default" and isinstance(item, DefaultClause):
        return _PORTABLE_DEFAULTS.get(str(item.arg).lower(), False)
    return False


_PORTABLE_DEFAULTS: dict[str, str | Literal[False]] = {
    "now()": "sa.func.now()",
    "current_timestamp": "sa.func.now()",
    "true": "sa.true()",
    "false": "sa.false()",
}
