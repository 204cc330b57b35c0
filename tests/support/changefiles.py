"""Change files as they were first written, format 1: without words, sorted by table and seed id."""

import json
from collections.abc import Iterable
from typing import Any

from seedrail.history.changefile import Header
from seedrail.history.changes import Change


def in_format_1(header: Header, changes: Iterable[Change]) -> bytes:
    """The bytes of such a file."""
    tables = [header.tables[name].to_json() for name in sorted(header.tables)]
    parent = {"revision": header.parent, "sha256": header.parent_sha256}
    lines = [_json({"format": 1, "revision": header.revision, "parent": parent, "tables": tables})]
    lines += [_json(_entry(one)) for one in sorted(changes, key=lambda one: one.seed_row)]
    return "".join(line + "\n" for line in lines).encode()


def _entry(change: Change) -> dict[str, Any]:
    nulls = change.kind in ("update", "return")
    entry: dict[str, Any] = {"table": change.table, "id": change.id}
    for side, row in (("old", change.old), ("new", None if change.kind == "release" else change.new)):
        if row:
            entry[side] = {name: value for name, value in row.items() if nulls or value is not None}
    if change.kind in ("release", "return"):
        entry[change.kind] = True
    return entry


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
