"""The Alembic plugin: what `migrations/env.py` calls so that a history carries seeds."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import MigrationScript, UpgradeOps
from alembic.runtime.migration import MigrationContext
from alembic.runtime.plugins import Plugin
from alembic.util import PriorityDispatchResult

import seedrail.integration.operations  # noqa: F401 - registers what revisions call
from seedrail.dialects import dialect_named
from seedrail.documents.sets import SeedCatalog
from seedrail.failures import named_failures
from seedrail.integration.run import LOCK_TIMEOUT, SeedRun
from seedrail.merge.ledger import TABLE_NAMES
from seedrail.merge.session import online, open_script, pin, settle_names
from seedrail.options import RunOptions

NAME = "seedrail"


def setup(plugin: Plugin) -> None:
    """Alembic's entry into a plugin: registers the comparator."""
    plugin.add_autogenerate_comparator(_compare_seeds, "autogenerate")


@cache
def register() -> None:
    """Register the plugin, once a process: an entry point breaks Alembic before 1.20.1."""
    setup(Plugin(NAME))


def configure_options() -> dict[str, Any]:
    """Keyword arguments for `context.configure`."""
    register()
    return {
        "include_name": _include_name,
        "process_revision_directives": _process_revision_directives,
        "autogenerate_plugins": ["alembic.autogenerate.*", NAME],
    }


def attach(
    context: MigrationContext, catalog: Callable[[], SeedCatalog], options: RunOptions | None = None
) -> None:
    """Let the seeds take part in the run of a context that `context.configure` has just made.

    `catalog` is called when a run needs to know the seed sets; before it compares models, at the latest.
    """
    open_script(context)
    run = SeedRun(context, catalog, options or RunOptions())
    if "revision_context" in context.opts:
        _ = run.catalog
    run.attach()


def lock(context: MigrationContext, seconds: float) -> None:
    """First in the run's transaction: pin the session, wait for other runs; LockTimeout after `seconds`.

    From then on a bare name finds the catalog's own table, for the revisions of the schema, too.
    """
    context.impl.memo[LOCK_TIMEOUT] = seconds
    with named_failures(seconds):
        pin(context)
        dialect = dialect_named(context.dialect.name)
        connection = online(context)
        if connection is not None:
            dialect.lock(connection, seconds)
        else:
            for statement in dialect.lock_script():
                context.execute(statement)
        settle_names(context)


# Reading documents takes many imports, and every command passes by here.


def _compare_seeds(context: AutogenContext, upgrade_ops: UpgradeOps) -> PriorityDispatchResult:
    from seedrail.integration.autogenerate import compare_seeds

    return compare_seeds(context, upgrade_ops)


def _process_revision_directives(
    context: MigrationContext, revision: Any, directives: list[MigrationScript]
) -> None:
    from seedrail.integration.autogenerate import process_revision_directives

    process_revision_directives(context, revision, directives)


def _include_name(name: str | None, type_: str, parents: Mapping[str, Any]) -> bool:
    """Keeps autogenerate from dropping the ledger's tables."""
    return not (type_ == "table" and name in TABLE_NAMES)
