"""Differ: what has become of rows that the seed left; asked of staged deletes that nobody applies."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from seedrail.merge.program.parts import Plan, entries, equal
from seedrail.merge.stage import StagedTable

EDITED, DELETED, KEPT, ADOPTED = "edited", "deleted", "kept", "adopted"
"""Kinds of rows that differ: changed or gone since the seed wrote them; changed or gone before, and kept so
under a policy; and rows of somebody else's that the seed adopted."""


def differing_rows(plan: Plan, table: StagedTable) -> sa.Subquery:
    """The staged rows whose live row differs, as `seed_id` and `kind`.

    The staged deletes must have been resolved: they then know the live ids of adopted rows.
    """
    stage, live = table.deletes, table.live
    known = plan.may("known", table.name)
    gone = table.live_id.is_(None)
    columns = {name: _differs(plan, table, name, known=known) for name in table.columns}
    others = [
        ~plan.dialect.holds(live.c[name], default)
        for name, default in plan.unseeded.get(table.name, {}).items()
    ]
    differs = sa.or_(*columns.values(), *others, sa.false())
    cases: list[tuple[ColumnElement[bool], str]] = [(~gone & ~differs, "")]
    if known:
        # The ledger is only asked of rows that differ: what a CASE has answered, it does not ask again.
        absent = entries(table, stage.c.seed_id, ["absent"]).exists()
        unsettled = [
            column & ~entries(table, stage.c.seed_id, ["kept"], name).exists()
            for name, column in columns.items()
        ]
        cases += [
            (gone & absent, KEPT),
            (~gone & (stage.c.outcome == "adopted"), ADOPTED),
            (~gone & ~sa.or_(*unsettled, *others, sa.false()), KEPT),
        ]
    cases.append((gone, DELETED))
    kind: Any = sa.case(*((condition, sa.literal(what)) for condition, what in cases), else_=EDITED)
    rows = (
        sa.select(stage.c.seed_id, kind.label("kind"))
        .join_from(stage, live, table.live_id == stage.c.live_id, isouter=True)
        .subquery("compared")
    )
    return sa.select(rows).where(rows.c.kind != "").subquery("differing")


def _differs(plan: Plan, table: StagedTable, name: str, *, known: bool) -> ColumnElement[bool]:
    """Whether a live column differs; a link that the seed itself left empty does not."""
    stage = table.deletes
    differs = ~equal(plan, table, name, stage.c["o_" + name])
    if not known or name not in table.frozen.foreign_keys:
        return differs
    cut = entries(table, stage.c.seed_id, ["cut"], name).exists()
    return differs & ~(table.live.c[name].is_(None) & cut)
