"""The samples of a run, what was left out and why, and the statistics of them."""

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Key = tuple[str, str, int]
"""A contender, a kind of database, a number of simulations."""


@dataclass(frozen=True)
class Sample:
    """One measurement; processes that are timed from outside have no peak."""

    seconds: float
    peak_bytes: int | None = None


@dataclass
class Results:
    """All samples of a run by contender, database and size."""

    about: dict[str, Any]
    samples: dict[Key, list[Sample]] = field(default_factory=lambda: defaultdict(list))
    left_out: dict[Key, str] = field(default_factory=dict)
    documents: dict[int, dict[str, int]] = field(default_factory=dict)
    """Rows and bytes of the generated documents, by size."""

    def add(self, contender: str, kind: str, size: int, sample: Sample) -> None:
        """Record a measurement."""
        self.samples[contender, kind, size].append(sample)

    def leave_out(self, contender: str, kind: str, size: int, reason: str) -> None:
        """Record that there is none, and why."""
        self.left_out[contender, kind, size] = reason

    def failed(self, contender: str, kind: str, size: int) -> bool:
        """Whether it was left out already."""
        return (contender, kind, size) in self.left_out

    @property
    def sizes(self) -> list[int]:
        """The sizes that were measured, ascending."""
        return sorted({size for _, _, size in (*self.samples, *self.left_out)})

    def median(self, contender: str | None, kind: str, size: int) -> float | None:
        """The median of the seconds, or None where there are none."""
        samples = self.samples.get((contender or "", kind, size))
        return statistics.median(one.seconds for one in samples) if samples else None

    def ratio(self, contender: str, limit: str | None, kind: str, size: int) -> float | None:
        """How many times as long as another contender it took: the median of the rounds' ratios, or None.

        In a round both met the same machine; a ratio of medians swings with what the machine did between.
        """
        mine, theirs = (self._rounds(name, kind, size) for name in (contender, limit or ""))
        if not mine or not theirs:
            return None
        return statistics.median(one / other for one, other in zip(mine, theirs, strict=False))

    def _rounds(self, contender: str, kind: str, size: int) -> list[float]:
        """The seconds of each round: what it measured several times is its median."""
        seconds = [one.seconds for one in self.samples.get((contender, kind, size), [])]
        rounds = self.about.get("rounds") or len(seconds)
        repeats = max(1, len(seconds) // rounds)
        return [
            statistics.median(seconds[at : at + repeats])
            for at in range(0, len(seconds) - repeats + 1, repeats)
        ]

    def spread(self, contender: str, kind: str, size: int) -> float | None:
        """Half of the distance between the quartiles, in seconds."""
        seconds = [one.seconds for one in self.samples.get((contender, kind, size), [])]
        if len(seconds) < 2:
            return None
        quartiles = statistics.quantiles(seconds, n=4, method="inclusive")
        return (quartiles[2] - quartiles[0]) / 2

    def peak(self, contender: str, kind: str, size: int) -> int | None:
        """The median of the peaks of memory in bytes."""
        peaks = [one.peak_bytes for one in self.samples.get((contender, kind, size), []) if one.peak_bytes]
        return int(statistics.median(peaks)) if peaks else None

    def slope(self, contender: str, kind: str) -> float | None:
        """The exponent of the time's growth with N: 1 is proportional; None below two sizes."""
        points = [
            (math.log(size), math.log(seconds))
            for size in self.sizes
            if (seconds := self.median(contender, kind, size))
        ]
        if len(points) < 2:
            return None
        return statistics.linear_regression(*zip(*points, strict=True)).slope

    def write(self, path: Path) -> None:
        """Write everything as JSON, the same results in the same bytes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n", "utf-8")

    def to_json(self) -> dict[str, Any]:
        """The results as `read` takes them back, with the statistics beside the samples."""
        entries = []
        for contender, kind, size in sorted(self.samples):
            samples = self.samples[contender, kind, size]
            seconds = [round(one.seconds, 6) for one in samples]
            entries.append(
                {
                    "contender": contender,
                    "database": kind,
                    "simulations": size,
                    "median": _rounded(self.median(contender, kind, size)),
                    "spread": _rounded(self.spread(contender, kind, size)),
                    "seconds": seconds,
                    "peak_bytes": [one.peak_bytes for one in samples if one.peak_bytes],
                }
            )
        left_out = [
            {"contender": contender, "database": kind, "simulations": size, "reason": reason}
            for (contender, kind, size), reason in sorted(self.left_out.items())
        ]
        documents = {str(size): about for size, about in sorted(self.documents.items())}
        return {"about": self.about, "documents": documents, "results": entries, "left_out": left_out}

    @classmethod
    def read(cls, path: Path) -> "Results":
        """The results that `write` wrote."""
        content = json.loads(path.read_text("utf-8"))
        results = cls(content["about"])
        results.documents = {int(size): about for size, about in content["documents"].items()}
        for entry in content["results"]:
            for sample in _samples(entry):
                results.add(entry["contender"], entry["database"], entry["simulations"], sample)
        for entry in content["left_out"]:
            results.leave_out(entry["contender"], entry["database"], entry["simulations"], entry["reason"])
        return results


def _samples(entry: dict[str, Any]) -> Iterable[Sample]:
    peaks = entry["peak_bytes"] or [None] * len(entry["seconds"])
    return (Sample(seconds, peak) for seconds, peak in zip(entry["seconds"], peaks, strict=True))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
