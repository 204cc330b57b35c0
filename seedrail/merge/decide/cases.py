"""Decide: what becomes of touched rows and cells. docs/explanation/merge.md has the same in words.

Two statements for all tables: `rows` decides the EXISTS cells, `columns` the others by the table of four
cases. Each names the conflict that a policy is asked about, if there is one, and then what happens. Nothing
live is written here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from seedrail.merge.decide.cells import (
    ADOPTED,
    COMES,
    ENTERS,
    GIVEN_BACK,
    GOES,
    IS_GONE,
    KEPT,
    LEAVES,
    LEFT_OUT,
    MERGED,
    MISSED,
    RESTS,
    RETURNS,
    REVIVED,
    STAYS,
    cells,
    decided,
    held,
    is_text,
    places,
    same_row,
    touched_rows,
)
from seedrail.merge.ledger import ABSENT, CUT, EXISTS, OWNER, PRESENT, SEED, seed_claims
from seedrail.merge.plan import Plan, Statement
from seedrail.merge.stage import DELETE, INSERT, UPDATE, StagedTable
from seedrail.run_options import Policy

LEAVE, WRITE, TAKE, OWN, CUTS, LOSE, WHOLE = "leave", "write", "take", "own", "cut", "lose", "whole"
"""What happens to a cell: nothing; written; written and claimed for the seed; claimed for its owner; claimed
as a cut link; claimed for the seed and lost with its row; written and claimed as whole again."""

_WRITES = [WRITE, TAKE, WHOLE]

_C = cells.c
_ROW = _C.column_name == EXISTS


def rows(plan: Plan) -> Iterator[Statement]:
    """The fate of each touched row, and what is claimed of it."""
    yield Statement(sa.update(cells).where(_ROW).values(fate=_fate(plan)))
    yield from _ask(plan, _ROW, {"deleted": _C.fate == MISSED})
    if plan.upgrade:
        # A row that somebody deleted comes back; by the policy also one that was once left at that.
        gone = _C.fate == MISSED
        if plan.policy is Policy.OVERWRITE:
            gone = sa.or_(gone, _known_gone())
        revived = _ROW, _C.way == STAYS, ~_C.there, _C.concerned, gone, _C.wins
        yield Statement(sa.update(cells).where(*revived).values(fate=REVIVED))


def _known_gone() -> ColumnElement[bool]:
    """Whether somebody deleted a row, and the seed left it at that."""
    return sa.and_(is_text(_C.top_value, ABSENT), _C.top == OWNER)


def _fate(plan: Plan) -> ColumnElement[Any]:
    """The rows' half of the table: a row enters, leaves or stays, and is there or not."""
    gone, somebodys = _known_gone(), is_text(_C.top_value, PRESENT)
    was_brought_back = sa.and_(is_text(_C.popped_value, ABSENT), _C.popped == SEED)
    went = sa.and_(is_text(_C.popped_value, PRESENT), _C.popped == SEED)
    leaves = sa.or_(_C.way == LEAVES, sa.and_(_C.way == STAYS, was_brought_back))
    enters = _C.way == ENTERS
    return sa.case(
        # Leaves: somebody's row is given back, the seed's own goes.
        (sa.and_(leaves, gone), RESTS),
        (sa.and_(leaves, ~_C.there), IS_GONE),
        (sa.and_(leaves, somebodys), GIVEN_BACK),
        (leaves, GOES),
        # A way down, to where the seed still had a row that was gone, or stayed, when it let go of it: it is
        # left as it is, but for one that was given back, and was somebody's (`lower`) when the seed had it.
        # One that `went` with somebody's values in it comes again, as a row of the seed's own.
        (
            sa.and_(enters, _C.popped.is_not(None), ~went),
            sa.case(
                (
                    sa.and_(is_text(_C.popped_value, PRESENT), is_text(_C.lower_value, PRESENT), _C.there),
                    RETURNS,
                ),
                else_=RESTS,
            ),
        ),
        # Nor does one come that was gone at the target already.
        (
            sa.and_(enters, sa.literal(not plan.upgrade), is_text(_C.lower_value, ABSENT), _C.lower == OWNER),
            RESTS,
        ),
        (sa.and_(enters, _C.there), ADOPTED),
        (enters, COMES),
        # Stays: nothing, if it was met above the target, or nothing changes.
        (sa.or_(_C.popped.is_not(None), ~_C.concerned), RESTS),
        (gone, RESTS),
        (_C.there, MERGED),
        else_=MISSED,
    )


