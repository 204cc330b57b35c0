"""Touched cells: whatever of a move is not simply as the seed expects, in one relation for all tables.

A row is touched if the ledger has claims on it, if somebody has such a row already, or if the live row is not
as the seed left it. Its first cell is EXISTS, of the row itself; the others are the columns that the move is
about. docs/explanation/merge.md says what is decided of them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

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

`top` is the last claim that counts at the source. `met` says who stands on top since the *last* that met
somebody, `met_value` what the *first* of them met: that is what its owner has back. `lower` (of the position
`lower_at`) and `lower_met` are the same at the target. `dropped` is set where a move down drops a claim,
`popped` is the first of those that met somebody.
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

cells = _of_cells(
    "seed_cell",
    sa.Column("live_id", sa.Uuid()),
    # Of the row: what the seed does, whether it is there, has claims, and whether the move changes it.
    sa.Column("way", sa.Text()),
    sa.Column("there", sa.Boolean()),
    sa.Column("known", sa.Boolean()),
    sa.Column("concerned", sa.Boolean()),
    # At a stop on a way down: whether the row is in nobody's way in the end.
    sa.Column("passes", sa.Boolean()),
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

held = _of_cells("seed_held", sa.Column("position", sa.Integer()))
"""On a way down: the positions at or below the target at which the seed had a row that leaves."""

passing = _of_cells("seed_passing")
"""At a stop on a way down: the rows that enter there, and are in no state where the way ends."""

decisions = _of_cells(
    "seed_decision",
    sa.Column("kind", sa.Text()),
    # Of `referenced`: the foreign key, of which several may point at a row.
    sa.Column("by", sa.Text()),
    sa.Column("overwrite", sa.Boolean()),
)
"""Conflicts that were decided one by one, ahead of the policy."""

_ROW, _FACT = cells.alias("row"), known_cells.alias("fact")
"""A touched row, and what the claims say of the cell that is looked at."""


def same_row(one: Any, other: Any) -> ColumnElement[bool]:
    """Whether two cells, of any of these tables or claims, are of the same row."""
    return sa.and_(one.c.table_name == other.c.table_name, one.c.seed_id == other.c.seed_id)


def decided(cell: Any) -> sa.Select[Any]:
    """Whether the seed wins a cell's conflict, where that was decided."""
    made = decisions.c
    by = sa.or_(made.by.is_(None), made.by == sa.type_coerce(cell.c.wanted, sa.Text()))
    of_conflict = made.column_name == cell.c.column_name, made.kind == cell.c.kind, by
    return sa.select(made.overwrite).where(same_row(decisions, cell), *of_conflict)


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

    # Of the claims for which `where` holds, one has rank 1: `max` only takes it out of its group.
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


def _chapters(plan: Plan) -> sa.CTE:
    """Each claim with whether it counts at the source and at the target, or lies above that.

    The claims of the last chapter count: those from the last claim on EXISTS on.
    """
    claim, opening = seed_claims.alias("claim"), seed_claims.alias("opening")
    target = sa.literal(plan.target)

    def since(*where: ColumnElement[bool]) -> ColumnElement[Any]:
        of_row = same_row(opening, claim), opening.c.column_name == EXISTS
        found = sa.select(opening.c.position).where(*of_row, *where)
        last = found.order_by(opening.c.ordinal.desc()).limit(1).scalar_subquery()
        return sa.func.coalesce(last, 0)

    at_target = since(opening.c.position <= target)
    rows = sa.select(
        claim,
        (claim.c.position >= since()).label("now"),
        (claim.c.position > target).label("above"),
        sa.and_(claim.c.position <= target, claim.c.position >= at_target).label("below"),
        (claim.c.stands != CUT).label("meets"),
    )
    # What was met in a column that is gone says nothing of another one with its name.
    others = [
        sa.and_(claim.c.table_name == table.name, claim.c.column_name == name, claim.c.position < since_then)
        for table in plan.tables
        for name, since_then in plan.since.get(table.name, {}).items()
    ]
    of_tables = claim.c.table_name.in_([table.name for table in plan.tables])
    return rows.where(of_tables, ~sa.or_(sa.false(), *others)).cte("chapters")


