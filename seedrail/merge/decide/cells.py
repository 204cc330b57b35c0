"""Touched cells: whatever of a move is not simply as the seed expects, in one relation for all tables.

A row is touched if the ledger has claims on it, if somebody has such a row already, or if the live row is not
as the seed left it. Its first cell is EXISTS, of the row itself; the others are the columns that the move is
about. docs/merge.md says what is decided of them.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from seedrail.merge.ledger import CUT, EXISTS, NO_ROW, SEED, VALUE, seed_claims
from seedrail.merge.plan import Plan, Statement, equal, is_there, leads, may_be_empty
from seedrail.merge.stage import DELETE, INSERT, UPDATE, StagedTable

ENTERS, LEAVES, STAYS = "enters", "leaves", "stays"
"""What the seed does with a row."""

COMES, ADOPTED, RETURNS, RESTS = "comes", "adopted", "returns", "rests"
GOES, GIVEN_BACK, IS_GONE, KEPT = "goes", "given back", "is gone", "kept"
MERGED, MISSED, REVIVED = "merged", "missed", "revived"
LEFT_OUT, REFERENCED = "left out", "referenced"
"""What becomes of a row: see `cases`."""

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


def _of_cells(name: str, *columns: sa.Column[Any]) -> sa.Table:
    """A temporary table with a row, or several, for each of some cells."""
    return sa.Table(
        name,
        sa.MetaData(),
        sa.Column("table_name", sa.Text()),
        sa.Column("seed_id", sa.Uuid()),
        sa.Column("column_name", sa.Text()),
        *columns,
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
    )


known_cells = _of_cells("seed_known", *_facts())
"""The cells of which the ledger has claims."""

cells = _of_cells("seed_known", *_facts())
"""The cells of which the ledger has claims."""

cells = sa.Table(
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

cells = _of_cells(
    "seed_cell",
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
)
"""The touched cells."""

places = _of_cells("seed_place", sa.Column("position", sa.Integer()))
"""On a way down: the position of the revision that gave a cell the value that it has at the target."""


_ROW, _FACT = cells.alias("row"), known_cells.alias("fact")
"""A touched row, and what the claims say of the cell that is looked at."""


def same_row(one: Any, other: Any) -> ColumnElement[bool]:
    """Whether two cells, of any of these tables or claims, are of the same row."""
    return sa.and_(one.c.table_name == other.c.table_name, one.c.seed_id == other.c.seed_id)


def touched_rows(table: StagedTable, *where: ColumnElement[bool]) -> sa.Select[Any]:
    """The seed ids of a table's touched rows."""
    c = cells.c
    return sa.select(c.seed_id).where(c.table_name == table.name, c.column_name == EXISTS, *where)


def is_text(value: ColumnElement[Any], what: str) -> ColumnElement[bool]:
    """Whether a ledger value is a word of the ledger's own."""
    return sa.type_coerce(value, sa.Text()) == sa.literal(what, sa.Text())


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
        of_row = same_row(opening, claim), opening.c.column_name == EXISTS
        found = sa.select(opening.c.position).where(*of_row, *where)
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
        known = _claimed(table)
        values |= {"known": known, **{name: _FACT.c[name] for name in FACTS}}
        of_row = _known_of(table, EXISTS)
        rows = rows.outerjoin(_FACT, of_row).with_only_columns(*values.values())
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
    rest = table.stage.c.seed_id.in_(touched_rows(table))
    yield Statement(sa.update(table.stage).values(action=sa.null()).where(rest))


def _known_of(table: StagedTable, column: str) -> ColumnElement[bool]:
    """Whether the facts are of a staged row's cell."""
    c = _FACT.c
    return sa.and_(c.table_name == table.name, c.seed_id == table.stage.c.seed_id, c.column_name == column)


