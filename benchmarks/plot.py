"""The plot: time against the number of rows, both logarithmic, one line a contender."""

from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.contender import FILES, KINDS, Contender
from benchmarks.documents import ROWS_EACH
from benchmarks.registry import CONTENDERS
from benchmarks.report import TITLES
from benchmarks.results import Results

_COLOURS = {
    "limit": ("#000000", "#3d3d3d", "#707070", "#9a9a9a", "#b8b8b8"),
    "ours": ("#0b3c6f", "#1f6fb2", "#3f9ad6", "#14868c", "#5fb7b0", "#7a6fc4", "#9b59b6", "#5c6bc0"),
    "instead": ("#8f3b0e", "#c2611f", "#e0913d", "#b5347c", "#d9748f", "#a89020"),
}
_MARKS = "os^vDPX*"
_DASHES = {"limit": "--", "ours": "-", "instead": ":"}


def draw(results: Results, path: Path) -> None:
    """Write the plot as PNG and SVG beside `path`; needs matplotlib."""
    import matplotlib as mpl

    mpl.use("Agg")
    # Without it each run names the SVG's parts differently.
    mpl.rcParams["svg.hashsalt"] = "seedrail"
    from matplotlib import pyplot

    kinds = [kind for kind in (*KINDS, *FILES) if any(k == kind for _, k, _ in results.samples)]
    figure, axes = pyplot.subplots(1, len(kinds), figsize=(5.2 * len(kinds), 7), sharey=True, squeeze=False)
    lines: dict[str, Any] = {}
    for axis, kind in zip(axes[0], kinds, strict=True):
        lines |= _panel(axis, results, kind)
    axes[0][0].set_ylabel("seconds (median)")
    ordered = [lines[one.title] for one in CONTENDERS.values() if one.title in lines]
    figure.legend(handles=ordered, loc="lower center", ncols=min(4, 2 * len(kinds)), fontsize="small")
    figure.tight_layout(rect=(0, 0.05 + 0.035 * len(ordered) / min(4, 2 * len(kinds)), 1, 1))
    figure.savefig(path.with_suffix(".png"), dpi=130)
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    pyplot.close(figure)


def _panel(axis: Any, results: Results, kind: str) -> dict[str, Any]:
    """The lines of one kind of database, by title."""
    lines: dict[str, Any] = {}
    numbers: Counter[str] = Counter()
    for contender in CONTENDERS.values():
        if not contender.plotted:
            continue
        # Counted for all, so that a contender looks the same in each panel.
        number = numbers[contender.group]
        numbers[contender.group] += 1
        points = _points(results, contender, kind)
        if points:
            (lines[contender.title],) = axis.plot(
                *zip(*points, strict=True),
                label=contender.title,
                color=_COLOURS[contender.group][number],
                marker=_MARKS[number],
                linestyle=_DASHES[contender.group],
                markersize=5,
                linewidth=2.4 if contender.name in ("limit", "upgrade") else 1.3,
            )
    axis.set(title=TITLES[kind], xlabel="rows", xscale="log", yscale="log")
    axis.grid(visible=True, which="major", alpha=0.3)
    return lines


def _points(results: Results, contender: Contender, kind: str) -> list[tuple[int, float]]:
    found = [(size, results.median(contender.name, kind, size)) for size in results.sizes]
    return [(size * ROWS_EACH, seconds) for size, seconds in found if seconds]
