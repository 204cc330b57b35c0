"""The rules of the two rails: what may follow what, checked before anything runs.

A downgrade takes back everything above its target. So a schema revision above a seed revision, or above
SEED_BASE, would lose its tables, with people's rows in them, to `alembic downgrade seed_base`.
"""

from collections.abc import Iterable, Iterator, Sequence
from types import CodeType, FunctionType

from alembic.operations import Operations
from alembic.script import Script

from seedrail.errors import RailError
from seedrail.history.history import History, downs, file_name, is_seed, needs, on_rail, parents
from seedrail.quoting import shown


def check_placement(history: History, heads: Sequence[str] = ()) -> None:
    """Raise RailError where a revision is not on its rail; `heads` are the database's."""
    for script in history.revisions:
        _check_kind(script)
    misplaced = {script.revision for script in history.revisions if _is_misplaced(history, script)}
    if misplaced:
        raise RailError(_Mend(history, misplaced).sentence(heads))


def refuse_above_rail(history: History, revision: str, above: Iterable[str], way: str) -> None:
    """Raise RailError where a new schema revision, or a merge, is to follow the seed rail."""
    seeds = [repr(one) for one in above if one in history.by_id and on_rail(history.by_id[one])]
    if seeds:
        raise RailError(
            f"{revision} would follow {', '.join(seeds)} of the seed rail: {_WHY}; nothing was written\n"
            f"  {way}"
        )


CLOSE = 'alembic upgrade heads, then alembic revision --autogenerate -m "…", which follows both'
"""The way from a schema revision that no seed revision follows to one head."""

_WHY = "alembic downgrade seed_base would take it back too, with what people wrote since"

_SEED_CALLS = {"upgrade_seeds", "downgrade_seeds"}
_LEDGER_CALLS = {"create_seed_ledger", "drop_seed_ledger"}
# The seeds' own may not be registered yet.
_CALLS = {name for name in dir(Operations) if not name.startswith("_")} | _SEED_CALLS | _LEDGER_CALLS


def _check_kind(script: Script) -> None:
    """A seed revision pins its change file, and does nothing but move seeds."""
    found = operations_of(script, "upgrade") | operations_of(script, "downgrade")
    if not is_seed(script):
        if found & _SEED_CALLS:
            raise RailError(
                f"seed revision {script.revision} does not pin a change file:"
                f" {shown(script.path)} must set seed_changes and seed_sha256; restore it as it was committed"
            )
    elif others := sorted(found - _SEED_CALLS):
        raise RailError(
            f"{file_name(script)}: seed revision {script.revision!r} calls op.{others[0]}: a rollback of the"
            " seeds would take that back too; nothing was written\n"
            '  put it into a schema revision of its own: alembic revision -m "…"'
        )
    for direction in ("upgrade", "downgrade"):
        if is_seed(script) and f"{direction}_seeds" not in operations_of(script, direction):
            raise without_move(script, direction)


def without_move(script: Script, direction: str) -> RailError:
    """What is said of a seed revision that leaves its rows as they are, where the version goes on."""
    return RailError(
        f"{file_name(script)}: the {direction}() of seed revision {script.revision!r} does not call"
        f" op.{direction}_seeds(revision): its rows would stay as they are; nothing was written\n"
        "  restore the file as it was committed"
    )


def operations_of(script: Script, direction: str) -> set[str]:
    """The names of Alembic's operations, the seeds' too, that `upgrade` or `downgrade` spells out."""
    function = getattr(script.module, direction, None)
    code = function.__code__ if isinstance(function, FunctionType) else None
    return {*_names(code)} & _CALLS if code else set()


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def _is_misplaced(history: History, script: Script) -> bool:
    return not on_rail(script) and any(on_rail(history.by_id[one]) for one in parents(script))


class _Mend:
    """Where misplaced revisions belong: each after the schema revisions that stand right before it."""

    def __init__(self, history: History, misplaced: set[str]) -> None:
        self.history = history
        self.follows: dict[str, list[str]] = {}
        placed: dict[str, Sequence[str]] = {}
        for script in history.revisions:
            revision = script.revision
            if on_rail(script):
                continue
            if revision not in misplaced and all(one in placed for one in parents(script)):
                placed[revision] = downs(script)
        for script in history.revisions:
            revision = script.revision
            if revision in misplaced:
                followed = {down for below in placed.values() for down in below}
                self.follows[revision] = [one for one in placed if one not in followed]
                placed[revision] = self.follows[revision]
            elif not on_rail(script) and revision not in placed:
                placed[revision] = downs(script)

    def sentence(self, heads: Sequence[str]) -> str:
        """Which file, why, and what to write where."""
        first = self.history.by_id[next(iter(self.follows))]
        seeds = [repr(one) for one in parents(first) if on_rail(self.history.by_id[one])]
        lines = [
            f"{file_name(first)}: schema revision {first.revision!r} follows {', '.join(seeds)} of the seed"
            f" rail: {_WHY}; nothing was written",
            *self._schema_edits(),
            *self._seed_edits(),
            *self._stamps(heads),
        ]
        above = {down for script in self.history.revisions if is_seed(script) for down in downs(script)}
        if not above & set(self.history.heads_of(self.follows)):
            lines.append(f"then {CLOSE}")
        return "\n  ".join(lines)

    def _schema_edits(self) -> Iterator[str]:
        for revision, follows in self.follows.items():
            script = self.history.by_id[revision]
            merge = len(downs(script)) > 1 and not self._followers(revision)
            delete = "delete it where no database is at it yet; else " if merge else ""
            if any(self._on_rail(one) for one in downs(script)):
                yield f"{delete}in {file_name(script)}, set down_revision = {_literal(follows)}"
            if any(self._on_rail(one) for one in needs(script)):
                rest = [one for one in needs(script) if not self._on_rail(one)]
                yield f"in {file_name(script)}, set depends_on = {_literal(rest)}"

    def _seed_edits(self) -> Iterator[str]:
        """A seed revision that comes onto the rail by way of a misplaced one names its own parent too."""
        for script in self.history.revisions:
            direct = downs(script)
            if not is_seed(script) or any(self._on_rail(one) for one in direct):
                continue
            below = self._rail_head_below(script.revision)
            if below and below != script.revision:
                yield f"in {file_name(script)}, set down_revision = {_literal([below, *direct])}"

    def _stamps(self, heads: Sequence[str]) -> Iterator[str]:
        """A database at a schema revision forgets what is below it on the rail, unless it is told."""
        for head in heads:
            if head in self.history.by_id and not self._on_rail(head):
                below = self._rail_head_below(head)
                if below:
                    yield f"then, as this database is at {head!r} already: alembic stamp {head} {below}"

    def _rail_head_below(self, revision: str) -> str | None:
        below = self.history.at_or_below([revision]) - {revision}
        rail = [one.revision for one in self.history.revisions if one.revision in below and on_rail(one)]
        return rail[-1] if rail else None

    def _on_rail(self, revision: str) -> bool:
        return on_rail(self.history.by_id[revision])

    def _followers(self, revision: str) -> list[str]:
        return [one.revision for one in self.history.revisions if revision in parents(one)]


def _literal(revisions: Sequence[str]) -> str:
    """As `down_revision` has it."""
    if len(revisions) < 2:
        return repr(revisions[0]) if revisions else "None"
    return repr(tuple(revisions))
