"""The figures to reach, and what this run says of them. Never asserted: timings are no tests."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.contender import KINDS
from benchmarks.results import Results

RATIO_SIZE = 20_000
"""The size that the ratios are promised for: 100,000 rows."""

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Figure:
    """A figure that was measured, and the most that it should be."""

    title: str
    database: str
    size: int | None
    target: float
    measured: float
    unit: str
    binding: bool = True
    """Whether the target is meant for this size."""

    @property
    def verdict(self) -> str:
        """Whether it is within its target, where that is meant."""
        if not self.binding:
            return ""
        return "reached" if self.measured <= self.target else "missed"

    def __str__(self) -> str:
        return f"{_number(self.measured, self.unit)} (at most {_number(self.target, self.unit)})"


def figures(results: Results) -> Iterator[Figure]:
    """All figures that the run has the measurements for."""
    for size in results.sizes:
        yield from _of_size(results, size)
    for kind in KINDS:
        slope = results.slope("upgrade", kind)
        if slope is not None:
            yield Figure("upgrade's slope", kind, None, 1.05, slope, "")


def _of_size(results: Results, size: int) -> Iterator[Figure]:
    ratios = (
        ("upgrade / COPY or executemany", "upgrade", "limit", {"sqlite": 1.2, "postgresql": 1.2}),
        ("document / parse and validate", "document", "limit-document", {"files": 1.5}),
        (
            "downgrade / one DELETE a table",
            "downgrade",
            "limit-delete",
            {"postgresql": 1.5, "sqlite": 1.6},
        ),
        ("downgrade, 1 % edited / clean", "downgrade-1", "downgrade", dict.fromkeys(KINDS, 1.2)),
        ("downgrade, 10 % edited / clean", "downgrade-10", "downgrade", dict.fromkeys(KINDS, 2.0)),
        ("upgrade, 10 % there / clean", "upgrade-10", "upgrade", dict.fromkeys(KINDS, 2.0)),
        ("seedrail verify / a downgrade's check", "compare", "check", dict.fromkeys(KINDS, 0.6)),
        ("verify --fast / a downgrade's check", "glance", "check", dict.fromkeys(KINDS, 0.6)),
        ("alembic current / bare", "current", "limit-current", dict.fromkeys(KINDS, 1.3)),
    )
    for title, ours, limit, targets in ratios:
        for kind, target in targets.items():
            ratio = results.ratio(ours, limit, kind, size)
            if ratio:
                yield Figure(title, kind, size, target, ratio, "×", size == RATIO_SIZE)
    for kind in KINDS:
        yield from _of_kind(results, kind, size)


def _of_kind(results: Results, kind: str, size: int) -> Iterator[Figure]:
    nothing, bare = results.median("nothing", kind, size), results.median("limit-nothing", kind, size)
    if nothing and bare:
        title = "nothing to do, over bare"
        yield Figure(title, kind, size, 60, 1000 * (nothing - bare), "ms")
    edit, full = results.median("edit", kind, size), results.median("upgrade", kind, size)
    if edit and full:
        title = "edit of 1 % (5 % of all + 100 ms)"
        yield Figure(title, kind, size, 1000 * (0.05 * full + 0.1), 1000 * edit, "ms")
    peak, idle = results.peak("upgrade", kind, size), results.peak("idle", kind, size)
    if peak and idle:
        title = "upgrade's memory over idle"
        yield Figure(title, kind, size, 64, (peak - idle) / MEGABYTE, "MB")


def _number(value: float, unit: str) -> str:
    if unit in ("ms", "MB"):
        return f"{value:,.0f} {unit}"
    return f"{value:.2f}{unit}"
