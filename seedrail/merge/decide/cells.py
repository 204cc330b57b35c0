"""Touched cells: whatever of a move is not simply as the seed expects, in one relation for all tables.

A row is touched if the ledger has claims on it, if somebody has such a row already, or if the live row is not
as the seed left it. Its first cell is EXISTS, of the row itself; the others are the columns that the move is
about. docs/merge.md says what is decided of them.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from seedrail.merge.ledger import CUT, EXISTS, NO_ROW, SEED, VALUE, seed_claims
from seedrail.merge.plan import (
    DELETE,
    INSERT,
    UPDATE,
    Plan,
    Statement,
    equal,
    is_there,
    leads,
    may_be_empty,
)
from seedrail.merge.stage import StagedTable

ENTERS, LEAVES, STAYS = "enters", "leaves", "stays"
"""What the seed does with a row."""

FACTS = (
    "top", "top_value", "met", "met_value", "dropped", "popped", "popped_value",
    "lower", "lower_value", "lower_at", "lower_met", "lower_met_value",
)  # fmt: skip

"""What the claims on a cell say: who stands on top, and with which value.

`top` is the last claim that counts at the source, `met` the last that met somebody, with the value of the
first; `lower` (of the position `lower_at`) and `lower_met` are the same at the target. `dropped` is set where
a move down drops a claim, `popped` is the first of those that met somebody.
"""


def _facts() -> list[sa.Column[Any]]:
    types: dict[str, Any] = {"value": VALUE, "at": sa.Integer()}
    return [sa.Column(name, types.get(name.rpartition("_")[2], sa.Text())) for name in FACTS]


known_cells = sa.Table(
    "seed_known",
    sa.MetaData(),
    sa.Column("table_name", sa.Text()),
    sa.Column("seed_id", sa.Uuid()),
    sa.Column("column_name", sa.Text()),
    *_facts(),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
"""The cells of which the ledger has claims."""

cells = sa.Table(
    "seed_cell",
    sa.MetaData(),
    sa.Column("table_name", sa.Text()),
    sa.Column("seed_id", sa.Uuid()),
    sa.Column("column_name", sa.Text()),
    sa.Column("live_id", sa.Uuid()),
    # Of the row: what the seed does, whether it is there, has claims, and whether the move changes it.
    sa.Column("way", sa.Text()),
    sa.Column("there", sa.Boolean()),
    sa.Column("known", sa.Boolean()),
    sa.Column("concerned", sa.Boolean()),
    # Positions of a claim: of the first revision that changes the cell, and of the last.
    sa.Column("first", sa.Integer()),
    sa.Column("given", sa.Integer()),
    sa.Column("expected", VALUE),
    sa.Column("found", VALUE),
    sa.Column("wanted", VALUE),
    # Compared as the column's type does: found with expected, with wanted, with what a write would leave,
    # and with what the seed had met.
    sa.Column("as_expected", sa.Boolean()),
    sa.Column("as_wanted", sa.Boolean()),
    sa.Column("as_landing", sa.Boolean()),
    sa.Column("as_met", sa.Boolean()),
    sa.Column("asks", sa.Boolean()),
    *_facts(),
    # Decided: what becomes of the row; the conflict, and whether the seed wins it; what happens.
    sa.Column("fate", sa.Text()),
    sa.Column("kind", sa.Text()),
    sa.Column("wins", sa.Boolean()),
    sa.Column("verdict", sa.Text()),
    sa.Column("written", VALUE),
    sa.Column("stands", sa.Text()),
    sa.Column("value", VALUE),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)


places = sa.Table(
    "seed_place",
    sa.MetaData(),
    sa.Column("table_name", sa.Text()),
    sa.Column("seed_id", sa.Uuid()),
    sa.Column("column_name", sa.Text()),
    sa.Column("position", sa.Integer()),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
"""On a way down: the position of the revision that gave a cell the value that it has at the target."""


# -- what the claims say ---------------------------------------------------------------------------------


def know(plan: Plan) -> Iterator[Statement]:
    """Fill `known_cells`: one walk over the claims of the move's tables."""
    claim = _counted(plan)
    cell = (claim.c.table_name, claim.c.seed_id, claim.c.column_name)

    def pick(rank: str, where: str, what: str) -> ColumnElement[Any]:
        return sa.func.max(sa.case((sa.and_(claim.c[where], claim.c[rank] == 1), claim.c[what])))

    facts = [
        *(pick("last", "now", what) for what in ("stands", "value")),
        pick("last_met", "now_met", "stands"),
        pick("first_met", "now_met", "value"),
        sa.func.max(sa.case((claim.c.above, claim.c.stands))),
        *(pick("popped", "above_met", what) for what in ("stands", "value")),
        *(pick("lower", "below", what) for what in ("stands", "value", "position")),
        pick("lower_met", "below_met", "stands"),
        pick("lower_first", "below_met", "value"),
    ]
    rows = sa.select(*cell, *facts).group_by(*cell)
    yield Statement(sa.insert(known_cells).from_select(list(known_cells.c.keys()), rows))
    yield from map(Statement, plan.dialect.index(known_cells, ["table_name", "seed_id", "column_name"]))


