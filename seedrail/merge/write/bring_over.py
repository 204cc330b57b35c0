"""Bring over: a database whose ledger is of version 1 gets one of claims, in the transaction of its next run.

Version 1 had a row for each *outcome*; each was a claim, seen from one side. One way: there is no road back.
"""

import logging
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.schema import CreateIndex, CreateTable, DropTable

from seedrail.dialects import dialect_named
from seedrail.merge.ledger import ABSENT, CUT, EXISTS, OWNER, PRESENT, SEED, VALUE, seed_claims

log = logging.getLogger(__name__)

OLD_LEDGER = sa.Table(
    "seed_ledger",
    sa.MetaData(),
    sa.Column("table_name", sa.String(63)),
    sa.Column("seed_id", sa.Uuid()),
    sa.Column("column_name", sa.String(63)),
    sa.Column("position", sa.Integer()),
    sa.Column("outcome", sa.String(16)),
    sa.Column("live_id", sa.Uuid()),
    sa.Column("pre_image", VALUE),
)

_ROWS = {
    "adopted": (PRESENT, OWNER),
    "released": (PRESENT, OWNER),
    "kept": (PRESENT, OWNER),
    "absent": (ABSENT, OWNER),
    "revived": (ABSENT, SEED),
}
"""What an outcome of a whole row claims: its value, and who stands on top."""

_COLUMNS = {
    "changed": SEED,
    "restored": SEED,
    "overwritten": SEED,
    "same": OWNER,
    "kept": OWNER,
    "cut": CUT,
    "stand-in": CUT,
}
"""Who stands on top of a column, by its outcome."""


def bring_over(connection: Connection) -> None:
    """Make claims of an old ledger's outcomes and drop it; nothing where there is none."""
    # By its name as the run finds it, as all statements do.
    if not dialect_named(connection.dialect.name).find(connection, [OLD_LEDGER.name]):
        return
    connection.execute(CreateTable(seed_claims))
    for index in sorted(seed_claims.indexes, key=lambda index: str(index.name)):
        connection.execute(CreateIndex(index))
    names = ["table_name", "seed_id", "column_name", "position", "value", "stands", "live_id"]
    claim = sa.union_all(*_claims(connection)).subquery("claim")
    # What opened a chapter was claimed before what followed in it.
    order = claim.c.position, claim.c.rank, claim.c.table_name, claim.c.seed_id, claim.c.column_name
    rows = sa.select(*(claim.c[name] for name in names)).order_by(*order)
    brought = connection.execute(sa.insert(seed_claims).from_select(names, rows)).rowcount
    connection.execute(DropTable(OLD_LEDGER))
    log.info("the ledger was brought over to version 2: %d claims", brought)


def _claims(connection: Connection) -> list[sa.Select[Any]]:
    old, dialect = OLD_LEDGER.c, dialect_named(connection.dialect.name)
    whole = sa.and_(old.column_name == EXISTS, old.outcome != "stand-in")
    here = sa.case({what: value for what, (value, _) in _ROWS.items()}, value=old.outcome)
    stands = sa.case({what: stands for what, (_, stands) in _ROWS.items()}, value=old.outcome)
    opened = sa.case((old.outcome == "released", 0), else_=1)
    rows = _claim(old.position, here, stands, old.live_id, opened).where(whole, old.outcome.in_(_ROWS))
    value = sa.case((old.outcome == "stand-in", dialect.to_ledger(old.live_id)), else_=old.pre_image)
    top = sa.case(_COLUMNS, value=old.outcome)
    nobody = sa.cast(sa.null(), sa.Uuid())
    columns = _claim(old.position, value, top, nobody, sa.literal(2)).where(~whole, old.outcome.in_(_COLUMNS))
    return [rows, columns, _adopted_before()]


def _adopted_before() -> sa.Select[Any]:
    """A row that was released had been adopted, at the latest when its columns were changed."""
    old, column = OLD_LEDGER.c, OLD_LEDGER.alias("column")
    first = (
        sa.select(sa.func.min(column.c.position))
        .where(
            column.c.table_name == old.table_name,
            column.c.seed_id == old.seed_id,
            column.c.outcome == "restored",
            column.c.position <= old.position,
        )
        .scalar_subquery()
    )
    at = sa.func.coalesce(first, old.position - 1)
    return _claim(at, sa.literal(PRESENT), sa.literal(OWNER), old.live_id, sa.literal(0)).where(
        old.outcome == "released"
    )


def _claim(position: Any, value: Any, stands: Any, live_id: Any, rank: Any) -> sa.Select[Any]:
    old = OLD_LEDGER.c
    return sa.select(
        old.table_name,
        old.seed_id,
        old.column_name,
        position.label("position"),
        value.label("value"),
        stands.label("stands"),
        live_id.label("live_id"),
        rank.label("rank"),
    )
