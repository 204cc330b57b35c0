"""`seedrail doctor`, as text and as JSON."""

import json
from collections.abc import Iterator, Sequence

import msgspec

from seedrail.integration.look import Finding
from seedrail.quoting import numbered

_MARKS = {"ok": " ", "warning": "!", "fault": "-"}


def as_text(findings: Sequence[Finding]) -> Iterator[str]:
    """A line a question, what to do below it; then how many are not as they should be."""
    width = max(len(one.question) for one in findings)
    for one in findings:
        yield f"{_MARKS[one.state]} {one.question:{width}}  {one.told}"
        if one.mend:
            yield f"  {'':{width}}  → {one.mend}"
    yield ""
    yield ", ".join(
        numbered(sum(one.state == state for one in findings), state) for state in ("fault", "warning")
    )


def as_json(findings: Sequence[Finding]) -> Iterator[str]:
    """A list of objects."""
    yield json.dumps(msgspec.to_builtins(findings), ensure_ascii=False, indent=2)


def exit_code(findings: Sequence[Finding]) -> int:
    """1 where a run would fail."""
    return int(any(one.state == "fault" for one in findings))
