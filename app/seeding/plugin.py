"""The Alembic plugin: what `migrations/env.py` calls so that a history carries seeds."""

from functools import cache
from typing import Any

from alembic.runtime.migration import MigrationContext
from alembic.runtime.plugins import Plugin

from app.seeding import autogenerate
from app.seeding.dialects import dialect_named
from app.seeding.options import RunOptions
from app.seeding.run import SeedRun
from app.seeding.sets import SeedCatalog

NAME = "app.seeding"


def setup(plugin: Plugin) -> None:
    """Alembic's entry into a plugin: registers the comparator."""
    plugin.add_autogenerate_comparator(autogenerate.compare_seeds, "autogenerate")


@cache
def register() -> None:
    """Register the plugin, once a process: an entry point breaks Alembic before 1.20.1."""
    setup(Plugin(NAME))


def configure_options() -> dict[str, Any]:
    """Keyword arguments for `context.configure`."""
    register()
    return {
        "include_name": autogenerate.include_name,
        "process_revision_directives": autogenerate.process_revision_directives,
        "autogenerate_plugins": ["alembic.autogenerate.*", NAME],
    }


def attach(context: MigrationContext, catalog: SeedCatalog, options: RunOptions | None = None) -> None:
    """Let the seeds take part in the run of a context that `context.configure` has just made."""
    if context.as_sql:
        for statement in dialect_named(context.dialect.name).session:
            context.impl.static_output(statement)
    SeedRun(context, catalog, options or RunOptions()).attach()


def lock(context: MigrationContext, seconds: float) -> None:
    """Inside the run's transaction: wait for other runs; LockTimeout after `seconds`."""
    if context.connection is not None and not context.as_sql:
        dialect_named(context.dialect.name).lock(context.connection, seconds)
