"""Changes of seed rows and their algebra: apart (diff), one after the other (compose), backwards (invert)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one seed row: insert (no `old`), delete (no `new`), or update of some columns.

    Values are canonical (see `types`). A row that lacks a column has NULL in it. For an update, `old` and
    `new` hold the changed columns alone. `revision` is the seed revision that inserts or deletes the
    row, `revisions` those that last changed each column of it since. Of several changes as one, `first` are
    those that changed each column first, `first_revision` that which first inserted or deleted the row.

    A row may leave the seed and stay in the database: it is `released`, from this change on or, as
    `released_before` says, already before. The history still knows its values: when its document has it
    again, it returns, with an update of what differs.
    """

    table: str
    id: str
    old: Row | None
    new: Row | None
    revision: str = ""
    revisions: Mapping[str, str] = field(default_factory=dict)
    released_before: bool = False
    released: bool = False
    first: Mapping[str, str] = field(default_factory=dict)
    first_revision: str = ""

    @property
    def before(self) -> str:
        """Where the row stood: `absent`, `seeded` or `released`."""
        return _standing(self.old, self.released_before)

    @property
    def after(self) -> str:
        """Where the row stands then."""
        return _standing(self.new, self.released)

    @property
    def seed_row(self) -> tuple[str, str]:
        """Its table and seed id."""
        return self.table, self.id

    @property
    def kind(self) -> str:
        """What it is: `insert`, `delete`, `release`, `return`, or else `update`."""
        if self.old is None or self.new is None:
            return "insert" if self.old is None else "delete"
        if self.released != self.released_before:
            return "release" if self.released else "return"
        return "update"

    @property
    def effect(self) -> str | None:
        """What it does to the live row: `insert`, `delete`, `update`, or nothing."""
        if self.old is None or self.new is None:
            return "insert" if self.old is None else "delete"
        return None if _same(self.old, self.new) else "update"

    def release(self) -> "Change":
        """A delete as the release of its row, which stays as it is; an insert as that of a released row."""
        return replace(self, new=self.old if self.new is None else self.new, released=True)

    def inverse(self) -> "Change":
        """The change that takes this one back."""
        return replace(
            self,
            old=self.new,
            new=self.old,
            released_before=self.released,
            released=self.released_before,
        )


def _standing(row: Row | None, released: bool) -> str:
    if row is None:
        return "absent"
    return "released" if released else "seeded"


State = Mapping[str, Mapping[str, Row]]
"""Rows by table and seed id."""


Assumed = Mapping[str, Row]
"""By table, what rows hold in columns that they do not have yet, other than NULL."""


def diff(
    before: State, after: State, released: State | None = None, assumed: Assumed | None = None
) -> Iterator[Change]:
    """The changes from one state to another, sorted; `released` rows of the first may return in the second.

    Columns that a table no longer has are not changes: the schema revision that dropped them is. Columns
    with an `assumed` value come into every row that lacks them, changed or not: so the history knows them.
    """
    released = released or {}
    for table in sorted({*before, *after}):
        olds, news = before.get(table, {}), after.get(table, {})
        away, given = released.get(table, {}), (assumed or {}).get(table, {})
        for id_ in sorted({*olds, *news}):
            if id_ in away and id_ in news:
                update = _difference(table, id_, away[id_], news[id_], given)
                yield replace(update or Change(table, id_, {}, {}), released_before=True)
                continue
            change = _difference(table, id_, olds.get(id_), news.get(id_), given)
            if change:
                yield change


def _difference(table: str, id_: str, old: Row | None, new: Row | None, assumed: Row) -> Change | None:
    coming = assumed.keys() - old.keys() if old is not None and assumed else ()
    if old is not None and coming:
        old = {**assumed, **old}
    if old is None or new is None:
        return Change(table, id_, old, new)
    changed = sorted({*changed_columns(old, new), *coming})
    if not changed:
        return None
    return Change(
        table,
        id_,
        {name: old.get(name) for name in changed},
        {name: new[name] for name in changed},
    )


def changed_columns(old: Row, new: Row) -> list[str]:
    """The columns of a new row that the old one has another value for."""
    return [name for name in new if not _same(old.get(name), new[name])]


def net_of(changes: Iterable[Change]) -> Change | None:
    """The changes of one row as one; None where it ends as it began."""
    total: Change | None = None
    first: dict[str, str] = {}
    for change in changes:
        for name in _changed(change):
            first.setdefault(name, change.revision)
        total = change if total is None else _compose(total, change)
    if total is None:
        return None
    names = total.revisions if total.kind in ("update", "return", "release") else ()
    return replace(total, first={name: first[name] for name in names}, first_revision=first.get(_ROW, ""))


_ROW = ""
"""Stands for whether the row is there."""


def _changed(change: Change) -> Iterator[str]:
    """The columns that a change alone gives another value; a row that is not there has NULL in each."""
    if change.old is None or change.new is None:
        yield _ROW
        yield from (name for name, value in (change.new or change.old or {}).items() if value is not None)
    else:
        yield from change.revisions


def _compose(first: Change, then: Change) -> Change | None:
    """Two changes of one row as one, or None when the row ends where it began."""
    if first.after != then.before:
        raise ValueError(f"{then.table} {then.id}: a change does not follow from the one before")
    if first.old is None:
        if then.new is None:
            return None
        new, revisions = {**(first.new or {}), **then.new}, {**first.revisions, **then.revisions}
        return replace(first, new=new, revisions=revisions, released=then.released)
    if then.new is None:
        return replace(then, old={**(then.old or {}), **first.old}, released_before=first.released_before)
    if first.new is None:
        return _reinserted(first, then)
    return _updated(
        first,
        then,
        {**(then.old or {}), **first.old},
        {**first.new, **then.new},
        {**first.revisions, **then.revisions},
    )


def _reinserted(first: Change, then: Change) -> Change | None:
    """A row that was deleted and came back: an update from what it was at first."""
    old, new = first.old or {}, then.new or {}
    names = sorted({*old, *new})
    return _updated(
        first,
        then,
        {name: old.get(name) for name in names},
        {name: new.get(name) for name in names},
        dict.fromkeys(names, then.revision),
    )


def _updated(first: Change, then: Change, old: Row, new: Row, revisions: Mapping[str, str]) -> Change | None:
    names = sorted(name for name in new if not _same(old[name], new[name]))
    if not names and first.released_before == then.released:
        return None
    return Change(
        first.table,
        first.id,
        {name: old[name] for name in names},
        {name: new[name] for name in names},
        then.revision,
        {name: revisions[name] for name in names if name in revisions},
        first.released_before,
        then.released,
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