def _counted(plan: Plan) -> sa.Subquery:
    """Each claim with its rank among those of its cell that count."""
    chapters = _chapters(plan)
    c = chapters.c
    met = {name: sa.and_(c[name], c.meets) for name in ("now", "above", "below")}

    # The condition is part of the partition: rank 1 is the first, or last, of those for which it holds.
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
    """The EXISTS cells of touched rows: those with claims, and those that are not as the seed expects."""
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
        of_row = _is_fact(table, stage.c.seed_id, sa.literal(EXISTS))
        rows = rows.outerjoin(_FACT, of_row).with_only_columns(*values.values())
    rows = rows.where(sa.or_(known, _is_unexpected(plan, table)))
    yield Statement(sa.insert(cells).from_select(list(values), rows), ("touched", table.name))


def _is_unexpected(plan: Plan, table: StagedTable) -> ColumnElement[bool]:
    """Whether the live row is not as the seed left it, or there is one already.

    Asked of the kinds of staged rows alone that there are: every row of a move pays for it.
    """
    action, there = table.stage.c.action, table.live_id.is_not(None)
    unexpected: dict[str, ColumnElement[bool]] = {}
    if table.counts[INSERT]:
        unexpected[INSERT] = table.stage.c.live_id.is_not(None)
    if table.counts[UPDATE]:
        unexpected[UPDATE] = sa.or_(~there, _changed_here(plan, table))
    if table.counts[DELETE]:
        unexpected[DELETE] = sa.or_(~there, *_differences(plan, table))
    if len(unexpected) == 1:
        return next(iter(unexpected.values()))
    return sa.case(*((action == kind, condition) for kind, condition in unexpected.items()), else_=sa.false())


def hold(table: StagedTable) -> Iterator[Statement]:
    """Nothing happens to touched rows until it is decided."""
    rest = table.stage.c.seed_id.in_(touched_rows(table))
    yield Statement(sa.update(table.stage).values(action=sa.null()).where(rest))


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
            if (table.name, name) not in plan.came
        ),
        sa.false(),
    )


def _differences(plan: Plan, table: StagedTable) -> Iterator[ColumnElement[bool]]:
    """For each column, whether a row that leaves is not as the seed left it."""
    for name in table.columns:
        if (table.name, name) not in plan.came:
            yield ~_untouched(plan, table, name)
    for name, default in table.unseeded.items():
        if (table.name, name) not in plan.came:
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
    "table_name", "seed_id", "column_name", "live_id", "way", "there", "fate", "passes", "first", "given",
    "expected", "found", "wanted", "as_expected", "as_wanted", "as_landing", "as_met", "asks", *FACTS,
]  # fmt: skip


