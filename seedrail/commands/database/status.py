"""`seedrail status` and `seedrail verify`, as text and as JSON."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from seedrail.errors import FAULT_LIMIT
from seedrail.history.rownames import spoken
from seedrail.integration.look import Glance, Status, Verified
from seedrail.merge.report.differing import DELETED, EDITED, DifferentRow
from seedrail.quoting import escaped, numbered, shown, whole

UP_TO_DATE, PENDING, EDITS = 0, 10, 12
"""What the commands end with; what is pending goes before what was edited."""


def exit_code(status: Status) -> int:
    """0 where a database is up to date and nobody edited seeded rows."""
    return PENDING if status.is_pending else EDITS if status.is_edited else UP_TO_DATE


def verified_code(verified: Verified) -> int:
    """0 where every seeded row is as the seed left it, or as a policy settled it."""
    return EDITS if any(row.kind in (EDITED, DELETED) for row in verified.rows) else UP_TO_DATE


def glance_code(glance: Glance) -> int:
    """0 where every seeded row is to the letter as the seed left it."""
    return EDITS if any(table.differ for table in glance.tables) else UP_TO_DATE


# -- status ----------------------------------------------------------------------------------------------


def status_text(status: Status) -> Iterator[str]:
    """A line for each thing that there is to say."""
    yield f"database     {shown(status.database)}"
    yield f"environment  {shown(status.environment)}"
    yield f"revision     {', '.join(status.heads) or 'none'}"
    for one in status.sets:
        left_out = ", left out since" if one.left_out else ""
        yield f"seed set     {shown(one.name)} at {one.revision} since {one.since:%Y-%m-%d %H:%M}{left_out}"
    yield ""
    yield from _pending(status)
    if status.claims:
        yield ""
        yield from _listed("remembered", status.claims)
    if status.differences:
        yield ""
        by_kind = Counter({(one.table, f"row {one.kind}"): one.count for one in status.differences})
        yield from _listed("differs", by_kind)
    for lock in status.locks:
        who = f"{lock.user} {lock.application}".strip()
        verb = "waits for" if lock.waits else "holds"
        whose = f"process {lock.process} ({shown(who)})"
        yield f"lock         {whose} {verb} {shown(lock.what)}, for {lock.seconds:.0f} s"
    for reason in status.unknown:
        yield f"not known    {reason}"


def _pending(status: Status) -> Iterator[str]:
    if not status.is_pending:
        yield "pending      nothing"
    if status.schema:
        yield f"pending      schema: {', '.join(status.schema)}"
    if status.seeds:
        yield f"pending      seeds: {', '.join(status.seeds)}"
    for name in status.strayed:
        yield f"pending      seed set {shown(name)} is not where alembic_version says"
    if status.documents:
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(status.documents.items()))
        yield f"pending      documents: {kinds} that no revision ships yet"


def _listed(word: str, counts: Counter[tuple[str, str]]) -> Iterator[str]:
    for (table, what), number in sorted(counts.items()):
        noun, _, rest = what.partition(" ")
        yield f"{word:12} {shown(table)}: {number:,} {noun}{'s' * (number != 1)} {rest}"


def status_json(status: Status) -> Iterator[str]:
    """One object."""
    told = msgspec.to_builtins(status, builtin_types=())
    told["claims"] = [{"table": t, "what": w, "count": n} for (t, w), n in sorted(status.claims.items())]
    told["documents"] = dict(status.documents)
    told |= {"pending": status.is_pending, "edited": status.is_edited}
    yield json.dumps(told, ensure_ascii=False, indent=2)


# -- verify ----------------------------------------------------------------------------------------------


def verified_text(verified: Verified, *, all_: bool) -> Iterator[str]:
    """What was verified, how many rows differ, and which."""
    yield _pinned(verified.revisions)
    counts = Counter((row.table, row.kind) for row in verified.rows)
    for (table, kind), number in sorted(counts.items()):
        yield f"{shown(table)}: {number:,} {kind}"
    if not verified.rows:
        yield "every seeded row is as the seed left it"
        return
    for row in verified.rows if all_ else verified.rows[:FAULT_LIMIT]:
        yield ""
        yield from _row(row)
    if len(verified.rows) > FAULT_LIMIT and not all_:
        yield ""
        yield f"… and {len(verified.rows) - FAULT_LIMIT:,} more (--rows lists all)"


def _row(row: DifferentRow) -> Iterator[str]:
    yield f"! {shown(row.table)} {spoken(row.row, row.id)} {row.kind}"
    for cell in row.cells:
        yield f"-   {shown(cell.column)}: {whole(cell.expected)}"
        yield f"+   {shown(cell.column)}: {whole(cell.found)}"


def verified_json(verified: Verified) -> Iterator[str]:
    """One object."""
    yield json.dumps(msgspec.to_builtins(verified), ensure_ascii=False, indent=2)


def verified_jsonl(verified: Verified) -> Iterator[str]:
    """An object a row that differs."""
    rows: Iterable[Any] = map(msgspec.to_builtins, verified.rows)
    for row in rows:
        yield escaped(json.dumps(row, ensure_ascii=False))


def _pinned(revisions: Sequence[str]) -> str:
    number = len(revisions)
    return f"{number} seed revision{'s have the digests' if number != 1 else ' has the digest'} as pinned"


# -- verify --fast ---------------------------------------------------------------------------------------


def glance_text(glance: Glance) -> Iterator[str]:
    """A line a table, and who says more where rows differ."""
    yield _pinned(glance.revisions)
    if not glance.tables:
        yield "the database has no seeded rows to compare"
    for table in glance.tables:
        rows = numbered(table.rows, "seeded row")
        if table.differ:
            yield f"! {shown(table.table)}: {table.differ:,} of {rows} differ{'s' * (table.differ == 1)}"
        else:
            yield f"{shown(table.table)}: {rows} as the seed left {'it' if table.rows == 1 else 'them'}"
    if glance_code(glance):
        yield "seedrail verify says which rows these are, and which of them are settled"


def glance_json(glance: Glance) -> Iterator[str]:
    """One object."""
    yield json.dumps({**msgspec.to_builtins(glance), "tables": _tables(glance)}, ensure_ascii=False, indent=2)


def glance_jsonl(glance: Glance) -> Iterator[str]:
    """An object a table."""
    for table in _tables(glance):
        yield escaped(json.dumps(table, ensure_ascii=False))


def _tables(glance: Glance) -> list[dict[str, Any]]:
    return [{"table": one.table, "rows": one.rows, "differ": one.differ} for one in glance.tables]


GLANCES = {"text": glance_text, "json": glance_json, "jsonl": glance_jsonl}
"""By the name of the format."""
