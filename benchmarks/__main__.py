"""`python -m benchmarks`: generate, measure, print the table, write results and plot."""

import shutil
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import machine
from benchmarks.contender import KINDS, Contender
from benchmarks.documents import ROWS_EACH
from benchmarks.hosts import HOSTS, Host
from benchmarks.measure import Round, build_stand, drop_stand, pairs_of
from benchmarks.plot import draw
from benchmarks.registry import CONTENDERS, chosen
from benchmarks.report import print_report, write_markdown
from benchmarks.results import Results
from benchmarks.trees import copy_project

RESULTS = Path(__file__).parent / "results"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console()
if not console.is_terminal:
    # A log is not wrapped to the width of nothing.
    console = Console(width=160)

Sizes = Annotated[str, typer.Option(help="Numbers of simulations, comma-separated; five rows each.")]
Rounds = Annotated[int, typer.Option(min=1, help="How often everything is measured.")]
Databases = Annotated[str, typer.Option(help="sqlite, postgresql, or both.")]
Only = Annotated[list[str] | None, typer.Option(help="A contender or a group; may be given more than once.")]
Timeout = Annotated[float, typer.Option(help="Seconds after which one measurement is given up.")]
Output = Annotated[Path, typer.Option(help="Where results and plot go.")]
Again = Annotated[
    bool, typer.Option("--again", help="Measure nothing: show and draw results that are there.")
]
Name = Annotated[str, typer.Option(help="What the files are called.")]


@app.command()
def main(
    sizes: Sizes = "2000,20000,200000",
    rounds: Rounds = 5,
    databases: Databases = "sqlite,postgresql",
    only: Only = None,
    timeout: Timeout = 1800,
    output: Output = RESULTS,
    name: Name = "latest",
    again: Again = False,
) -> None:
    """Measure this project, the limit of each database, and the usual ways, in one interleaved run."""
    path = output / f"{name}.json"
    if not again:
        try:
            contenders = chosen(only or [])
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        numbers = sorted(int(size) for size in sizes.split(","))
        measure(numbers, _parsed(databases), contenders, rounds, timeout, path)
    _show(Results.read(path), path)


def measure(
    sizes: list[int], kinds: list[str], contenders: list[Contender], rounds: int, timeout: float, path: Path
) -> None:
    """Measure everything in a folder that is gone afterwards, and write the results."""
    folder = Path(tempfile.mkdtemp(prefix="seedrail-bench-"))
    hosts: dict[str, Host] = {}
    try:
        hosts.update({kind: HOSTS[kind](folder) for kind in {*kinds, "sqlite"}})
        results = Results(_about(rounds, hosts))
        copy_project(folder / "project")
        for size in sizes:
            _measure(folder, size, hosts, kinds, contenders, results, rounds, timeout)
            # After each size, so that a run that is stopped leaves something.
            results.write(path)
    finally:
        for host in hosts.values():
            host.close()
        shutil.rmtree(folder, ignore_errors=True)


def _show(results: Results, path: Path) -> None:
    print_report(results, console)
    write_markdown(results, path.with_suffix(".md"))
    if find_spec("matplotlib"):
        draw(results, path)
    else:
        console.print("no plot: matplotlib is not installed")


def _measure(
    folder: Path,
    size: int,
    hosts: dict[str, Host],
    kinds: list[str],
    contenders: list[Contender],
    results: Results,
    rounds: int,
    timeout: float,
) -> None:
    began = time.monotonic()
    console.print(f"{size:,} simulations, {size * ROWS_EACH:,} rows: documents, history, databases …")
    stand = build_stand(folder / str(size), folder / "project", size, hosts, kinds)
    results.documents[size] = {
        "rows": size * ROWS_EACH,
        "document_bytes": stand.trees.document_bytes,
        "change_file_bytes": stand.trees.change_file_bytes,
    }
    pairs = list(pairs_of(contenders, kinds, size, results))
    for (one, kind, where), reason in results.left_out.items():
        if where == size:
            console.print(f"  left out: {CONTENDERS[one].title} on {kind}: {reason}")
    for number in range(rounds):
        Round(stand, hosts, results, timeout, folder).run(pairs, number, console.print)
        console.print(f"  round {number + 1} of {rounds}, {time.monotonic() - began:.0f} s")
    drop_stand(stand, hosts)
    shutil.rmtree(folder / str(size))


def _parsed(databases: str) -> list[str]:
    kinds = databases.split(",")
    if not set(kinds) <= set(KINDS):
        raise typer.BadParameter(f"databases are {', '.join(KINDS)}")
    return [kind for kind in KINDS if kind in kinds]


def _about(rounds: int, hosts: dict[str, Host]) -> dict[str, object]:
    described = {kind: hosts[kind].describe() for kind in sorted(hosts)}
    return {"rounds": rounds, "machine": machine.describe(), "databases": described}


if __name__ == "__main__":
    app()
