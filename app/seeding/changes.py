"""Changes of seed rows and their algebra: apart (diff), one after the other (compose), backwards (invert)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
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

    A `released` row leaves the seed and stays in the database: whole in `old` and `new`, which then say what
    the change does to the live row, while the seed state holds it no more.
    """

    table: str
    id: str
    old: Row | None
    new: Row | None
    revision: str = ""
    revisions: Mapping[str, str] = field(default_factory=dict)
    released: bool = False

    @property
    def gone(self) -> bool:
        """Whether the seed state holds the row no more."""
        return self.new is None or self.released

    @property
    def sort_key(self) -> tuple[str, str]:
        """The order of every change file."""
        return self.table, self.id

    @property
    def kind(self) -> str:
        """What it does to the live row: `insert`, `update`, `delete`, or nothing: `release`."""
        if self.old is None:
            return "insert"
        if self.new is None:
            return "delete"
        return "release" if self.released and not self.revisions else "update"

    def release(self) -> "Change":
        """A delete as the release of its row."""
        return replace(self, new=self.old, released=True)

    def inverse(self) -> "Change":
        """The change that takes this one back."""
        return replace(self, old=self.new, new=self.old)


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
    if first.gone != (then.old is None):
        raise ValueError(f"{then.table} {then.id}: a change does not follow from the one before")
    if then.released:
        return _released(first, then)
    match first.kind, then.kind:
        case "insert", "insert":
            # Released in between: the row was there all the time.
            return replace(then, revision=first.revision)
        case _, "insert":
            return _reinserted(first, then)
        case "insert", "delete":
            return None
        case "insert", _:
            return Change(
                first.table, first.id, None, {**(first.new or {}), **(then.new or {})}, first.revision
            )
        case _, "delete":
            old = {**(then.old or {}), **(first.old or {})}
            return Change(first.table, first.id, old, None, then.revision)
    return _updated(
        first,
        {**(then.old or {}), **(first.old or {})},
        {**(first.new or {}), **(then.new or {})},
        {**first.revisions, **then.revisions},
    )


def _released(first: Change, then: Change) -> Change:
    """A row that came or changed, and then was released: whole, for a later insert to follow from."""
    if first.kind == "insert":
        return replace(first, new=then.old, released=True)
    old = {**(then.old or {}), **(first.old or {})}
    return replace(first, old=old, new=then.old, revision=then.revision, released=True)


def _reinserted(first: Change, then: Change) -> Change | None:
    """A row that was deleted or released, and came back: an update from what it was at first."""
    old, new = first.old or {}, then.new or {}
    between = first.new or {}
    names = sorted({*old, *new})
    revisions = dict.fromkeys(names, then.revision)
    if first.released:
        unchanged = [name for name in first.revisions if _same(between.get(name), new.get(name))]
        revisions |= {name: first.revisions[name] for name in unchanged}
    return _updated(
        replace(first, released=False),
        {name: old.get(name) for name in names},
        {name: new.get(name) for name in names},
        revisions,
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
