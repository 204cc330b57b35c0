"""Spare values: for rows that make way, values of a column that no live row holds and no staged one wants."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from seedrail.dialects import SeedDialect
from seedrail.merge.stage import StagedTable
from seedrail.schema.types import ColumnType


def spare_values(
    dialect: SeedDialect, table: StagedTable, name: str, movers: sa.CTE, wanted: sa.CTE, *, exact: bool
) -> sa.Subquery:
    """A query for the rows' ids, each with a value of its own as `spare`.

    Where a unique key is not `exact`, an expression may hold texts equal that differ in their case.
    """
    number = sa.func.row_number().over(order_by=movers.c.id)
    parked = sa.select(movers.c.id, movers.c.held, number.label("k")).cte("parked")
    type_ = table.frozen.columns[name].type
    if type_.is_text:
        return _spare_texts(parked, table, name, wanted, exact=exact)
    taken = sa.union_all(sa.select(table.live.c[name].label("value")), sa.select(wanted.c[name])).subquery()
    count = sa.select(sa.func.count()).select_from(parked).scalar_subquery()
    value = taken.c.value
    edges = sa.select(
        sa.func.min(value).label("low"), sa.func.max(value).label("high"), count.label("n")
    ).cte("edges")
    if type_.kind in ("timestamp", "date"):
        spare = dialect.days_beyond(type_.kind, edges.c.low, edges.c.high, parked.c.k)
    else:
        spare = _beyond(type_, edges, parked.c.k)
    rows = sa.select(parked.c.id, spare.label("spare")).join_from(parked, edges, sa.true())
    return rows.subquery("spare")


def _beyond(type_: ColumnType, edges: sa.CTE, k: Any) -> ColumnElement[Any]:
    """Numbers above all others, as those of a growing list are; below them where the type ends.

    How wide an integer is, a script does not know: the largest value tells what the column holds at least.
    """
    low, high = edges.c.low, edges.c.high
    limit: Any
    if type_.kind == "integer":
        small, usual, large = (sa.literal_column(str(2**bits - 1), sa.BigInteger()) for bits in (15, 31, 63))
        limit = sa.case((high <= small, small), (high <= usual, usual), else_=large)
    elif type_.kind == "decimal":
        if type_.precision is None:
            return sa.type_coerce(high + k, sa.Numeric())
        limit = sa.literal_column("9" * (type_.precision - (type_.scale or 0)) or "0")
    else:
        # Beyond, single precision does not tell a number from the next.
        limit = sa.literal_column("16000000")
    return sa.case((high <= limit - edges.c.n, high + k), else_=low - k)


def _spare_texts(
    parked: sa.CTE, table: StagedTable, name: str, wanted: sa.CTE, *, exact: bool
) -> sa.Subquery:
    """Texts as long as the parked ones and of their kind (digits, capitals, small letters), from the last.

    A CHECK that codes are made so holds for them, too.
    """
    column = table.live.c[name]
    shape = _shape(parked)
    size, base = shape.c.size, _base(shape)
    # As many as there may be rows in the way of, and never more than differ.
    others = [sa.select(sa.func.count()).select_from(one).scalar_subquery() for one in (table.live, wanted)]
    enough = sa.select(shape.c.n + others[0] + others[1]).scalar_subquery()
    differ = sa.select(
        sa.case((size == 1, base), (size == 2, base * base), (size == 3, base * base * base), else_=_MOST)
    ).scalar_subquery()
    numbers = sa.select(sa.literal_column("0", sa.Integer()).label("n")).cte("numbers", recursive=True)
    following = numbers.c.n + 1
    numbers = numbers.union_all(sa.select(following).where(following < differ, following < enough))
    n = numbers.c.n
    texts = (
        sa.select(n, _numeral(n, shape).label("text"))
        .select_from(numbers.join(shape, sa.true()))
        .subquery("texts")
    )
    taken = [
        one == texts.c.text if exact else sa.func.lower(one) == sa.func.lower(texts.c.text)
        for one in (column, wanted.c[name])
    ]
    free = (
        sa.select(texts.c.text, sa.func.row_number().over(order_by=texts.c.n).label("k"))
        .where(*(~sa.exists().where(same) for same in taken))
        .subquery("free")
    )
    return (
        sa.select(parked.c.id, free.c.text.label("spare"))
        .join(free, free.c.k == parked.c.k)
        .subquery("spare")
    )


def _base(shape: sa.CTE) -> ColumnElement[int]:
    return sa.func.length(shape.c.letters, type_=sa.Integer())


def _numeral(n: ColumnElement[Any], shape: sa.CTE) -> ColumnElement[Any]:
    """A number in the shape's letters, as long as its texts; before the last four stands the first letter."""
    letters, size, base = shape.c.letters, shape.c.size, _base(shape)
    places = [n // (base * base * base), n // (base * base), n // base, n]
    last = _joined([sa.func.substr(letters, 1 + place % base, 1) for place in places])
    return sa.case(
        (size > 4, sa.func.substr(_repeated(letters), 1, size - 4).concat(last)),
        else_=sa.func.substr(last, 5 - size),
    )


_MOST = 10_000
"""How many texts of four characters or more are tried: those of digits end there."""
_ALPHABETS = ("9876543210", "ZYXWVUTSRQPONMLKJIHGFEDCBA", "zyxwvutsrqponmlkjihgfedcba")


def _shape(parked: sa.CTE) -> sa.CTE:
    """One row: how many texts are parked, their greatest length, and the letters that they are made of."""
    held = sa.cast(parked.c.held, sa.Text())

    def all_are(what: ColumnElement[bool]) -> ColumnElement[bool]:
        return sa.func.min(sa.case((what, 1), else_=0)) == 1

    digits, capitals, small = (sa.literal_column(f"'{letters}'", sa.Text()) for letters in _ALPHABETS)
    letters = sa.case(
        (all_are(sa.func.lower(held) == sa.func.upper(held)), digits),
        (all_are(held == sa.func.upper(held)), capitals),
        else_=small,
    )
    longest = sa.func.max(sa.func.length(held), type_=sa.Integer())
    return sa.select(
        sa.func.count().label("n"),
        sa.case((longest < 1, 1), else_=longest).label("size"),
        letters.label("letters"),
    ).cte("shape")


def _joined(parts: list[Any]) -> ColumnElement[Any]:
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.concat(part)
    return whole  # type: ignore[no-any-return]


def _repeated(letters: Any) -> ColumnElement[Any]:
    """The first letter as often as any column that holds no seed id is long."""
    return sa.func.replace(sa.literal_column(f"'{'.' * 32}'", sa.Text()), ".", sa.func.substr(letters, 1, 1))
