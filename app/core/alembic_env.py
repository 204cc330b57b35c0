"""What env.py needs beside the engine: options, and how the command line says what came of it."""

import gc
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TextIO, cast

from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import JSON, DefaultClause

from app.core import dropping
from app.core.config import get_settings
from app.core.errors import AppError
from app.core.exits import end_of, exit_code_of, wants_traceback
from app.core.signals import signals_heeded
from app.core.streams import Notices, Output, finish, say, speak_utf8
from app.core.types import UTCDateTime
from seedrail import RunOptions, StandIn, named_failures

OPTIONS, QUIET = "seed_options", "quiet"
"""The attributes of a Config by which a program says what the command line says with `-x` and `-q`."""

_OWNER = "seed_owner"
X_OPTIONS = {
    _OWNER: "the account (email, or a service's name) that owns seeded rows whose document names nobody",
    dropping.OPTION: "yes: a downgrade may drop the accounts' tables with accounts in them",
}
"""The options of `alembic -x` that this application has of its own."""
_FLAGS = {
    "seed_conflict": "--conflict",
    "seed_sets": "--sets",
    "seed_report": "--report",
    "seed_decisions": "--decisions",
}
"""What the scripts call the options of `-x`."""


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
        raise end_of(interrupt) from None


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
    given = {**arguments, **config.attributes.get(OPTIONS, {})}
    setting = f"-x {_OWNER}" if _OWNER in given else "APP_SEED_OWNER"
    named = given.get(_OWNER, settings.seed_owner).strip()
    return RunOptions.parse(
        given,
        defaults,
        settings.environment,
        quiet=is_quiet(config),
        flags=_FLAGS if OPTIONS in config.attributes else {},
        others=[_OWNER],
        stand_ins=lambda: owner(named, setting) if named else (),
    )


def is_quiet(config: Config) -> bool:
    """Whether a run says nothing but warnings and errors: `alembic -q`, or a script's --quiet."""
    return bool(config.attributes.get(QUIET) or getattr(config.cmd_opts, "quiet", False))


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
