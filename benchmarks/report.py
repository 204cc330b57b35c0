"""The results as tables: for the terminal, and as Markdown for the documentation."""

from collections.abc import Iterator
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.contender import FILES, KINDS, Contender
from benchmarks.documents import ROWS_EACH
from benchmarks.figures import MEGABYTE, figures
from benchmarks.registry import CONTENDERS, GROUPS
from benchmarks.results import Results

TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "files": "documents and change files, no database"}


def tables(results: Results, *, markdown: bool = False) -> Iterator[Table]:
    """A table for each kind of database, and one of the figures to reach."""
    style = box.MARKDOWN if markdown else box.SIMPLE_HEAD
    for kind in (*KINDS, *FILES):
        table = _table(results, kind, style)
        if table.row_count:
            yield table
    table = Table("figure", "database", "rows", "measured (target)", "", title="Figures to reach", box=style)
    for one in figures(results):
        rows = f"{one.size * ROWS_EACH:,}" if one.size else "all"
        table.add_row(one.title, TITLES[one.database], rows, str(one), one.verdict)
    if table.row_count:
        yield table
    if results.left_out:
        yield _left_out(results, style)


def _table(results: Results, kind: str, style: box.Box) -> Table:
    table = Table("", "contender", title=TITLES[kind], box=style)
    for size in results.sizes:
        table.add_column(f"{size * ROWS_EACH:,} rows", justify="right")
        table.add_column("/ limit", justify="right")
        table.add_column("+MB", justify="right")
    table.add_column("slope", justify="right")
    for group in GROUPS:
        for contender in CONTENDERS.values():
            # An idle process is only measured for its memory.
            if contender.group == group and contender.name != "idle" and _measured(results, contender, kind):
                table.add_row(group, *_row(results, contender, kind))
        if style is not box.MARKDOWN:
            table.add_section()
    return table


def _measured(results: Results, contender: Contender, kind: str) -> bool:
    return any(results.median(contender.name, kind, size) for size in results.sizes)


def _row(results: Results, contender: Contender, kind: str) -> Iterator[str]:
    yield contender.title
    for size in results.sizes:
        seconds, spread = (
            results.median(contender.name, kind, size),
            results.spread(contender.name, kind, size),
        )
        ratio = results.ratio(contender.name, contender.limit, kind, size)
        yield "–" if seconds is None else _seconds(seconds) + (f" ±{_seconds(spread)}" if spread else "")
        yield f"{ratio:.2f}" if ratio else ""
        yield _memory(results, contender, kind, size)
    slope = results.slope(contender.name, kind)
    yield "" if slope is None else f"{slope:.2f}"


def _memory(results: Results, contender: Contender, kind: str, size: int) -> str:
    """Over an idle process; what the others hold finished in memory says nothing of them."""
    if contender.group != "ours":
        return ""
    peak = results.peak(contender.name, kind, size)
    idle = results.peak("idle", kind, size)
    return f"{(peak - idle) / MEGABYTE:,.0f}" if peak and idle else ""


def _left_out(results: Results, style: box.Box) -> Table:
    table = Table("contender", "database", "rows", "why", title="Left out", box=style)
    for (name, kind, size), reason in sorted(results.left_out.items()):
        table.add_row(CONTENDERS[name].title, TITLES[kind], f"{size * ROWS_EACH:,}", reason)
    return table


def _seconds(value: float) -> str:
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def print_report(results: Results, console: Console) -> None:
    """The tables, for the terminal."""
    for table in tables(results):
        console.print(table)


def write_markdown(results: Results, path: Path) -> None:
    """The same tables as Markdown."""
    with path.open("w", encoding="utf-8") as file:
        console = Console(file=file, width=400)
        for table in tables(results, markdown=True):
            title, table.title = table.title, None
            # rich pads to the width of the console.
            with console.capture() as capture:
                console.print(table)
            lines = (line.strip() for line in capture.get().splitlines())
            file.write(f"### {title}\n\n" + "\n".join(line for line in lines if line) + "\n\n")
