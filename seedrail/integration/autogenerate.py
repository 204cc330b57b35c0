"""Autogenerate for seeds: compares documents with the history, and splits a revision onto its rails."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation
from alembic.operations.ops import DowngradeOps, MigrationScript, UpgradeOps
from alembic.runtime.migration import MigrationContext
from alembic.util import PriorityDispatchResult, to_tuple
from sqlalchemy import MetaData

from seedrail.documents.documents import read
from seedrail.documents.integrity import settle_defaults
from seedrail.errors import ChangeFileError, RailError
from seedrail.history.changefile import Header, encode, pins, sha256
from seedrail.history.changes import Change, diff
from seedrail.history.columns import assumed_values
from seedrail.history.history import SEED_BASE
from seedrail.history.rail import ORPHAN, RESTORE_OR_DELETE, Rail
from seedrail.history.rail.newfiles import undo_on_failure
from seedrail.history.rail.placement import refuse_above_rail
from seedrail.history.rail.stranded import refuse_renamed, refuse_stranded
from seedrail.integration.drift import report_drift
from seedrail.integration.operations import (
    DowngradeSeedsOp,
    GeneratedSeedsOp,
    PendingSeedsOp,
    SchemaDiffs,
    schema_ops,
)
from seedrail.integration.run import SeedRun
from seedrail.progress import Progress
from seedrail.run_options import Removed

log = logging.getLogger(__name__)


def compare_seeds(context: AutogenContext, upgrade_ops: UpgradeOps) -> PriorityDispatchResult:
    """The comparator: what the documents ask for beyond the newest seed revision."""
    run = SeedRun.of(context.migration_context)
    if run.rail.exists:
        rail = run.rail
        rail.verify(rail.revisions)
        if _is_check(context.migration_context):
            run.check_content()
            if context.connection is not None:
                # People's edits are no reason to fail a check; that they are there is worth a warning.
                report_drift(context.connection, rail, logging.WARNING, quiet=run.options.quiet)
        pending = pending_changes(run)
        if pending is not None:
            # Alembic's own type wants one of its classes; any MigrateOperation does.
            upgrade_ops.ops.append(cast(Any, pending))
    return PriorityDispatchResult.CONTINUE


def pending_changes(run: SeedRun) -> PendingSeedsOp | None:
    """What the documents say that no revision ships yet; None where that is nothing."""
    rail = run.rail
    before, released = rail.fold(rail.head)
    frozen = rail.tables_at(rail.head)
    with Progress(shown=not run.options.quiet) as progress:
        rows, tables = read(run.catalog, frozen, progress)
    models = {table for one in _models(run.context) for table in one.tables}
    if models:
        refuse_renamed((before, frozen), (rows, tables), models)
    assumed = assumed_values(before, released, frozen, tables)
    changes = list(diff(before, rows, released, assumed))
    if run.options.removed is Removed.RELEASE:
        changes = [one.release() if one.kind == "delete" else one for one in changes]
    if not changes:
        return None
    known_tables = {**rail.tables_on_way(SEED_BASE, rail.head), **tables}
    # What was released goes with a table that the schema drops.
    there = {name: one for name, one in known_tables.items() if name in models or not models}
    refuse_stranded((before, released), rows, changes, there)
    known = {name: {**released.get(name, {}), **before.get(name, {})} for name in {**before, **released}}
    return PendingSeedsOp(changes, tables, known)


def _models(context: MigrationContext) -> tuple[MetaData, ...]:
    """The application's metadata; none where env.py gives none."""
    return to_tuple(context.opts.get("target_metadata"), default=())


def process_revision_directives(
    context: MigrationContext, revision: Any, directives: list[MigrationScript]
) -> None:
    """One command, and each part of it on its rail.

    Schema changes become a schema revision after the last one; behind it, or alone, comes a seed revision
    that is the new head. A schema revision without seed changes has one too, empty: the history keeps
    one head.
    """
    run = SeedRun.of(context)
    if not directives or not run.rail.exists:
        return
    script = directives[0]
    arguments = context.opts["revision_context"].command_args
    upgrade = cast(UpgradeOps, script.upgrade_ops)
    schema, pending = schema_ops(upgrade), _pending(upgrade)
    uncovered = run.rail.uncovered()
    if _is_check(context) and (orphans := run.rail.orphans()):
        raise ChangeFileError(orphans[0], ORPHAN, RESTORE_OR_DELETE)
    if arguments["autogenerate"] and not schema and not pending and not uncovered:
        # `alembic check` needs a script to look at.
        if not _is_check(context):
            log.info("no schema changes and no seed changes: no revision written")
            directives.clear()
        return
    _refuse_place(run.rail, script)
    if script.head not in (None, "head"):
        # Somebody places a schema revision by hand; the seeds wait for the next command.
        _drop_pending(script, schema)
        return
    scripts = []
    if schema or not arguments["autogenerate"]:
        _keep_schema(script, schema, run.rail)
        uncovered = [script.rev_id or ""]
        scripts.append(script)
    parents = [run.rail.head, *uncovered]
    seed_id = run.rail.next_revision() if scripts else arguments["rev_id"] or run.rail.next_revision()
    scripts.append(_seed_script(context, run, seed_id, parents, script, schema, pending))
    directives[:] = scripts
    undo_on_failure(context.opts["revision_context"], run.rail, seed_id)


