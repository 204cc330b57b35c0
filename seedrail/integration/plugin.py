"""What an application's `env.py` calls so that its history carries seeds: `options`, then `begin`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import MigrationScript, UpgradeOps
from alembic.runtime.migration import MigrationContext
from alembic.runtime.plugins import Plugin
from alembic.util import PriorityDispatchResult
from sqlalchemy.exc import DBAPIError

import seedrail.integration.operations  # noqa: F401 - registers what revisions call
from seedrail.dialects import dialect_named
from seedrail.failures import named_failures
from seedrail.history.changefile import TEXT_UP_TO
from seedrail.integration import forgotten
from seedrail.integration.run import LOCK_TIMEOUT, LOOKS, TEXT_OPTION, SeedRun
from seedrail.integration.said_once import said_once
from seedrail.merge.database.session import online, open_script, pin, settle_names
from seedrail.merge.ledger import TABLE_NAMES
from seedrail.merge.write.bring_over import OLD_LEDGER
from seedrail.run_options import RunOptions

if TYPE_CHECKING:
    from seedrail.documents.sets import SeedCatalog

NAME = "seedrail"

IncludeName = Callable[[str | None, Any, Any], bool]
Directives = Callable[[MigrationContext, Any, list[MigrationScript]], None]
VersionApplied = Callable[..., None]
T = TypeVar("T")


def setup(plugin: Plugin) -> None:
    """Alembic's entry into a plugin: registers the comparator."""
    plugin.add_autogenerate_comparator(_compare_seeds, "autogenerate")


@cache
def register() -> None:
    """Register the plugin, once a process; Alembic before 1.20.1 takes no single module as entry point."""
    setup(Plugin(NAME))


def options(
    seeds: "SeedCatalog | Callable[[], SeedCatalog]",
    *,
    include_name: IncludeName | None = None,
    process_revision_directives: Directives | Sequence[Directives] | None = None,
    autogenerate_plugins: Sequence[str] = ("alembic.autogenerate.*",),
    on_version_apply: VersionApplied | Sequence[VersionApplied] = (),
    text_up_to: int = TEXT_UP_TO,
) -> dict[str, Any]:
    """Keyword arguments for `context.configure`; hooks of your own are given here instead, and are kept.

    `seeds` may be a function that imports the catalog: it is called when a run needs to know the seed sets.
    Directives of your own come first, and see one script in which the seeds' changes are an operation.
    A change file of more than `text_up_to` bytes is written as gzip.
    """
    register()
    return {
        forgotten.SEEDS: seeds,
        TEXT_OPTION: text_up_to,
        "include_name": _both_include(include_name) if include_name else _include_name,
        "process_revision_directives": _one_after_another(
            [*_several(process_revision_directives), _process_revision_directives]
        ),
        "autogenerate_plugins": [*autogenerate_plugins, NAME],
        "on_version_apply": [_begun, *_several(on_version_apply)],
    }


@contextmanager
def begin(context: Any, run: RunOptions | None = None, *, lock_timeout: float = 60) -> Iterator[None]:
    """The transaction of a run, around `context.run_migrations()`; the seeds take part in it.

    `context` is `alembic.context`, configured. `run` is what the run was told: by `-x` alone, if it is left
    out. The transaction begins with the write lock; LockTimeout after `lock_timeout` seconds. It works
    online, with `--sql`, and in a function that `run_sync` calls.
    """
    migration: MigrationContext = context.get_context()
    with said_once(migration), _begun_run(context, migration, run, lock_timeout):
        yield


@contextmanager
def _begun_run(
    context: Any, migration: MigrationContext, run: RunOptions | None, lock_timeout: float
) -> Iterator[None]:
    forgotten.check(migration)
    if migration.dialect.name == "sqlite":
        # It can, once its transaction was begun by name; Alembic thinks of drivers that do not.
        migration.impl.transactional_ddl = True
    seeds = migration.opts[forgotten.SEEDS]
    given = run or RunOptions.parse(context.get_x_argument(as_dictionary=True), {}, "development")
    _attach(migration, seeds if callable(seeds) else lambda: seeds, given)
    with context.begin_transaction():
        if getattr(migration.opts.get("fn"), LOOKS, False):
            # Nobody has to wait for a command that writes nothing, and it waits for nobody.
            pin(migration)
            settle_names(migration)
        else:
            _lock(migration, lock_timeout)
        SeedRun.of(migration).follow_history()
        try:
            yield
        except DBAPIError as error:
            failure = SeedRun.of(migration).schema_failure(error)
            if failure is None:
                raise
            raise failure from error


def _attach(context: MigrationContext, catalog: "Callable[[], SeedCatalog]", options: RunOptions) -> None:
    """Let the seeds take part in the run of a context."""
    open_script(context)
    run = SeedRun(context, catalog, options)
    if "revision_context" in context.opts:
        # Before models are compared: the catalog may be what imports them.
        _ = run.catalog
    run.attach()


def _lock(context: MigrationContext, seconds: float) -> None:
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


# -- hooks: reading documents takes many imports, and every command passes by here


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
    return not (type_ == "table" and name in {*TABLE_NAMES, OLD_LEDGER.name})


def _both_include(theirs: IncludeName) -> IncludeName:
    return lambda name, type_, parents: (
        bool(theirs(name, type_, parents)) and _include_name(name, type_, parents)
    )


def _one_after_another(hooks: Sequence[Directives]) -> Directives:
    def process(context: MigrationContext, revision: Any, directives: list[MigrationScript]) -> None:
        for hook in hooks:
            hook(context, revision, directives)

    return process


def _begun(*, ctx: MigrationContext, **_: Any) -> None:
    """A step that ran outside of `begin` had neither lock nor seeds: its transaction is to fail."""
    SeedRun.of(ctx)


def _several(given: T | Sequence[T] | None) -> list[T]:
    if given is None:
        return []
    return [*given] if isinstance(given, Sequence) else [given]
