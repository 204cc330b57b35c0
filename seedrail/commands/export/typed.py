"""How `seedrail export` is typed, and what it does with what was read."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seedrail.commands.output import EXIT_CODES, exit_codes, write
from seedrail.commands.reached import Options, Quiet, look
from seedrail.errors import OptionError

if TYPE_CHECKING:
    from seedrail.integration.export.edited import Export

export = typer.Typer()


class ExportFormat(StrEnum):
    """How an export is written: rows as json or jsonl, edits as text or json."""

    text = "text"
    json = "json"
    jsonl = "jsonl"


@export.command(
    "export",
    epilog="\b\nExamples:\n  seedrail export machines --output machines.json\n"
    "  seedrail export simulations --where status=completed --format jsonl\n"
    "  seedrail export --edited\n  seedrail export --edited machines --write\n\n" + EXIT_CODES,
)
def export_command(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="TABLE", help="A table of a seed set; with --edited, a seed set.")
    ] = "",
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="COLUMN=VALUE",
            help="Rows with this value; may be repeated.",
        ),
    ] = None,
    edited: Annotated[
        bool,
        typer.Option("--edited", help="Turn people's edits into a change of the documents."),
    ] = False,
    write_: Annotated[
        bool, typer.Option("--write", help="Change the documents, where --edited alone shows a diff.")
    ] = False,
    settled: Annotated[
        bool, typer.Option("--settled", help="With --edited, also what a policy settled or was there first.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where rows go [default: stdout]")
    ] = None,
    x: Options = None,
    format_: Annotated[
        ExportFormat | None,
        typer.Option("--format", help="Of rows json or jsonl, of edits text or json; the first if left out."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write rows of a table as rows of a document, or people's edits into the documents."""
    with exit_codes():
        if edited:
            given: dict[str, object] = {
                "--where": where,
                "--output": output,
                "--format jsonl": format_ == "jsonl",
            }
            _refuse(given, of="--edited")
            found = _edits(context, name, x, settled=settled, quiet=quiet)
            _tell(found, written=write_, as_json=format_ == "json", quiet=quiet)
        else:
            text = format_ == "text"
            _refuse({"--write": write_, "--settled": settled, "--format text": text}, of="a table")
            if not name:
                raise OptionError("which table? seedrail export TABLE, or --edited for people's edits")
            _table(context, name, where or [], output, x, lines=format_ == "jsonl", quiet=quiet)


def _refuse(given: dict[str, object], of: str) -> None:
    for option, value in given.items():
        if value:
            raise OptionError(f"{option} does not go with {of}")


def _edits(
    context: typer.Context, seed_set: str, x: list[str] | None, *, settled: bool, quiet: bool
) -> "Export":
    from seedrail.integration.export.edited import edits_exporter

    found: list[Export] = []
    look(context, x, edits_exporter(seed_set, found, settled=settled), quiet=quiet)
    return found[0]


def _tell(found: "Export", *, written: bool, as_json: bool, quiet: bool) -> None:
    """Write the documents, if they are to be written, and say what there is to say."""
    from seedrail.commands.export import edits

    if written:
        edits.put(found)
    if as_json:
        write(edits.as_json(found, written=written))
    else:
        write(edits.written(found) if written else edits.as_diff(found))
        for line in edits.words(found, written=written, quiet=quiet):
            sys.stderr.write(line + "\n")
    raise typer.Exit(edits.exit_code(found, written=written))


def _table(
    context: typer.Context,
    table: str,
    where: list[str],
    output: Path | None,
    x: list[str] | None,
    *,
    lines: bool,
    quiet: bool,
) -> None:
    from seedrail.commands.export import rows
    from seedrail.integration.export.rows import TableRows, rows_exporter

    found: list[TableRows] = []
    look(context, x, rows_exporter(table, where, found), quiet=quiet)
    text = rows.as_lines(found[0]) if lines else rows.as_json(found[0])
    if output is None:
        write(text)
    else:
        rows.put(output, text)
    for line in rows.words(found[0], quiet=quiet):
        sys.stderr.write(line + "\n")