def _is_check(context: MigrationContext) -> bool:
    """Whether the command is `alembic check`: it autogenerates, and has no message to give."""
    command = context.opts.get("revision_context")
    options = context.config.cmd_opts if context.config else None
    if command is None or getattr(options, "autogenerate", False):
        return False
    return bool(command.command_args["autogenerate"]) and command.command_args["message"] is None


def _pending(upgrade: UpgradeOps) -> PendingSeedsOp | None:
    found: Iterable[Any] = upgrade.ops
    return next((one for one in found if isinstance(one, PendingSeedsOp)), None)


def _refuse_place(rail: Rail, script: MigrationScript) -> None:
    """Raise RailError where `--head` or `--depends-on` would put a schema revision above seeds."""
    head = None if script.head == "head" else script.head
    scripts = rail.history.scripts
    named = [*(scripts.get_revisions(cast(Any, head)) if head else ())]
    needed = to_tuple(script.depends_on, default=())
    named += [one for dependency in needed for one in scripts.get_revisions(dependency)]
    way = "leave --head and --depends-on out to have it placed, or name a schema revision, with --splice"
    refuse_above_rail(rail.history, "a schema revision", [one.revision for one in named if one], way)


def _keep_schema(script: MigrationScript, schema: list[MigrateOperation], rail: Rail) -> None:
    """Put the schema revision behind the last one; the seed revision behind it follows it alone."""
    heads = rail.schema_heads()
    if len(heads) > 1:
        raise RailError(
            f"the schema rail has {len(heads)} heads ({', '.join(heads)}): merge them first,"
            f" with alembic merge --splice {' '.join(heads)}, then alembic upgrade heads"
        )
    _drop_pending(script, schema)
    script.head = heads[0] if heads else "base"
    script.splice = True


def _drop_pending(script: MigrationScript, schema: list[MigrateOperation]) -> None:
    cast(UpgradeOps, script.upgrade_ops).ops = cast(Any, schema)
    downgrade = cast(DowngradeOps, script.downgrade_ops)
    downgrade.ops = [one for one in downgrade.ops if not isinstance(one, PendingSeedsOp)]


def _seed_script(
    context: MigrationContext,
    run: SeedRun,
    revision: str,
    parents: list[str],
    script: MigrationScript,
    schema: list[MigrateOperation],
    pending: PendingSeedsOp | None,
) -> MigrationScript:
    rail = run.rail
    changes: Sequence[Change] = pending.changes if pending else ()
    # Without changes no document was read, or it says nothing new: what was not seeded still is not.
    tables = (
        pending.tables if pending else settle_defaults(run.catalog.tables, rail.tables_at(rail.head), ())[0]
    )
    left = {name: one for name, one in rail.tables_at(rail.head).items() if name not in tables}
    header = Header(revision, rail.head, rail.sha256_of(rail.head), tables, left=left)
    known = pending.before if pending else {}
    with Progress(shown=not run.options.quiet) as progress:
        progress.begin("writing changes", len(changes))
        content, suffix = encode(header, changes, known, run.text_up_to, progress.made)
    path = rail.directory / f"{revision}{suffix}"
    _refuse_pinned(path, rail.pinned)
    summary = pending.summary() if pending else [_nothing_but(parents[1:])]
    generated = GeneratedSeedsOp(revision, path, content, summary)
    operations: list[MigrateOperation] = [generated]
    if schema:
        operations.append(SchemaDiffs(schema))
    return MigrationScript(
        rev_id=revision,
        message=script.message,
        upgrade_ops=UpgradeOps(cast(Any, operations)),
        downgrade_ops=DowngradeOps(cast(Any, [DowngradeSeedsOp(revision)])),
        head=cast(Any, tuple(parents)),
        imports={pins(path.name, sha256(content))},
    )


def _nothing_but(schema: list[str]) -> str:
    """Said of a seed revision that is made for its place alone."""
    return f"no changes; it is the seed revision that follows schema {', '.join(schema)}"


def _refuse_pinned(path: Path, pinned: set[str]) -> None:
    if path.name in pinned:
        raise ChangeFileError(
            path.name, "belongs to another revision", "choose another --rev-id for the new one"
        )
