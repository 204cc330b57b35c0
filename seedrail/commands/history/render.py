"""A revision's diff as text, as Markdown for a pull request, and as JSON."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from seedrail.commands.history.show import RELEASED, RevisionDiff, RowDiff
from seedrail.quoting import escaped, one_line, shown, whole
from seedrail.schema.identity import canonical_json

_MARKS = {"insert": "+", RELEASED: "+", "delete": "-"}


def as_text(diff: RevisionDiff) -> Iterator[str]:
    """A heading, then lines that begin with `+`, `-`, or `!` for a row that changes in place."""
    yield _heading(diff)
    for row in diff.rows:
        yield ""
        yield from row_lines(row)


def as_markdown(diff: RevisionDiff) -> Iterator[str]:
    """The same with its rows in a `diff` block, which no value can close."""
    lines = [line for row in diff.rows for line in row_lines(row)]
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"**`{diff.revision}`**: {counted(diff.rows)}"
    yield ""
    if lines:
        yield from (fence + "diff", *lines, fence)


def as_json(diff: RevisionDiff) -> Iterator[str]:
    """One object."""
    yield json.dumps(asdict(diff), ensure_ascii=False, indent=2)


def as_jsonl(diff: RevisionDiff) -> Iterator[str]:
    """An object a row, in one line, with the revision."""
    for row in diff.rows:
        yield json.dumps({"revision": diff.revision, **asdict(row)}, ensure_ascii=False)


def _heading(diff: RevisionDiff) -> str:
    message = f" {one_line(diff.message)}" if diff.message else ""
    return f"{diff.revision}{message}, after {diff.parent}: {counted(diff.rows)}"


def counted(rows: Iterable[RowDiff]) -> str:
    """How many rows there are of each kind."""
    kinds = Counter(row.kind for row in rows)
    parts = [f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in sorted(kinds.items())]
    return ", ".join(parts) or "no row changes"


def row_lines(row: RowDiff) -> Iterator[str]:
    """A line that names the row and what happens to it, then its columns before and after."""
    mark = _MARKS.get(row.kind, "!")
    aside = f" {row.kind}" if row.kind in ("release", "return", RELEASED) else ""
    yield f"{mark} {shown(row.table)} {row.name}{aside}"
    for cell in row.cells:
        if row.kind not in ("insert", RELEASED):
            yield f"-   {shown(cell.column)}: {value_text(cell.old, link=cell.link)}"
        if row.kind != "delete":
            yield f"+   {shown(cell.column)}: {value_text(cell.new, link=cell.link)}"


def value_text(value: Any, *, link: bool) -> str:
    """A canonical value, whole and in one line."""
    if value is None or (isinstance(value, str) and not link):
        return whole(value)
    return value if link else escaped(canonical_json(value))
