"""`seedrail blame`, as text and as JSON."""

import json
from collections.abc import Iterator

import msgspec

from seedrail.history.rownames import spoken
from seedrail.integration.look import Blame, CellBlame, Met, said
from seedrail.quoting import quoted, shown

VALUE = 100
"""Characters of a value that stands beside its revision and author."""

_ROW = {"insert": "inserted", "delete": "deleted", "release": "released", "return": "taken back"}


def as_text(blame: Blame) -> Iterator[str]:
    """The row, then each cell: what gave it its values, what was met there, and who stands on top."""
    yield f"{shown(blame.table)} {spoken(blame.row, blame.id)}, seed id {blame.id}"
    for cell in blame.cells:
        yield ""
        yield shown(cell.column) if cell.column else "the row"
        yield from _cell(cell)


def _cell(cell: CellBlame) -> Iterator[str]:
    met = list(cell.met)
    for given in cell.given:
        who = f"  {shown(given.author)} {given.date}".rstrip() if given.author else ""
        what = _ROW.get(given.kind, given.kind) if not cell.column else quoted(given.value, VALUE)
        pending = "" if given.applied else "  (not applied here)"
        yield f"  {given.revision}  {what}{who}{pending}"
        # Claims stand below the revision that they were made at.
        while met and met[0].revision == given.revision:
            yield _met(cell.column, met.pop(0))
    for one in met:
        yield _met(cell.column, one)
    now = f": {quoted(cell.now, VALUE)}" if cell.column and cell.stands in ("an edit", "its owner") else ""
    yield f"  now: {cell.stands}{now}"


def _met(column: str, met: Met) -> str:
    value = f" {quoted(met.value, VALUE)}" if column else ""
    return f"    met{value}: {said(column, met)}"


def as_json(blame: Blame) -> Iterator[str]:
    """One object."""
    yield json.dumps(msgspec.to_builtins(blame), ensure_ascii=False, indent=2)
