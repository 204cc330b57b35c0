"""Change files side by side: what each of them has of a row, streamed as far as they have one order.

Files of one format, whose tables stand in the same order and have the same keys, are merged line by line.
What the others hold is kept in memory by row: beside a long file of an older format, a few short ones.
"""

from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, TypeVar

from seedrail.errors import SetupError
from seedrail.history.changefile import BY_ID, ChangeFile, Header, Order, Rank, order_of, rank_of
from seedrail.history.lines import Line
from seedrail.schema.tables import FrozenTable, in_foreign_key_order

T = TypeVar("T")
Group = list[tuple[int, Sequence[T]]]
"""Lines of the files with these numbers: many of one file, or of one row what each file has."""

Held = dict[str, dict[str, Group[Line]]]
"""Lines by table and seed id."""


def side_by_side(
    files: Sequence[ChangeFile], headers: Sequence[Header], seen: Callable[[int], None] | None = None
) -> Iterator[Group[Line]]:
    """What the files have of each row, table by table; `seen` is told how many bytes were read."""
    streams = _streams(files, headers)
    rest = [number for number in range(len(files)) if number not in streams.numbers]
    held = _held(files, rest, seen)
    main = max(streams.numbers, key=lambda number: files[number].size, default=0)
    runs = {number: files[number].blocks(seen) for number in streams.numbers}
    groups = merged(runs, main, streams.order)
    yield from _beside(groups, held, streams.rank) if held else groups


def ranks(files: Sequence[ChangeFile], headers: Sequence[Header]) -> Rank:
    """The order of the tables in which `side_by_side` says what the files have."""
    return _streams(files, headers).rank


@dataclass(frozen=True)
class _Streams:
    """Files that have an order in common: that of their lines, and that of their tables."""

    numbers: Sequence[int]
    order: Order
    rank: Rank


def _streams(files: Sequence[ChangeFile], headers: Sequence[Header]) -> _Streams:
    """Of the files that have an order in common, the most bytes."""
    old = [number for number, header in enumerate(headers) if header.format == 1]
    tables = _tables(header for header in headers if header.format > 1)
    new = [
        number
        for number, header in enumerate(headers)
        if header.format > 1 and _agrees(header, tables) and not _hides(headers[max(number - 1, 0)], header)
    ]
    found = [_Streams(old, BY_ID, str), _Streams(new, order_of(tables), rank_of(tables))]
    return max(found, key=lambda one: sum(files[number].size for number in one.numbers))


def _tables(headers: Iterable[Header]) -> dict[str, FrozenTable]:
    """All tables as they were last, in an order that the files have, if it is one."""
    known: dict[str, FrozenTable] = {}
    for header in headers:
        known |= header.every
    try:
        return {table.name: table for table in in_foreign_key_order(known.values())}
    except SetupError:
        # Of several times, tables may point at each other: then the newest file has its own order.
        return known


def _agrees(header: Header, common: Mapping[str, FrozenTable]) -> bool:
    """Whether a file's tables stand in the common order, and say the key of a row in the same words."""
    ranks = {name: rank for rank, name in enumerate(common)}
    ranked = [ranks[name] for name in header.every]
    return ranked == sorted(ranked) and all(
        _key(one, header.every) == _key(common[one.name], common) for one in header.every.values()
    )


def _key(table: FrozenTable, known: Container[str]) -> list[tuple[str, str | None]]:
    # A parent is said in words where its table is known, and as its id where not.
    keys = table.foreign_keys
    links = {name: keys[name].table for name in table.key if name in keys and keys[name].table in known}
    return [(name, links.get(name)) for name in table.key]


def _hides(before: Header, header: Header) -> bool:
    """Whether a file may have lines of tables that it does not name, as those that earlier versions wrote."""
    return not before.tables.keys() <= header.every.keys()


def _held(files: Sequence[ChangeFile], numbers: Iterable[int], seen: Callable[[int], None] | None) -> Held:
    held: Held = {}
    for number in numbers:
        for line in chain.from_iterable(files[number].blocks(seen)):
            held.setdefault(line.table, {}).setdefault(line.id, []).append((number, [line]))
    return held


def _beside(groups: Iterable[Group[Line]], held: Held, rank: Rank) -> Iterator[Group[Line]]:
    """What is held beside what streams by, at its rows; the rest of a table before the next one begins."""
    waiting = sorted(held, key=rank)
    nothing: dict[str, Group[Line]] = {}
    table, here = "", nothing
    for group in groups:
        ((number, lines), *others) = group
        start = 0
        for at, line in enumerate(lines):
            if line.table != table:
                if at > start:
                    yield [(number, lines[start:at])]
                start, table, here = at, line.table, held.get(line.table, nothing)
                while waiting and rank(waiting[0]) < rank(table):
                    yield from held[waiting.pop(0)].values()
            more = here.pop(line.id, None)
            if more or others:
                if at > start:
                    yield [(number, lines[start:at])]
                yield _in_turn([(number, lines[at : at + 1]), *others, *(more or ())])
                start = at + 1
        if start < len(lines):
            yield [(number, lines[start:] if start else lines)]
    for name in waiting:
        yield from held[name].values()


def _in_turn(group: Group[T]) -> Group[T]:
    # Numbers differ, so that the entries themselves are never compared.
    return sorted(group, key=itemgetter(0))


def merged(
    runs: Mapping[int, Iterable[Sequence[T]]], main: int, order: Callable[[T], Any]
) -> Iterator[Group[T]]:
    """What sorted runs, given in blocks, hold of each row: streamed, in their numbers' order.

    Rows of the run numbered `main`, the longest if possible, pass by many at a time where no other run
    has anything of them; where several runs have something of a row, it passes by alone.
    """
    others = (_keyed(number, run, order) for number, run in runs.items() if number != main)
    alone = _grouped(merge(*others))
    key, group = next(alone, _END)
    for block in runs.get(main, ()):
        start, last = 0, order(block[-1])
        while group and key <= last:
            here = bisect_left(block, key, start, key=order)
            if here > start:
                yield [(main, block[start:here])]
            start = here
            if order(block[here]) == key:
                group = _in_turn([*group, (main, block[here : here + 1])])
                start += 1
            yield group
            key, group = next(alone, _END)
        if start < len(block):
            yield [(main, block[start:] if start else block)]
    while group:
        yield group
        key, group = next(alone, _END)


_END: tuple[Any, list[Any]] = ((), [])


def _grouped(entries: Iterable[tuple[Any, int, T]]) -> Iterator[tuple[Any, Group[T]]]:
    for key, group in groupby(entries, key=itemgetter(0)):
        yield key, [(number, [one]) for _, number, one in group]


def _keyed(
    number: int, run: Iterable[Sequence[T]], order: Callable[[T], Any]
) -> Iterator[tuple[Any, int, T]]:
    for one in chain.from_iterable(run):
        yield order(one), number, one
