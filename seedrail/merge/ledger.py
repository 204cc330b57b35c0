"""The ledger: the engine's own tables. `seed_state` says what was applied to each seed set, `seed_ledger`
holds what a rollback must know: only the rows where the database and the seed differed.
"""

from typing import Any
from uuid import UUID

import sqlalchemy as sa

LEDGER_VERSION = 1

metadata = sa.MetaData()

seed_state = sa.Table(
    "seed_state",
    metadata,
    sa.Column("seed_set", sa.String(63), nullable=False),
    sa.Column("revision", sa.String(32), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.PrimaryKeyConstraint("seed_set", name="pk_seed_state"),
    sa.CheckConstraint("status IN ('applied', 'left out')", name="ck_seed_state_status"),
)
"""One row a seed set: the seed revision whose rows it holds, that revision's digest, and whether the
environment leaves it out of what came after.
"""

seed_ledger = sa.Table(
    "seed_ledger",
    metadata,
    sa.Column("table_name", sa.String(63), nullable=False),
    sa.Column("seed_id", sa.Uuid(), nullable=False),
    sa.Column("column_name", sa.String(63), nullable=False),
    sa.Column("position", sa.Integer(), nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("live_id", sa.Uuid()),
    # SQLite keeps the value as it is; PostgreSQL its text.
    sa.Column("pre_image", sa.Text().with_variant(sa.LargeBinary(), "sqlite")),
    sa.PrimaryKeyConstraint(
        "table_name", "seed_id", "column_name", "position", "outcome", name="pk_seed_ledger"
    ),
)
"""One row a deviation; `column_name` is empty where it concerns the whole row, `position` counts the
seed revisions up to the one that met it (1 is the first after seed_base).

| outcome | of | means |
|---|---|---|
| `adopted` | row | it was there when the seed wanted to insert it: it is not ours (`live_id`) |
| `changed` | column | the seed changed a column of an adopted row; `pre_image` is what was there |
| `released`, `restored` | row, column | `adopted` and `changed` of a row that left the seed since |
| `same` | column | it had the value that the seed wanted to set |
| `kept` | row, column | the seed wanted to delete or change it, and the policy kept it |
| `overwritten` | column | the seed took an edit away, as the policy asked; the way down restores it |
| `discarded` | column | the same on the way down: kept for the record alone |
| `absent` | row | it was gone, or could not be linked, when the seed wanted to change, delete or insert it |
| `revived` | row | it was gone when the seed wanted to change it, and the policy brought it back |
| `cut` | column | the seed's link led to a row that was gone, and was left empty |
| `stand-in` | column | the seed's optional link (`pre_image`) led nowhere, and got another row (`live_id`) |
"""

STAND_IN = "stand-in"

NO_ROW = UUID(int=0)
"""The seed id of an entry of no row, which says whose stand-in it is in states that a run jumped over."""


def kept_rows(target: int) -> sa.Select[Any]:
    """Rows that were kept at positions which a move down to `target` jumps over."""
    return sa.select(seed_ledger).where(
        seed_ledger.c.outcome == "kept",
        seed_ledger.c.column_name == "",
        seed_ledger.c.position > target + 1,
    )


def stops_above(target: int) -> sa.Select[Any]:
    """The positions below which a move down to `target` stops: of rows that were kept, and of stand-ins.

    A row or a link may have been something else between the two, and is looked at as it was there.
    """
    kept = sa.and_(seed_ledger.c.outcome == "kept", seed_ledger.c.column_name == "")
    filled = sa.and_(seed_ledger.c.outcome == STAND_IN, seed_ledger.c.seed_id != NO_ROW)
    met = sa.or_(kept, filled)
    position = seed_ledger.c.position
    return sa.select(position).where(met, position > target + 1).distinct()


TABLE_NAMES = frozenset(table.name for table in metadata.sorted_tables)
"""The tables that autogenerate must leave alone."""