def unpivot(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """The other cells of touched rows, one for each column that the move is about.

    A column has a part of the query to itself for what its type decides: its values in the ledger's form, and
    whether they are equal. The rest is said once for all columns.
    """
    mine = _touched_whole(table)
    parts = [_seeded(plan, table, mine, name) for name in table.columns]
    parts += [_unseeded(plan, table, mine, name, default) for name, default in table.unseeded.items()]
    each = sa.union_all(*parts).subquery("each")
    yield Statement(sa.insert(cells).from_select(_CELL, _cells(plan, table, each)))


def _cells(plan: Plan, table: StagedTable, each: sa.Subquery) -> sa.Select[Any]:
    """The columns' parts as cells, with what is known of their rows, and their claims."""
    c, row = each.c, _ROW.c
    of_row = row.table_name == table.name, row.column_name == EXISTS, row.seed_id == c.seed_id
    source = sa.join(each, _ROW, sa.and_(*of_row))
    facts: dict[str, ColumnElement[Any]] = {
        name: sa.cast(sa.null(), _FACT.c[name].type).label(name) for name in FACTS
    }
    if plan.knows(table.name):
        facts = {name: _FACT.c[name] for name in FACTS}
        source = source.outerjoin(_FACT, _is_fact(table, c.seed_id, c.column_name))
    keys = table.frozen.foreign_keys
    first = sa.case((row.way == STAYS, c.changed), else_=row.first)
    given = sa.case((c.column_name.in_(keys), sa.func.coalesce(c.given, row.first)), else_=first)
    no, optional = sa.false(), [name for name, key in keys.items() if key.optional]
    compared = [
        sa.func.coalesce(*whether, no) for whether in ([c.as_wanted], [c.as_landing, c.as_wanted], [c.as_met])
    ]
    values = [
        row.table_name, c.seed_id, c.column_name, row.live_id, row.way, row.there, row.fate, row.passes,
        first, given, c.expected, c.found, c.wanted, c.as_expected, *compared, c.column_name.not_in(optional),
        *facts.values(),
    ]  # fmt: skip
    return sa.select(*values).select_from(source).where(_is_about(plan, table, c, facts))


def _is_about(
    plan: Plan, table: StagedTable, c: Any, facts: Mapping[str, ColumnElement[Any]]
) -> ColumnElement[bool]:
    """Whether the move is about a column of a touched row: which cells there are, by the row's fate.

    What can neither be in conflict nor has anything to be written or claimed is no cell.
    """
    fate, popped = _ROW.c.fate, facts["popped"].is_not(None)
    merged = sa.or_(c.changed.is_not(None), facts["dropped"].is_not(None))
    # A column that no seed sets is somebody's where it does not hold its default.
    unseeded = sa.or_(sa.and_(fate == GOES, ~c.as_expected), sa.and_(fate == COMES, popped))
    return sa.case(
        (c.column_name.in_(table.unseeded), unseeded),
        (fate == MERGED, merged),
        # Whatever differs is its owner's.
        (fate == ADOPTED, ~c.as_wanted),
        # What was somebody's would go with the row, by an edit or by what the seed wrote over.
        (fate == GOES, sa.or_(~c.as_expected, facts["met"].is_not(None))),
        # Cells on which the seed stood, up to where it gave them back.
        (fate == RETURNS, facts["lower_met"] == SEED),
        (fate == GIVEN_BACK, sa.or_(facts["met"] == SEED, ~c.as_expected)),
        (
            fate == COMES,
            # Also a link that was cut once, and whole again in what a jump has passed by.
            sa.false()
            if plan.upgrade
            else sa.or_(popped, sa.func.coalesce(facts["lower"] == CUT, sa.false())),
        ),
        # A row that is missed has its cells for their positions.
        (sa.and_(_ROW.c.way == STAYS, ~_ROW.c.there), merged),
        else_=sa.false(),
    )


def _touched_whole(table: StagedTable) -> sa.CTE:
    """Touched rows with what is staged of them, and with what is live under `l_`."""
    # By short names: there are hundreds of columns.
    stage, live, names = table.stage.alias("s"), table.live.alias("t"), (*table.columns, *table.unseeded)
    source = sa.join(_ROW, stage, stage.c.seed_id == _ROW.c.seed_id)
    source = source.outerjoin(live, live.c[table.frozen.id] == stage.c.live_id)
    staged = [column for column in stage.c if column.name[:2] in ("o_", "n_", "r_", "g_")]
    found = [live.c[name].label("l_" + name) for name in names]
    of_rows = _ROW.c.table_name == table.name, _ROW.c.column_name == EXISTS
    rows = sa.select(stage.c.seed_id, _ROW.c.fate, *staged, *found).select_from(source)
    return rows.where(*of_rows).cte("mine")


_PART: dict[str, TypeEngine[Any]] = {
    "changed": sa.Integer(), "given": sa.Integer(), "expected": VALUE, "found": VALUE, "wanted": VALUE,
    "as_expected": sa.Boolean(), "as_wanted": sa.Boolean(), "as_landing": sa.Boolean(),
    "as_met": sa.Boolean(), "is_cut": sa.Boolean(),
}  # fmt: skip
"""What a column's part says of its cells; `as_landing` is NULL where it is as `as_wanted` is."""


def _part(rows: sa.FromClause, name: str, values: Mapping[str, ColumnElement[Any]]) -> sa.Select[Any]:
    """A column's part; what has no value in it is NULL."""
    said = [
        (values[one] if one in values else sa.cast(sa.null(), type_)).label(one)
        for one, type_ in _PART.items()
    ]
    return sa.select(rows.c.seed_id, sa.literal(name).label("column_name"), *said)


def _seeded(plan: Plan, table: StagedTable, mine: sa.CTE, name: str) -> sa.Select[Any]:
    to_ledger = plan.dialect.to_ledger
    rows = _valued(plan, table, mine, name)
    c = rows.c
    values: dict[str, ColumnElement[Any]] = {
        "changed": c.changed,
        "expected": to_ledger(c.expected), "found": to_ledger(c.found), "wanted": to_ledger(c.wanted),
        "as_expected": equal(plan, table, name, c.found, c.expected),
        "as_wanted": equal(plan, table, name, c.found, c.wanted),
    }  # fmt: skip
    if plan.knows(table.name):
        values["as_met"] = equal(
            plan, table, name, c.found, plan.dialect.from_ledger(c.met, table.live.c[name])
        )
    if name in table.frozen.foreign_keys:
        values |= {"given": c.given, "is_cut": c.is_cut}
    if may_be_empty(table, name):
        values["as_landing"] = equal(plan, table, name, c.found, c.landing)
    return _part(rows, name, values)


def _valued(plan: Plan, table: StagedTable, mine: sa.CTE, name: str) -> sa.Subquery:
    """Touched rows with what is found in a column, expected, and wanted; of links, what a write would leave.

    A query of its own, so that each is written once, however often it is compared.
    """
    seen: dict[str, Any] = {
        "seed_id": mine.c.seed_id, "found": mine.c["l_" + name], "changed": mine.c["r_" + name],
        "expected": _expected(plan, table, mine, name), "wanted": _wanted(plan, table, mine, name),
    }  # fmt: skip
    source: Any = mine
    if plan.knows(table.name):
        source = mine.outerjoin(_FACT, _is_fact(table, mine.c.seed_id, sa.literal(name)))
        # What a row that returns had been given back; else what the seed had met.
        seen["met"] = sa.case((mine.c.fate == RETURNS, _FACT.c.lower_met_value), else_=_FACT.c.met_value)
    if name in table.frozen.foreign_keys:
        seen |= {"given": mine.c["g_" + name], "is_cut": _cut(plan, table, mine, name)}
    empty = may_be_empty(table, name)
    if empty and fills(plan, table, name):
        seen["fallback"] = stand_in(plan, table, name, mine)
    rows = (
        sa.select(*(value.label(label) for label, value in seen.items())).select_from(source).subquery("seen")
    )
    if not empty:
        return rows
    # The database itself may have emptied a link; and one that leads nowhere will be left empty.
    there = sa.case((is_there(plan, table, name, rows.c.expected), rows.c.expected))
    landing = sa.case((leads(plan, table, name, rows.c.wanted), rows.c.wanted), else_=rows.c.get("fallback"))
    others = [column for column in rows.c if column.key not in ("expected", "fallback")]
    return sa.select(*others, there.label("expected"), landing.label("landing")).subquery("seen_link")


def _unseeded(plan: Plan, table: StagedTable, mine: sa.CTE, name: str, default: str) -> sa.Select[Any]:
    column = sa.type_coerce(mine.c["l_" + name], table.live.c[name].type)
    came = (table.name, name) in plan.came
    values = {
        "expected": plan.dialect.to_ledger(column if came else plan.dialect.given(column, default)),
        "found": plan.dialect.to_ledger(column),
        "as_expected": sa.true() if came else plan.dialect.holds(column, default),
    }
    return _part(mine, name, values)


def _is_fact(table: StagedTable, seed_id: Any, column: Any) -> ColumnElement[bool]:
    """Whether the facts are of a cell."""
    c = _FACT.c
    return sa.and_(c.table_name == table.name, c.seed_id == seed_id, c.column_name == column)


def _expected(plan: Plan, table: StagedTable, mine: sa.CTE, name: str) -> ColumnElement[Any]:
    """What a column holds if nobody touched it: the seed's value, or what the link was cut to.

    Where it came in this run, nobody can have.
    """
    if (table.name, name) in plan.came:
        return mine.c["l_" + name]
    old = mine.c["o_" + name]
    if name not in table.frozen.foreign_keys or not plan.knows(table.name):
        return old
    return _remembered(plan, table, name, old, (_FACT.c.top == CUT, _FACT.c.top_value))


def _wanted(plan: Plan, table: StagedTable, mine: sa.CTE, name: str) -> ColumnElement[Any]:
    """What a column shall hold: the seed's value.

    A way down wants what the seed had met, or had cut a link to.
    """
    new = mine.c["n_" + name]
    if plan.upgrade or not plan.knows(table.name):
        return new
    before: list[tuple[ColumnElement[bool], Any]] = [(_FACT.c.popped.is_not(None), _FACT.c.popped_value)]
    if name in table.frozen.foreign_keys:
        before.append((_cut(plan, table, mine, name), _FACT.c.lower_value))
    return _remembered(plan, table, name, new, *before)


def _remembered(
    plan: Plan, table: StagedTable, name: str, value: Any, *before: tuple[ColumnElement[bool], Any]
) -> ColumnElement[Any]:
    """A staged value, or what the ledger has in its place: chosen as texts, which any column's type reads."""
    chosen = sa.case(*before, else_=plan.dialect.to_ledger(value))
    return plan.dialect.from_ledger(chosen, table.live.c[name])


def stand_in(plan: Plan, table: StagedTable, name: str, row: sa.FromClause) -> Any:
    """What the link of a row (staged, or touched) gets that is cut: another row, or nothing.

    On a way up as the run asks; on a way down as the run asked that set the link.
    """
    if not fills(plan, table, name):
        return sa.null()
    if plan.upgrade:
        return plan.stand_ins[table.name, name]
    marked = mark(table.name, name).where(seed_claims.c.position <= _given(table, name, row))
    value = plan.dialect.from_ledger(marked.scalar_subquery(), table.live.c[name])
    return sa.case((is_there(plan, table, name, value), value))


def _given(table: StagedTable, name: str, row: sa.FromClause) -> Any:
    """On a way down: the position of the revision that gave a row's link its value at the target."""
    place = places.alias("place")
    return (
        sa.select(sa.func.max(place.c.position))
        .where(
            place.c.table_name == table.name,
            place.c.seed_id == row.c.seed_id,
            place.c.column_name.in_([name, EXISTS]),
        )
        .correlate(row)
        .scalar_subquery()
    )


def _cut(plan: Plan, table: StagedTable, mine: sa.CTE, name: str) -> ColumnElement[bool]:
    """On a way down: whether the seed's link at the target is the one that was cut.

    A jump may have passed by another.
    """
    if plan.upgrade or name not in table.frozen.foreign_keys or not plan.knows(table.name):
        return sa.false()
    return sa.and_(_FACT.c.lower == CUT, _FACT.c.lower_at >= _given(table, name, mine))


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
