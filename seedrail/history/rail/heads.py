"""Several heads: what Alembic asks to be one, what a merge must not make one of, what -1 cannot mean."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script.revision import MultipleHeads, ResolutionError
from alembic.util import CommandError

from seedrail.errors import RailError
from seedrail.history.history import SEED_BASE, without_steps
from seedrail.history.rail.line import Rail
from seedrail.history.rail.placement import CLOSE, refuse_above_rail
from seedrail.quoting import shown


def refuse_merge(rail: Rail, command: Callable[..., Iterable[Any]], config: Config | None) -> None:
    """Raise RailError where `alembic merge` would put a schema revision on top of seeds.

    It runs env.py for its settings alone; what it is to merge is on the command line, if there is one.
    """
    if getattr(command, "__qualname__", "") == "merge.<locals>.nothing" and rail.exists:
        revisions = getattr(config.cmd_opts, "revisions", None) if config else None
        rail.history.refuse_unclear(revisions)
        merged = rail.history.scripts.get_revisions(revisions or ())
        way = f"a seed revision is what merges the schema with the seeds: {CLOSE}"
        refuse_above_rail(rail.history, "a merge revision", [one.revision for one in merged if one], way)


def refuse_step_from_several(rail: Rail, heads: Sequence[str], context: MigrationContext) -> None:
    """Raise RailError for `downgrade -1` from two revisions, such as the schema's head and seed_base.

    Alembic warns, and takes the first: a schema revision, which drops columns with what people wrote there.
    """
    target = context.opts.get("destination_rev")
    if rail.exists and len(heads) > 1 and re.fullmatch(r"-\d+", str(target)):
        at = " and ".join(map(shown, sorted(heads)))
        raise RailError(
            f"{target} may mean a step of the schema or one of the seeds, for the database is at {at};"
            f" nothing was written\n  name the revision to go down to, such as alembic downgrade {SEED_BASE}"
        )


def with_way_out(rail: Rail, error: CommandError) -> CommandError:
    """A command's error, with the way to one head where it found several: Alembic knows of no rails."""
    if isinstance(error.__cause__, ResolutionError):
        rail.history.refuse_gone(without_steps(str(error.__cause__.argument)))
    cause, schema = error.__cause__, rail.uncovered()
    if not isinstance(cause, MultipleHeads) or not schema:
        return error
    if rail.exists and len(schema) == 1:
        way = f"go on with {CLOSE}: no seed revision follows {schema[0]!r} yet"
    else:
        way = f'alembic merge -m "…" {" ".join(schema)} makes the schema one line again'
        way += f"; {CLOSE}" if rail.exists else ""
    heads = [repr(head) for head in rail.history.heads_of(rail.history.by_id)]
    return RailError(
        f"the history has {len(heads)} heads, {' and '.join(heads)}, where {cause.argument!r} must be one;"
        f" nothing was written\n  {way}"
    )
