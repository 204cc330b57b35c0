"""Stand-ins: what a run writes into an optional link whose row is unknown, as the application's run asks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext

from seedrail.errors import OptionError
from seedrail.merge.database.guards import stop_if_any
from seedrail.merge.database.session import online
from seedrail.schema.tables import FrozenTable

StandIns = Mapping[tuple[str, str], Any]
"""The ids that stand in, as SQL, by table and column."""


@dataclass(frozen=True)
class StandIn:
    """The row that an optional link of seed rows falls back to, where the link names none that is there.

    `ids` selects its id in the table that the link leads to. Where that is not one row, a move that would
    need it ends with `missing`, a sentence: an OptionError online, a guard in a script.
    """

    table: str
    column: str
    ids: sa.Select[Any]
    missing: str


def find_stand_ins(
    context: MigrationContext, tables: Iterable[FrozenTable], asked: Sequence[StandIn]
) -> StandIns:
    """Those of some tables' optional links; OptionError where one does not exist."""
    links = {
        (table.name, name)
        for table in tables
        for name, key in table.foreign_keys.items()
        if key.optional and table.columns[name].nullable
    }
    wanted = [one for one in asked if (one.table, one.column) in links]
    return {(one.table, one.column): _found(context, one) for one in wanted}


def _found(context: MigrationContext, wanted: StandIn) -> Any:
    connection = online(context)
    if connection is None:
        count = sa.select(sa.func.count()).select_from(wanted.ids.subquery())
        what = f"links without their stand-in: {wanted.missing}"
        stop_if_any(context, what, sa.select(sa.func.abs(count.scalar_subquery() - 1)))
        return wanted.ids.scalar_subquery()
    ids = connection.scalars(wanted.ids.limit(2)).all()
    if len(ids) != 1:
        raise OptionError(wanted.missing)
    # A query, so that no statement takes the value for one of another type.
    return sa.select(sa.literal(ids[0], sa.Uuid())).scalar_subquery()