def _counted(plan: Plan) -> sa.Subquery:
    """Each claim with whether it counts at the source and at the target, and its rank among those that do."""
    claim, opening = seed_claims.alias("claim"), seed_claims.alias("opening")
    target = sa.literal(plan.target)

    def since(*where: ColumnElement[bool]) -> ColumnElement[Any]:
        row = opening.c.table_name == claim.c.table_name, opening.c.seed_id == claim.c.seed_id
        found = sa.select(opening.c.position).where(*row, opening.c.column_name == EXISTS, *where)
        last = found.order_by(opening.c.ordinal.desc()).limit(1).scalar_subquery()
        return sa.func.coalesce(last, 0)

    names = [table.name for table in plan.tables]
    chapters = (
        sa.select(
            claim,
            (claim.c.position >= since()).label("now"),
            (claim.c.position > target).label("above"),
            sa.and_(
                claim.c.position <= target, claim.c.position >= since(opening.c.position <= target)
            ).label("below"),
            (claim.c.stands != CUT).label("meets"),
        )
        .where(claim.c.table_name.in_(names))
        .cte("chapters")
    )
    c = chapters.c
    met = {name: sa.and_(c[name], c.meets) for name in ("now", "above", "below")}

    def rank(among: ColumnElement[bool], *, last: bool) -> ColumnElement[Any]:
        order = c.ordinal.desc() if last else c.ordinal
        return sa.func.row_number().over(
            partition_by=[c.table_name, c.seed_id, c.column_name, among], order_by=order
        )

    return sa.select(
        chapters,
        *(condition.label(f"{name}_met") for name, condition in met.items()),
        rank(c.now, last=True).label("last"),
        rank(met["now"], last=True).label("last_met"),
        rank(met["now"], last=False).label("first_met"),
        rank(met["above"], last=False).label("popped"),
        rank(c.below, last=True).label("lower"),
        rank(met["below"], last=True).label("lower_met"),
        rank(met["below"], last=False).label("lower_first"),
    ).subquery("counted")


# -- rows ------------------------------------------------------------------------------------------------


