"""The console command `seedrail`: finds the project as `alembic` does, and calls one function a command."""

import io
import sys
from enum import StrEnum
from importlib.metadata import version
from typing import Annotated, Any

import typer

from seedrail.commands import render
from seedrail.commands.output import exit_codes, write
from seedrail.commands.project import config_of, rail_of
from seedrail.commands.show import show

EXIT_CODES = (
    "Exit codes: 0 done; 1 refused: a revision or its change file is not as it should be; 2 wrong usage;"
    " 8 the output cannot be written; 130 interrupted."
)

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


class Format(StrEnum):
    """How a result is written."""

    text = "text"
    md = "md"
    json = "json"
    jsonl = "jsonl"


_RENDERERS = {
    Format.text: render.as_text,
    Format.md: render.as_markdown,
    Format.json: render.as_json,
    Format.jsonl: render.as_jsonl,
}


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"seedrail {version('seedrail')}")
        raise typer.Exit


@app.callback(epilog=EXIT_CODES)
def seedrail(
    context: typer.Context,
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            help="Alembic's configuration [default: ALEMBIC_CONFIG, or alembic.ini]",
        ),
    ] = None,
    name: Annotated[str, typer.Option("--name", "-n", help="The section of that file.")] = "alembic",
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version and exit.")
    ] = False,
) -> None:
    """Look into the seed revisions of an Alembic project. Needs its files, and no database."""
    context.obj = (config, name)


@app.command(
    "show",
    epilog="\b\nExamples:\n  seedrail show head\n  seedrail -c other.ini show seed_0002\n"
    "  seedrail show seed_0002 --format md\n\n" + EXIT_CODES,
)
def show_command(
    context: typer.Context,
    revision: Annotated[str, typer.Argument(help="A seed revision, or head for the newest one.")],
    format_: Annotated[Format, typer.Option("--format", help="md is for a pull request.")] = Format.text,
) -> None:
    """Show what a seed revision does to each row and column."""
    given: Any = context.obj
    with exit_codes():
        diff = show(rail_of(config_of(*given)), revision)
        write(_RENDERERS[format_](diff))


def main() -> None:
    """Be the command of this process; its output is UTF-8 whatever the locale."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    app(prog_name="seedrail")