def bring(table: StagedTable) -> Iterator[Statement]:
    """Rows that come are inserted: links of others may lead to them."""
    coming = touched_rows(table, _C.fate.in_([COMES, REVIVED]))
    yield Statement(sa.update(table.stage).values(action=INSERT).where(table.stage.c.seed_id.in_(coming)))


def outcomes() -> sa.Select[Any]:
    """What happens, by table: to rows, where the column is EXISTS, and to the columns that are written."""
    comes = _C.fate.in_([COMES, REVIVED]), INSERT
    # A row that comes is inserted with its cells.
    written = sa.case((_C.verdict.in_(_WRITES), sa.case(comes, else_=UPDATE)))
    action = sa.case((_ROW, sa.case(comes, (_C.fate == GOES, DELETE))), else_=written)
    found = sa.select(_C.table_name, _C.column_name, action.label("action"))
    each = found.subquery("each")
    return sa.select(each).where(each.c.action.is_not(None)).distinct()


def put_back(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """What was decided of touched rows goes back to the stage: all that is written is written from there."""
    stage = table.stage
    unset = {"r_" + name: sa.null() for name in table.columns}
    yield Statement(sa.update(stage).values(unset).where(stage.c.seed_id.in_(touched_rows(table))))
    for name in table.columns:
        if table.decided is not None and name not in table.decided.columns:
            continue
        cell = cells.alias("cell")
        mine = cell.c.table_name == table.name, cell.c.column_name == name, cell.c.seed_id == stage.c.seed_id
        value = plan.dialect.from_ledger(cell.c.written, table.live.c[name])
        action = sa.func.coalesce(stage.c.action, UPDATE)
        since = sa.func.coalesce(cell.c.first, stage.c.position, plan.target)
        yield Statement(
            sa.update(stage)
            .values({"n_" + name: value, "r_" + name: since, "action": action})
            .where(*mine, cell.c.verdict.in_(_WRITES))
        )
    going = touched_rows(table, _C.fate == GOES)
    yield Statement(sa.update(stage).values(action=DELETE).where(stage.c.seed_id.in_(going)))


def columns(plan: Plan) -> Iterator[Statement]:
    """The four cases, and what they come to for a row that comes, goes, or changes hands."""
    yield from _ask(plan, ~_ROW, _conflicts(plan))
    yield Statement(sa.update(cells).where(~_ROW).values(verdict=_verdict(plan)))
    yield from _keep_rows()
    yield Statement(sa.update(cells).where(~_ROW).values(written=_written()))


def _case_1(plan: Plan) -> ColumnElement[bool]:
    """The owner's value stayed, and stays; on a way down also where it is as expected."""
    owners = _C.top == OWNER
    return sa.and_(owners, ~_C.as_expected) if plan.upgrade else owners


def _conflicts(plan: Plan) -> dict[str, ColumnElement[bool]]:
    """What a policy is asked about, by the kind of conflict."""
    edited = sa.and_(~sa.func.coalesce(_case_1(plan), sa.false()), ~_C.as_expected, ~_C.as_landing)
    popped, passes = _C.popped.is_not(None), sa.func.coalesce(_C.passes, sa.false())
    return {
        # Case 4: somebody has set another value than the seed left or wants.
        "edited": sa.and_(_C.fate == MERGED, edited),
        "exists": sa.or_(
            sa.and_(_C.fate == ADOPTED, ~_C.as_landing, ~passes),
            sa.and_(_C.fate == RETURNS, ~_C.as_met, ~_C.as_landing),
        ),
        "unlinked": sa.and_(_C.fate == ADOPTED, _C.as_landing, _C.asks, ~passes),
        "edited row": sa.and_(_C.fate == GOES, ~_C.as_expected),
        # Its owner's row, which has back what it came with.
        "edited since": sa.and_(_C.fate == GIVEN_BACK, _C.met == SEED, ~_C.as_met, ~_C.as_expected),
        # The seed wrote over somebody's value, which its own row would take along.
        "edited before": sa.and_(_C.fate == GOES, popped),
    }


def _verdict(plan: Plan) -> ColumnElement[Any]:
    asked, take_or_own = _C.kind.is_not(None), sa.case((_C.wins, TAKE), else_=OWN)
    overwrites = plan.upgrade and plan.policy is Policy.OVERWRITE
    # An empty link that shall be empty is written, too, where somebody stands in for it.
    changes = sa.or_(~_C.as_wanted, ~_C.as_landing)
    theirs = sa.and_(_theirs(), _C.popped.is_(None), changes)
    whole = _C.top == CUT if plan.upgrade else _passed_cut()
    comes_whole = sa.false() if plan.upgrade else sa.and_(_C.popped.is_(None), _passed_cut())
    return sa.case(
        (_C.fate == COMES, sa.case((comes_whole, WHOLE), else_=WRITE)),
        (_C.fate == GOES, sa.case((sa.and_(asked, _C.wins), LOSE), else_=LEAVE)),
        (_C.fate == GIVEN_BACK, sa.case(
            (sa.or_(_C.as_met, sa.func.coalesce(_C.met, OWNER) == OWNER), LEAVE),
            (~asked, WRITE), (_C.wins, TAKE), else_=LEAVE)),
        (_C.fate == RETURNS, sa.case((_C.as_met, WRITE), (asked, take_or_own), else_=LEAVE)),
        (_C.fate == ADOPTED, sa.case((_C.as_landing, CUTS), (_C.passes, OWN), else_=take_or_own)),
        (_C.fate != MERGED, LEAVE),
        # 1. The owner's value stayed, and stays; only `overwrite` on a way up decides anew.
        (_case_1(plan), TAKE if overwrites else LEAVE),
        # 2. Nobody touched it: written, and claimed if the cell or its row was somebody's.
        (_C.as_expected, sa.case((theirs, TAKE), (whole, WHOLE), else_=WRITE)),
        # 3. Somebody was there first with the same value.
        (_C.as_landing, OWN),
        # 4. A conflict.
        else_=take_or_own,
    )  # fmt: skip


def _passed_cut() -> ColumnElement[bool]:
    """On a way down: whether a jump has passed by another link than the one that was cut.

    The seed had it whole again on its way up, if it had not jumped.
    """
    place = places.alias("place")
    of_cell = same_row(place, cells), place.c.column_name.in_([_C.column_name, EXISTS])
    given = sa.select(sa.func.max(place.c.position)).where(*of_cell).correlate(cells)
    return sa.and_(_C.lower == CUT, _C.lower_at < given.scalar_subquery())


def _theirs() -> ColumnElement[bool]:
    """Whether a cell as expected is somebody's: by itself, or because its row was there first."""
    row = cells.alias("its_row")
    somebodys = (
        sa.select(sa.literal_column("1"))
        .where(same_row(row, cells), row.c.column_name == EXISTS, is_text(row.c.top_value, PRESENT))
        .correlate(cells)
        .exists()
    )
    return sa.or_(sa.func.coalesce(_C.top == OWNER, sa.false()), sa.and_(_C.met.is_(None), somebodys))


def _ask(
    plan: Plan, among: ColumnElement[bool], conflicts: Mapping[str, ColumnElement[bool]]
) -> Iterator[Statement]:
    """Name the conflicts, and who wins each: by the policy, or as it was decided of this one alone."""
    kind = sa.case(*((condition, name) for name, condition in conflicts.items()), else_=sa.null())
    wins = sa.literal(plan.policy is Policy.OVERWRITE)
    yield Statement(sa.update(cells).where(among).values(kind=kind, wins=wins))
    if plan.decisions:
        made = decided(cells).correlate(cells)
        yield Statement(sa.update(cells).where(among, made.exists()).values(wins=made.scalar_subquery()))


def _keep_rows() -> Iterator[Statement]:
    """A row that would go is kept where any of its cells is; what the seed wrote over comes back in it."""
    kept = cells.alias("kept")
    some = sa.select(kept.c.seed_id).where(
        same_row(kept, cells), kept.c.fate == GOES, kept.c.kind.is_not(None), ~kept.c.wins
    )
    yield Statement(
        sa.update(cells).where(_ROW, _C.fate == GOES, some.correlate(cells).exists()).values(fate=KEPT)
    )
    row = cells.alias("its_row")
    stays = sa.select(row.c.seed_id).where(
        same_row(row, cells), row.c.column_name == EXISTS, row.c.fate == KEPT
    )
    back = sa.and_(_C.as_expected, _C.popped.is_not(None))
    yield Statement(
        sa.update(cells)
        .where(~_ROW, _C.fate == GOES, stays.correlate(cells).exists())
        .values(verdict=sa.case((back, WRITE), else_=LEAVE), fate=KEPT)
    )


def _written() -> ColumnElement[Any]:
    """The value that a cell gets, if it is written."""
    return sa.case(
        (_C.fate == GIVEN_BACK, _C.met_value),
        (_C.fate == KEPT, _C.popped_value),
        # A column that no seed sets has no value of the seed's.
        (sa.and_(_C.fate == COMES, _C.popped.is_not(None)), _C.popped_value),
        else_=_C.wanted,
    )


# -- what is claimed -------------------------------------------------------------------------------------


def claim(plan: Plan) -> Iterator[Statement]:
    """What the ledger gets of each cell: who stands on top, and what was met."""
    theirs = sa.case((sa.and_(_C.fate == GOES, _C.as_expected), _C.popped_value), else_=_C.found)
    yield Statement(
        sa.update(cells)
        .where(~_ROW, _C.verdict.in_([TAKE, OWN, LOSE]))
        .values(stands=sa.case((_C.verdict == OWN, OWNER), else_=SEED), value=theirs)
    )
    link = sa.case((_C.verdict == WHOLE, _C.wanted), else_=_C.found)
    yield Statement(
        sa.update(cells)
        .where(~_ROW, _C.verdict.in_([WHOLE, CUTS]))
        .values(stands=CUT, value=link, first=_C.given)
    )
    yield Statement(sa.update(cells).where(_ROW).values(stands=_stands(plan), value=_presence()))


def _stands(plan: Plan) -> ColumnElement[Any]:
    """Who stands on top of a row since; nothing is claimed where this is NULL."""
    up = sa.literal(plan.upgrade)
    other = cells.alias("other")
    theirs = other.c.column_name != EXISTS, sa.or_(other.c.met.is_not(None), other.c.verdict == LOSE)
    # Whatever was somebody's in it goes with it: no way down may jump over its life.
    shared = sa.select(other.c.seed_id).where(same_row(other, cells), *theirs)
    return sa.case(
        (_C.fate.in_([ADOPTED, IS_GONE, KEPT, LEFT_OUT, MISSED]), OWNER),
        (sa.and_(_C.fate == GIVEN_BACK, up), OWNER),
        # It had been given back before, in a life that is over at the target, and that a jump has passed by.
        (sa.and_(_C.fate == GIVEN_BACK, _was_held(plan)), OWNER),
        (sa.and_(_C.fate == GOES, shared.correlate(cells).exists()), SEED),
        (_C.fate == REVIVED, SEED),
        # An older life of this row has claims, which must not count in this one.
        (sa.and_(_C.fate == COMES, _C.known, sa.or_(up, _lived_before(plan))), SEED),
        else_=sa.null(),
    )


def _lived_before(plan: Plan) -> ColumnElement[bool]:
    """On a way down: whether a row that comes has claims of an older life, and none that opened this one."""
    if plan.upgrade:
        return sa.false()
    place, claim = places.alias("born"), seed_claims.alias("older")
    born = sa.select(place.c.position).where(same_row(place, cells), place.c.column_name == EXISTS)
    born_at = born.correlate(cells).scalar_subquery()
    older = sa.select(claim.c.seed_id).where(same_row(claim, cells), claim.c.position < born_at)
    opened = sa.func.coalesce(_C.lower_at, 0) >= born_at
    return sa.and_(~opened, older.correlate(cells).exists())


def _was_held(plan: Plan) -> ColumnElement[bool]:
    """Whether the last claim on a row, at the target, is from when the seed held it."""
    if not plan.held:
        return sa.false()
    at = held.c.position == _C.lower_at, is_text(_C.lower_value, PRESENT)
    return sa.select(held.c.seed_id).where(same_row(held, cells), *at).correlate(cells).exists()


def _presence() -> ColumnElement[Any]:
    gone, here = sa.literal(ABSENT, sa.Text()), sa.literal(PRESENT, sa.Text())
    return sa.case((_C.fate.in_([IS_GONE, LEFT_OUT, MISSED, REVIVED, COMES]), gone), else_=here)


def told() -> sa.Subquery:
    """What was decided, for people: rows that were adopted, kept or left out, cells kept or overwritten."""
    asked, was_kept = _C.kind.is_not(None), sa.and_(_C.top == OWNER, ~_C.as_expected)
    what: Any = sa.case(
        (sa.and_(_ROW, _C.fate == ADOPTED), "adopted"),
        (sa.and_(_ROW, _C.fate.in_([KEPT, MISSED])), "kept"),
        (sa.and_(_C.kind == "unlinked", _C.verdict == LEAVE), "left out"),
        (sa.and_(asked, _C.verdict == OWN), "kept"),
        (sa.and_(asked, _C.fate == GIVEN_BACK, _C.verdict == LEAVE), "kept"),
        # Also what an earlier run had kept, about which nobody is asked again.
        (sa.and_(sa.or_(asked, was_kept), _C.verdict.in_([TAKE, LOSE])), "overwritten"),
        else_="",
    )
    rows = sa.select(_C.table_name, what.label("what")).subquery("decided")
    return sa.select(rows).where(rows.c.what != "").subquery("told")