def touch(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """The EXISTS cells of touched rows; nothing happens to these until it is decided."""
    stage, live = table.stage, table.live
    fact = known_cells.alias("fact")
    there = table.live_id.is_not(None)
    way = sa.case((stage.c.action == INSERT, ENTERS), (stage.c.action == DELETE, LEAVES), else_=STAYS)
    values: dict[str, Any] = {
        "table_name": sa.literal(table.name),
        "seed_id": stage.c.seed_id,
        "column_name": sa.literal(EXISTS),
        "live_id": stage.c.live_id,
        "way": way,
        "there": there,
        "concerned": _concerned(plan, table),
        "first": stage.c.position,
        "known": sa.false(),
    }
    rows = sa.select(*values.values()).select_from(stage)
    rows = rows.outerjoin(live, table.live_id == stage.c.live_id)
    known: ColumnElement[bool] = sa.false()
    if plan.knows(table.name):
        known = _claimed(table.name, stage.c.seed_id).exists()
        values |= {"known": known, **{name: fact.c[name] for name in FACTS}}
        of_row = _is_of(fact, table.name, stage.c.seed_id, EXISTS)
        rows = rows.outerjoin(fact, of_row).with_only_columns(*values.values())
    not_expected = sa.case(
        (stage.c.action == INSERT, stage.c.live_id.is_not(None)),
        (~there, sa.true()),
        (stage.c.action == UPDATE, _changed_here(plan, table) if table.counts[UPDATE] else sa.false()),
        else_=sa.or_(*_differences(plan, table)) if table.counts[DELETE] else sa.false(),
    )
    rows = rows.where(sa.or_(known, not_expected))
    yield Statement(sa.insert(cells).from_select(list(values), rows), ("touched", table.name))


def hold(table: StagedTable) -> Iterator[Statement]:
    """Nothing happens to touched rows until it is decided."""
    mine = sa.select(cells.c.seed_id).where(cells.c.table_name == table.name, cells.c.column_name == EXISTS)
    yield Statement(sa.update(table.stage).values(action=sa.null()).where(table.stage.c.seed_id.in_(mine)))


def _is_of(fact: Any, table: str, seed_id: Any, column: str) -> ColumnElement[bool]:
    return sa.and_(fact.c.table_name == table, fact.c.seed_id == seed_id, fact.c.column_name == column)


def _claimed(table: str, seed_id: Any) -> sa.Select[Any]:
    """Claims on a row, for an outer query's."""
    fact = known_cells.alias("claimed")
    return sa.select(sa.literal_column("1")).where(fact.c.table_name == table, fact.c.seed_id == seed_id)


def _concerned(plan: Plan, table: StagedTable) -> ColumnElement[bool]:
    """Whether the move changes any column of a row that stays, or drops a claim on one."""
    stage = table.stage
    changed: list[ColumnElement[bool]] = [stage.c["r_" + name].is_not(None) for name in sorted(table.updated)]
    if plan.knows(table.name) and not plan.upgrade:
        fact = known_cells.alias("claimed")
        dropped = fact.c.column_name != EXISTS, fact.c.dropped.is_not(None)
        found: sa.Select[Any] = sa.select(sa.literal_column("1")).where(
            fact.c.table_name == table.name, fact.c.seed_id == stage.c.seed_id, *dropped
        )
        changed.append(found.exists())
    return sa.or_(*changed, sa.false())


def _changed_here(plan: Plan, table: StagedTable) -> ColumnElement[bool]:
    """Whether a column that an update changes is not as the seed left it."""
    stage = table.stage
    return sa.or_(
        *(
            sa.and_(stage.c["r_" + name].is_not(None), ~_untouched(plan, table, name))
            for name in sorted(table.updated)
        ),
        sa.false(),
    )


def _differences(plan: Plan, table: StagedTable) -> Iterator[ColumnElement[bool]]:
    """For each column, whether a row that leaves is not as the seed left it."""
    for name in table.columns:
        yield ~_untouched(plan, table, name)
    for name, default in table.unseeded.items():
        yield ~plan.dialect.holds(table.live.c[name], default)


def _untouched(plan: Plan, table: StagedTable, name: str) -> ColumnElement[bool]:
    """Whether a column is as the seed left it; the database itself may have emptied a link since."""
    column, old = table.live.c[name], table.stage.c["o_" + name]
    same = equal(plan, table, name, column, old)
    if not may_be_empty(table, name):
        return same
    return sa.or_(same, sa.and_(column.is_(None), ~is_there(plan, table, name, old)))


# -- columns ---------------------------------------------------------------------------------------------


def unpivot(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """The other cells of touched rows, one for each column that the move is about."""
    names = [
        "table_name", "seed_id", "column_name", "live_id", "way", "there", "fate", "first", "given",
        "expected", "found", "wanted", "as_expected", "as_wanted", "as_landing", "as_met", "asks",
        *(FACTS if plan.knows(table.name) else ()),
    ]  # fmt: skip
    parts = [_cell(plan, table, name) for name in table.columns]
    parts += [_unseeded_cell(plan, table, name, default) for name, default in table.unseeded.items()]
    yield Statement(sa.insert(cells).from_select(names, sa.union_all(*parts)))


def _rows(plan: Plan, table: StagedTable, name: str, facts: Sequence[Any]) -> tuple[Any, Any, Any]:
    """Touched rows of a table with the facts of one column: what to select from, the row, the facts."""
    stage, row, fact = table.stage, cells.alias("row"), known_cells.alias("fact")
    source = sa.join(row, stage, stage.c.seed_id == row.c.seed_id)
    source = source.outerjoin(table.live, table.live_id == stage.c.live_id)
    if plan.knows(table.name):
        source = source.outerjoin(fact, _is_of(fact, table.name, stage.c.seed_id, name))
    return source, row, fact


def _cell(plan: Plan, table: StagedTable, name: str) -> sa.Select[Any]:
    stage, column = table.stage, table.live.c[name]
    source, row, fact = _rows(plan, table, name, FACTS)
    knows = plan.knows(table.name)
    expected = _expected(plan, table, name, fact)
    wanted = _wanted(plan, table, name, fact)
    landing = _landing(plan, table, name, wanted)
    key = table.frozen.foreign_keys.get(name)
    link = key is not None
    as_met: ColumnElement[Any] = sa.false()
    if knows:
        # What a row that returns had been given back; else what the seed had met.
        met = sa.case((row.c.fate == RETURNS, fact.c.lower_met_value), else_=fact.c.met_value)
        as_met = equal(plan, table, name, column, plan.dialect.from_ledger(met, column))
    first = sa.case((row.c.way == STAYS, stage.c["r_" + name]), else_=stage.c.position)
    given = sa.func.coalesce(stage.c["g_" + name], stage.c.position) if link else first
    to_ledger = plan.dialect.to_ledger
    as_expected = equal(plan, table, name, column, expected)
    as_wanted = equal(plan, table, name, column, wanted)
    as_landing = equal(plan, table, name, column, landing) if link else as_wanted
    values = [
        sa.literal(table.name), stage.c.seed_id, sa.literal(name), stage.c.live_id, row.c.way, row.c.there,
        row.c.fate, first, given, to_ledger(expected), to_ledger(column), to_ledger(wanted),
        as_expected, as_wanted, as_landing, as_met, sa.literal(not (key is not None and key.optional)),
        *((fact.c[one] for one in FACTS) if knows else ()),
    ]  # fmt: skip
    concerns = {
        MERGED: sa.or_(
            stage.c["r_" + name].is_not(None), fact.c.dropped.is_not(None) if knows else sa.false()
        ),
        ADOPTED: ~as_wanted,
        GOES: ~as_expected,
    }
    if knows:
        concerns |= {
            GOES: sa.or_(~as_expected, fact.c.met.is_not(None)),
            RETURNS: fact.c.lower_met == SEED,
            GIVEN_BACK: sa.or_(fact.c.met == SEED, ~as_expected),
        }
    if knows and not plan.upgrade:
        cut = _cut_at_target(table, name, fact) if link else sa.false()
        concerns[COMES] = sa.or_(fact.c.popped.is_not(None), cut)
    # A row that is missed has its cells for their positions.
    about = sa.case(
        *((row.c.fate == fate, condition) for fate, condition in concerns.items()),
        (sa.and_(row.c.way == STAYS, ~row.c.there), concerns[MERGED]),
        else_=sa.false(),
    )
    of_rows = row.c.table_name == table.name, row.c.column_name == EXISTS
    return sa.select(*values).select_from(source).where(*of_rows, about)


def _unseeded_cell(plan: Plan, table: StagedTable, name: str, default: str) -> sa.Select[Any]:
    """A column that no seed sets: it is somebody's where it does not hold its default."""
    stage, column = table.stage, table.live.c[name]
    source, row, fact = _rows(plan, table, name, FACTS)
    knows = plan.knows(table.name)
    as_expected = plan.dialect.holds(column, default)
    expected = plan.dialect.to_ledger(plan.dialect.given(column, default))
    empty = sa.cast(sa.null(), sa.Integer())
    values = [
        sa.literal(table.name), stage.c.seed_id, sa.literal(name), stage.c.live_id, row.c.way, row.c.there,
        row.c.fate, stage.c.position, empty, expected, plan.dialect.to_ledger(column), sa.null(),
        as_expected, sa.false(), sa.false(), sa.false(), sa.true(),
        *((fact.c[one] for one in FACTS) if knows else ()),
    ]  # fmt: skip
    about: ColumnElement[bool] = sa.and_(row.c.fate == GOES, ~as_expected)
    if knows:
        about = sa.or_(about, sa.and_(row.c.fate == COMES, fact.c.popped.is_not(None)))
    of_rows = row.c.table_name == table.name, row.c.column_name == EXISTS
    return sa.select(*values).select_from(source).where(*of_rows, about)


def _expected(plan: Plan, table: StagedTable, name: str, fact: Any) -> ColumnElement[Any]:
    """What a column holds if nobody touched it: the seed's value, or what the link was cut to."""
    old: ColumnElement[Any] = table.stage.c["o_" + name]
    if name in table.frozen.foreign_keys and plan.knows(table.name):
        old = _remembered(plan, table, name, old, (fact.c.top == CUT, fact.c.top_value))
    if not may_be_empty(table, name):
        return old
    return sa.case((is_there(plan, table, name, old), old))


def _wanted(plan: Plan, table: StagedTable, name: str, fact: Any) -> ColumnElement[Any]:
    """What a column shall hold: the seed's value.

    A way down wants what the seed had met, or had cut a link to.
    """
    new = table.stage.c["n_" + name]
    if plan.upgrade or not plan.knows(table.name):
        return new
    before = [(fact.c.popped.is_not(None), fact.c.popped_value)]
    if name in table.frozen.foreign_keys:
        before.append((_cut_at_target(table, name, fact), fact.c.lower_value))
    return _remembered(plan, table, name, new, *before)


def _remembered(
    plan: Plan, table: StagedTable, name: str, value: Any, *before: tuple[ColumnElement[bool], Any]
) -> ColumnElement[Any]:
    """A staged value, or what the ledger has in its place: chosen as texts, which any column's type reads."""
    chosen = sa.case(*before, else_=plan.dialect.to_ledger(value))
    return plan.dialect.from_ledger(chosen, table.live.c[name])


def _landing(plan: Plan, table: StagedTable, name: str, wanted: ColumnElement[Any]) -> ColumnElement[Any]:
    """What a column holds once the seed has written it: a link that leads nowhere is left empty."""
    if not may_be_empty(table, name):
        return wanted
    return sa.case((leads(plan, table, name, wanted), wanted), else_=stand_in(plan, table, name))


def stand_in(plan: Plan, table: StagedTable, name: str) -> Any:
    """What a staged row's link gets that is cut: another row, or nothing.

    On a way up as the run asks; on a way down as the run asked that set the link.
    """
    if plan.upgrade or not fills(plan, table, name):
        return plan.stand_ins.get((table.name, name), sa.null())
    marked = mark(table.name, name).where(seed_claims.c.position <= _given(table, name))
    value = plan.dialect.from_ledger(marked.scalar_subquery(), table.live.c[name])
    return sa.case((is_there(plan, table, name, value), value))


def _given(table: StagedTable, name: str) -> Any:
    """On a way down: the position of the revision that gave a staged row's link its value at the target."""
    place = places.alias("place")
    return (
        sa.select(sa.func.max(place.c.position))
        .where(
            place.c.table_name == table.name,
            place.c.seed_id == table.stage.c.seed_id,
            place.c.column_name.in_([name, EXISTS]),
        )
        .correlate(table.stage)
        .scalar_subquery()
    )


def _cut_at_target(table: StagedTable, name: str, fact: Any) -> ColumnElement[bool]:
    """Whether the seed's link at the target is the one that was cut: a jump may have passed by another."""
    return sa.and_(fact.c.lower == CUT, fact.c.lower_at >= _given(table, name))


def mark(table: str, name: str) -> sa.Select[Any]:
    """The last mark of a link: what stands in for it from its position on."""
    c = seed_claims.c
    marks = c.table_name == table, c.column_name == name, c.seed_id == sa.literal(NO_ROW, sa.Uuid())
    return sa.select(c.value).where(*marks).order_by(c.ordinal.desc()).limit(1)


def fills(plan: Plan, table: StagedTable, name: str) -> bool:
    """Whether a link that is empty may get a stand-in, too."""
    if plan.upgrade:
        return (table.name, name) in plan.stand_ins
    optional = table.frozen.foreign_keys[name].optional
    return optional and (plan.marked is None or (table.name, name) in plan.marked)


COMES, ADOPTED, RETURNS, RESTS = "comes", "adopted", "returns", "rests"
GOES, GIVEN_BACK, IS_GONE, KEPT = "goes", "given back", "is gone", "kept"
MERGED, MISSED, REVIVED = "merged", "missed", "revived"
LEFT_OUT, REFERENCED = "left out", "referenced"
"""What becomes of a row: see `decide`."""
