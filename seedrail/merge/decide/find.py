"""Find: which live row each staged one is, and which live rows the seed's links lead to."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from seedrail.merge.decide.cells import is_text, same_row
from seedrail.merge.ledger import ABSENT, EXISTS, SEED, seed_claims
from seedrail.merge.plan import Plan, Statement
from seedrail.merge.stage import DELETE, INSERT, UPDATE, StagedTable


def find(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """By the ledger, by the seed id, or else by the natural key, which may hold a parent's id."""
    stage, live = table.stage, table.live
    if plan.knows(table.name):
        named = _named(table.name, table.frozen.id, stage.c.seed_id)
        yield Statement(sa.update(stage).values(live_id=named.scalar_subquery()).where(named.exists()))
    yield from _follow(plan, table, own=False)
    missing = [stage.c.action == INSERT, stage.c.live_id.is_(None)]
    # One whose key was edited into another row's is still the row that it was, be it one that goes.
    others = stage.alias("others")
    taken = sa.select(others.c.live_id).where(others.c.live_id.is_not(None))
    free = table.live_id.not_in(taken)
    by_key = [*(live.c[name] == stage.c["n_" + name] for name in table.frozen.key), free]
    if table.counts[INSERT]:
        for same in ([table.live_id == stage.c.seed_id], by_key):
            found = sa.update(stage).values(live_id=table.live_id).where(*missing, *same)
            yield Statement(found, ("met", table.name))
    if plan.knows(table.name):
        # A row that was met may have been deleted and made anew: it is known by its key. One of the seed's
        # own that is gone is gone, whoever has such a row since; also one that it made in place of theirs.
        claim = seed_claims.alias("opening")
        own = sa.and_(claim.c.stands == SEED, is_text(claim.c.value, ABSENT))
        claimed = _opening(claim, table.name).where(~own).with_only_columns(claim.c.seed_id)
        there = live.alias("there")
        gone = ~sa.exists().where(there.c[table.frozen.id] == stage.c.live_id)
        again = [*(live.c[name] == stage.c["o_" + name] for name in table.frozen.key), free]
        yield Statement(
            sa.update(stage)
            .values(live_id=table.live_id)
            .where(stage.c.action != INSERT, stage.c.seed_id.in_(claimed), gone, *again)
        )
    yield from _follow(plan, table, own=True)


def _named(name: str, id_: str, seed_id: Any) -> sa.Select[Any]:
    """The live id of a row that was met, if it is there: by this chapter of its life, and by no older one."""
    claim = seed_claims.alias("named")
    there = sa.table(name, sa.column(id_, sa.Uuid())).alias("there")
    mine = claim.c.seed_id == seed_id, sa.exists().where(there.c[id_] == claim.c.live_id)
    return _opening(claim, name).where(*mine).with_only_columns(claim.c.live_id)


def _opening(claim: Any, name: str) -> sa.Select[Any]:
    """The last claim on EXISTS of each row of a table: it opened the chapter that counts."""
    # A number to look up, and no join: a server without statistics would walk all claims for each row.
    same = seed_claims.alias("same")
    of_row = same_row(same, claim), same.c.column_name == EXISTS
    last = sa.select(sa.func.max(same.c.ordinal)).where(*of_row).correlate(claim).scalar_subquery()
    of_table = claim.c.table_name == name, claim.c.column_name == EXISTS
    return sa.select(claim).where(*of_table, claim.c.ordinal == last)


def _follow(plan: Plan, table: StagedTable, *, own: bool) -> Iterator[Statement]:
    """Make staged links hold the live id of rows that are somebody's: it is another than their seed id."""
    stage = table.stage
    for name, key in table.frozen.foreign_keys.items():
        if name not in table.columns or (key.table == table.name) != own:
            continue
        moved = _moved(plan, key.table, key.column)
        if moved is None:
            continue
        for prefix in _filled(table):
            column = stage.c[f"{prefix}_{name}"]
            yield Statement(
                sa.update(stage).values({column.name: moved.c.live_id}).where(column == moved.c.seed_id)
            )


def _filled(table: StagedTable) -> Iterator[str]:
    """The prefixes of the columns that staged rows have values in."""
    if table.counts[UPDATE] or table.counts[DELETE]:
        yield "o"
    if table.counts[UPDATE] or table.counts[INSERT]:
        yield "n"


def _moved(plan: Plan, name: str, id_: str) -> sa.CTE | None:
    """Rows of a table, by seed id, whose live id is another."""
    parts: list[sa.Select[Any]] = []
    parent = plan.staged(name)
    if parent is not None and plan.met(name):
        staged = parent.stage.alias("staged")
        parts.append(
            sa.select(staged.c.seed_id, staged.c.live_id).where(staged.c.live_id != staged.c.seed_id)
        )
    if plan.knows(name):
        claim = seed_claims.alias("claim")
        known = sa.select(claim.c.seed_id).where(
            claim.c.table_name == name, claim.c.column_name == EXISTS, claim.c.live_id.is_not(None)
        )
        if parent is not None:
            known = known.where(claim.c.seed_id.not_in(sa.select(parent.stage.c.seed_id)))
        rows = known.distinct().subquery("known")
        live_id = _named(name, id_, rows.c.seed_id).scalar_subquery()
        found = sa.select(rows.c.seed_id, live_id.label("live_id")).subquery("found")
        parts.append(sa.select(found).where(found.c.live_id != found.c.seed_id))
    return sa.union_all(*parts).cte("moved") if parts else None
