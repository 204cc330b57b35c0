"""Changes of seed rows and their algebra: apart (diff), one after the other (compose), backwards (invert)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """What happens to one seed row: insert (no `old`), delete (no `new`), or update of some columns.

    Values are canonical (see `types`). A row that lacks a column has NULL in it. For an update, `old` and
    `new` hold the changed columns alone. `revision` is the seed revision that inserts or deletes the
    row, `revisions` those that last changed each column of an update.
    """

    table: str
    id: str
    old: Row | None
    new: Row | None
    revision: str = ""
    revisions: Mapping[str, str] = field(default_factory=dict)

    @property
    def sort_key(self) -> tuple[str, str]:
        """The order of every change file."""
        return self.table, self.id

    @property
    def kind(self) -> str:
        """`insert`, `update` or `delete`."""
        if self.old is None:
            return "insert"
        return "delete" if self.new is None else "update"

    def inverse(self) -> "Change":
        """The change that takes this one back."""
        return Change(self.table, self.id, self.new, self.old, self.revision, self.revisions)


def diff(before: Mapping[str, Mapping[str, Row]], after: Mapping[str, Mapping[str, Row]]) -> Iterator[Change]:
    """The changes from one state to another, both as rows by table and seed id, sorted.

    Columns that a table no longer has are not changes: the schema revision that dropped them is.
    """
    for table in sorted({*before, *after}):
        olds, news = before.get(table, {}), after.get(table, {})
        for id_ in sorted({*olds, *news}):
            change = _difference(table, id_, olds.get(id_), news.get(id_))
            if change:
                yield change


def _difference(table: str, id_: str, old: Row | None, new: Row | None) -> Change | None:
    if old is None or new is None:
        return Change(table, id_, old, new)
    changed = sorted(name for name in new if not _same(old.get(name), new[name]))
    if not changed:
        return None
    return Change(
        table,
        id_,
        {name: old.get(name) for name in changed},
        {name: new[name] for name in changed},
    )


def net(runs: Iterable[Iterable[Change]]) -> Iterator[Change]:
    """The net changes of sorted runs applied one after the other, streamed and sorted.

    Rows that end where they began are left out.
    """
    numbered = [_numbered(index, run) for index, run in enumerate(runs)]
    ordered = merge(*numbered, key=lambda entry: (entry[1].sort_key, entry[0]))
    for _, group in groupby(ordered, key=lambda entry: entry[1].sort_key):
        total: Change | None = None
        for _, change in group:
            total = change if total is None else _compose(total, change)
        if total is not None:
            yield total


def _numbered(index: int, run: Iterable[Change]) -> Iterator[tuple[int, Change]]:
    for change in run:
        yield index, change


def _compose(first: Change, then: Change) -> Change | None:
    """Two changes of one row as one, or None when the row ends where it began."""
    if (first.new is None) != (then.old is None):
        raise ValueError(f"{then.table} {then.id}: a change does not follow from the one before")
    match first.kind, then.kind:
        case "insert", "delete":
            return None
        case "insert", _:
            return Change(
                first.table, first.id, None, {**(first.new or {}), **(then.new or {})}, first.revision
            )
        case "delete", _:
            return _reinserted(first, then)
        case _, "delete":
            old = {**(then.old or {}), **(first.old or {})}
            return Change(first.table, first.id, old, None, then.revision)
    return _updated(
        first,
        {**(then.old or {}), **(first.old or {})},
        {**(first.new or {}), **(then.new or {})},
        {**first.revisions, **then.revisions},
    )


def _reinserted(first: Change, then: Change) -> Change | None:
    old, new = first.old or {}, then.new or {}
    names = sorted({*old, *new})
    return _updated(
        first,
        {name: old.get(name) for name in names},
        {name: new.get(name) for name in names},
        dict.fromkeys(names, then.revision),
    )


def _updated(change: Change, old: Row, new: Row, revisions: Mapping[str, str]) -> Change | None:
    names = sorted(name for name in new if not _same(old[name], new[name]))
    if not names:
        return None
    return Change(
        change.table,
        change.id,
        {name: old[name] for name in names},
        {name: new[name] for name in names},
        revisions={name: revisions[name] for name in names if name in revisions},
    )


def _same(one: Any, other: Any) -> bool:
    """Equality that tells true from 1, inside nested JSON too; 1 and 1.0 are one number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