def _claimed(table: StagedTable, *where: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a staged row has cells with claims."""
    c = known_cells.c
    of_row = c.table_name == table.name, c.seed_id == table.stage.c.seed_id
    return sa.select(sa.literal_column("1")).select_from(known_cells).where(*of_row, *where).exists()


def _concerned(plan: Plan, table: StagedTable) -> ColumnElement[bool]:
    """Whether the move changes any column of a row that stays, or drops a claim on one."""
    changed: list[ColumnElement[bool]] = [
        table.stage.c["r_" + name].is_not(None) for name in sorted(table.updated)
    ]
    if plan.knows(table.name) and not plan.upgrade:
        c = known_cells.c
        changed.append(_claimed(table, c.column_name != EXISTS, c.dropped.is_not(None)))
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


_CELL = [
    "table_name", "seed_id", "column_name", "live_id", "way", "there", "fate", "first", "given",
    "expected", "found", "wanted", "as_expected", "as_wanted", "as_landing", "as_met", "asks", *FACTS,
]  # fmt: skip


def unpivot(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """The other cells of touched rows, one for each column that the move is about."""
    parts = [_cell(plan, table, name) for name in table.columns]
    parts += [_unseeded_cell(plan, table, name, default) for name, default in table.unseeded.items()]
    yield Statement(sa.insert(cells).from_select(_CELL, sa.union_all(*parts)))


def _looked_at(plan: Plan, table: StagedTable, name: str, **values: ColumnElement[Any]) -> sa.Subquery:
    """Touched rows with what is found in a column, what the claims say of it, and other `values`.

    A query of its own, so that each is written once, however often it is compared.
    """
    stage = table.stage
    facts: list[ColumnElement[Any]] = [sa.cast(sa.null(), _FACT.c[fact].type).label(fact) for fact in FACTS]
    source = sa.join(_ROW, stage, stage.c.seed_id == _ROW.c.seed_id)
    source = source.outerjoin(table.live, table.live_id == stage.c.live_id)
    if plan.knows(table.name):
        facts = [_FACT.c[fact] for fact in FACTS]
        source = source.outerjoin(_FACT, _known_of(table, name))
    own = stage.c.seed_id, stage.c.live_id, stage.c.position, _ROW.c.way, _ROW.c.there, _ROW.c.fate
    found = table.live.c[name].label("found")
    rows = sa.select(*own, found, *facts, *(value.label(label) for label, value in values.items()))
    of_rows = _ROW.c.table_name == table.name, _ROW.c.column_name == EXISTS
    return rows.select_from(source).where(*of_rows).subquery("looked_at")


def _cell(plan: Plan, table: StagedTable, name: str) -> sa.Select[Any]:
    key = table.frozen.foreign_keys.get(name)
    c = _compared(plan, table, name).c
    as_met: ColumnElement[Any] = sa.false()
    if plan.knows(table.name):
        # What a row that returns had been given back; else what the seed had met.
        met = sa.case((c.fate == RETURNS, c.lower_met_value), else_=c.met_value)
        as_met = equal(plan, table, name, c.found, plan.dialect.from_ledger(met, table.live.c[name]))
    first = sa.case((c.way == STAYS, c.changed), else_=c.position)
    as_expected, as_wanted, as_landing = (
        equal(plan, table, name, c.found, value) for value in (c.expected, c.wanted, c.landing)
    )
    to_ledger = plan.dialect.to_ledger
    values = [
        sa.literal(table.name), c.seed_id, sa.literal(name), c.live_id, c.way, c.there, c.fate,
        first, first if key is None else sa.func.coalesce(c.given, c.position),
        to_ledger(c.expected), to_ledger(c.found), to_ledger(c.wanted),
        as_expected, as_wanted, as_landing, as_met, sa.literal(not (key is not None and key.optional)),
        *(c[fact] for fact in FACTS),
    ]  # fmt: skip
    merged = sa.or_(c.changed.is_not(None), c.dropped.is_not(None))
    about = sa.case(
        (c.fate == MERGED, merged),
        (c.fate == ADOPTED, ~as_wanted),
        (c.fate == GOES, sa.or_(~as_expected, c.met.is_not(None))),
        (c.fate == RETURNS, c.lower_met == SEED),
        (c.fate == GIVEN_BACK, sa.or_(c.met == SEED, ~as_expected)),
        (c.fate == COMES, sa.or_(c.popped.is_not(None), c.cut) if not plan.upgrade else sa.false()),
        # A row that is missed has its cells for their positions.
        (sa.and_(c.way == STAYS, ~c.there), merged),
        else_=sa.false(),
    )
    return sa.select(*values).where(about)


def _compared(plan: Plan, table: StagedTable, name: str) -> sa.Subquery:
    """Touched rows with what is found in a column, expected, and wanted, and what a write would leave."""
    stage, wanted = table.stage, _wanted(plan, table, name)
    values = {"changed": stage.c["r_" + name], "expected": _expected(plan, table, name), "wanted": wanted}
    values["cut"] = _cut(plan, table, name)
    if name in table.frozen.foreign_keys:
        values["given"] = stage.c["g_" + name]
    if not may_be_empty(table, name):
        return _looked_at(plan, table, name, **values, landing=wanted)
    if fills(plan, table, name):
        values["fallback"] = stand_in(plan, table, name)
    seen = _looked_at(plan, table, name, **values)
    # The database itself may have emptied a link; and one that leads nowhere will be left empty.
    there = sa.case((is_there(plan, table, name, seen.c.expected), seen.c.expected))
    left = seen.c.get("fallback")
    landing = sa.case((leads(plan, table, name, seen.c.wanted), seen.c.wanted), else_=left)
    others = [column for column in seen.c if column.key != "expected"]
    return sa.select(*others, there.label("expected"), landing.label("landing")).subquery("compared")


def _unseeded_cell(plan: Plan, table: StagedTable, name: str, default: str) -> sa.Select[Any]:
    """A column that no seed sets: it is somebody's where it does not hold its default."""
    column = table.live.c[name]
    expected = plan.dialect.to_ledger(plan.dialect.given(column, default))
    as_expected = plan.dialect.holds(column, default)
    c = _looked_at(plan, table, name, expected=expected, as_expected=as_expected).c
    values = [
        sa.literal(table.name), c.seed_id, sa.literal(name), c.live_id, c.way, c.there, c.fate,
        c.position, sa.cast(sa.null(), sa.Integer()), c.expected, plan.dialect.to_ledger(c.found), sa.null(),
        c.as_expected, sa.false(), sa.false(), sa.false(), sa.true(), *(c[fact] for fact in FACTS),
    ]  # fmt: skip
    edited = sa.and_(c.fate == GOES, ~c.as_expected)
    return sa.select(*values).where(sa.or_(edited, sa.and_(c.fate == COMES, c.popped.is_not(None))))


def _expected(plan: Plan, table: StagedTable, name: str) -> ColumnElement[Any]:
    """What a column holds if nobody touched it: the seed's value, or what the link was cut to."""
    old = table.stage.c["o_" + name]
    if name not in table.frozen.foreign_keys or not plan.knows(table.name):
        return old
    return _remembered(plan, table, name, old, (_FACT.c.top == CUT, _FACT.c.top_value))


def _wanted(plan: Plan, table: StagedTable, name: str) -> ColumnElement[Any]:
    """What a column shall hold: the seed's value.

    A way down wants what the seed had met, or had cut a link to.
    """
    new = table.stage.c["n_" + name]
    if plan.upgrade or not plan.knows(table.name):
        return new
    before: list[tuple[ColumnElement[bool], Any]] = [(_FACT.c.popped.is_not(None), _FACT.c.popped_value)]
    if name in table.frozen.foreign_keys:
        before.append((_cut(plan, table, name), _FACT.c.lower_value))
    return _remembered(plan, table, name, new, *before)


def _remembered(
    plan: Plan, table: StagedTable, name: str, value: Any, *before: tuple[ColumnElement[bool], Any]
) -> ColumnElement[Any]:
    """A staged value, or what the ledger has in its place: chosen as texts, which any column's type reads."""
    chosen = sa.case(*before, else_=plan.dialect.to_ledger(value))
    return plan.dialect.from_ledger(chosen, table.live.c[name])


def stand_in(plan: Plan, table: StagedTable, name: str) -> Any:
    """What a staged row's link gets that is cut: another row, or nothing.

    On a way up as the run asks; on a way down as the run asked that set the link.
    """
    if not fills(plan, table, name):
        return sa.null()
    if plan.upgrade:
        return plan.stand_ins[table.name, name]
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


def _cut(plan: Plan, table: StagedTable, name: str) -> ColumnElement[bool]:
    """On a way down: whether the seed's link at the target is the one that was cut.

    A jump may have passed by another.
    """
    if plan.upgrade or name not in table.frozen.foreign_keys or not plan.knows(table.name):
        return sa.false()
    return sa.and_(_FACT.c.lower == CUT, _FACT.c.lower_at >= _given(table, name))


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
