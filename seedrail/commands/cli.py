"""The console command `seedrail`: finds the project as `alembic` does, and calls one function a command."""

import io
import sys
from enum import StrEnum
from importlib.metadata import version
from typing import Annotated

import typer

from seedrail.commands.database.environment import told
from seedrail.commands.export.typed import export
from seedrail.commands.history import render
from seedrail.commands.history.show import show
from seedrail.commands.history.typed import history
from seedrail.commands.output import EXIT_CODES, exit_codes, write
from seedrail.commands.project import config_of, rail_of
from seedrail.commands.reached import Options, Quiet, look
from seedrail.commands.setup.typed import setup
from seedrail.errors import OptionError

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


class RowsFormat(StrEnum):
    """How rows that differ are written."""

    text = "text"
    json = "json"
    jsonl = "jsonl"


class PlanFormat(StrEnum):
    """How a plan is written."""

    text = "text"
    json = "json"
    jsonl = "jsonl"
    html = "html"


class StatusFormat(StrEnum):
    """How a status is written."""

    text = "text"
    json = "json"


class Format(StrEnum):
    """How a revision is written."""

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
    """Look into the seeds of an Alembic project: its revisions, and what they do to its database."""
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
    with exit_codes():
        diff = show(rail_of(config_of(*context.obj)), revision)
        write(_RENDERERS[format_](diff))


@app.command(
    "plan",
    epilog="\b\nExamples:\n  seedrail plan\n  seedrail plan seed_base --rows\n"
    "  seedrail plan -x seed_conflict=keep --table machines\n"
    "  seedrail plan -1 --format json\n  seedrail plan --format html > plan.html\n\n" + EXIT_CODES,
    context_settings={"ignore_unknown_options": True},
)
def plan_command(
    context: typer.Context,
    target: Annotated[
        str, typer.Argument(help="A revision as for alembic upgrade or downgrade: head, seed_base, -1.")
    ] = "head",
    x: Options = None,
    rows: Annotated[bool, typer.Option("--rows", help="Show each row, before and after.")] = False,
    table: Annotated[str, typer.Option("--table", metavar="NAME", help="Show rows of this table.")] = "",
    where: Annotated[
        str,
        typer.Option("--where", metavar="COLUMN=VALUE", help="Show rows that have, or would have, a value."),
    ] = "",
    format_: Annotated[
        PlanFormat, typer.Option("--format", help="How it is written; html is one page, with all rows.")
    ] = PlanFormat.text,
    quiet: Quiet = False,
) -> None:
    """Say what a run to TARGET would do, and write nothing."""
    from seedrail.commands.database import plan
    from seedrail.integration.look import Way, looker

    chosen = plan.Chosen(rows, table, where)
    found: list[Way] = []
    with exit_codes():
        chosen.holds()
        needs_rows = chosen.any or format_ == "html"
        look(context, x, looker(target, rows=needs_rows, found=found), target, quiet=quiet)
        if format_ == "html":
            from seedrail.commands.database.page import as_html

            write(as_html(found[0], chosen))
        else:
            write(plan.RENDERERS[format_](found[0], chosen))
        raise typer.Exit(plan.exit_code(found[0]))


@app.command(
    "status",
    epilog="\b\nExamples:\n  seedrail status\n  seedrail status --format json\n\n" + EXIT_CODES,
)
def status_command(
    context: typer.Context,
    x: Options = None,
    format_: Annotated[StatusFormat, typer.Option("--format", help="How it is written.")] = StatusFormat.text,
    quiet: Quiet = False,
) -> None:
    """Say where the database is, what is pending, what differs, and who holds a lock."""
    from seedrail.commands.database import status
    from seedrail.integration.look import Status, teller

    found: list[Status] = []
    with exit_codes():
        look(context, x, teller(found), quiet=quiet)
        write(status.status_text(found[0]) if format_ == "text" else status.status_json(found[0]))
        raise typer.Exit(status.exit_code(found[0]))


@app.command(
    "verify",
    epilog="\b\nExamples:\n  seedrail verify\n  seedrail verify --rows\n"
    "  seedrail verify --fast\n  seedrail verify --format jsonl\n\n" + EXIT_CODES,
)
def verify_command(
    context: typer.Context,
    x: Options = None,
    rows: Annotated[bool, typer.Option("--rows", help="List all rows that differ.")] = False,
    fast: Annotated[
        bool, typer.Option("--fast", help="Count what differs by table, and say no more of it.")
    ] = False,
    format_: Annotated[RowsFormat, typer.Option("--format", help="How it is written.")] = RowsFormat.text,
    quiet: Quiet = False,
) -> None:
    """Verify the change files, and compare every seeded row with what the seed left."""
    from seedrail.commands.database import status
    from seedrail.integration.look import Glance, Verified, glancer, verifier

    found: list[Verified] = []
    glances: list[Glance] = []
    with exit_codes():
        if fast and rows:
            raise OptionError("--fast does not know which rows differ: leave it out, or --rows")
        look(context, x, glancer(glances) if fast else verifier(found), quiet=quiet)
        if fast:
            write(status.GLANCES[format_](glances[0]))
            raise typer.Exit(status.glance_code(glances[0]))
        match format_:
            case RowsFormat.text:
                write(status.verified_text(found[0], all_=rows))
            case RowsFormat.json:
                write(status.verified_json(found[0]))
            case RowsFormat.jsonl:
                write(status.verified_jsonl(found[0]))
        raise typer.Exit(status.verified_code(found[0]))


@app.command(
    "blame",
    epilog="\b\nExamples:\n  seedrail blame machines lumi\n  seedrail blame machines lumi site\n"
    "  seedrail blame simulations v3.LR.historical_0101,chrysalis --format json\n\n" + EXIT_CODES,
)
def blame_command(
    context: typer.Context,
    table: Annotated[str, typer.Argument(help="A seeded table.")],
    key: Annotated[str, typer.Argument(help="The row's natural key, parts comma-separated, or its seed id.")],
    column: Annotated[str, typer.Argument(help="One of its columns.")] = "",
    x: Options = None,
    format_: Annotated[StatusFormat, typer.Option("--format", help="How it is written.")] = StatusFormat.text,
    quiet: Quiet = False,
) -> None:
    """Say of a row which revision set each value, what people had there, and who stands on top."""
    from seedrail.commands.database import blame
    from seedrail.integration.look import Blame, blamer

    found: list[Blame] = []
    with exit_codes():
        look(context, x, blamer(table, key, column, found), quiet=quiet)
        write(blame.as_text(found[0]) if format_ == "text" else blame.as_json(found[0]))


@app.command(
    "doctor",
    epilog="\b\nExamples:\n  seedrail doctor\n  seedrail doctor --format json\n\n" + EXIT_CODES,
)
def doctor_command(
    context: typer.Context,
    x: Options = None,
    format_: Annotated[StatusFormat, typer.Option("--format", help="How it is written.")] = StatusFormat.text,
    quiet: Quiet = False,
) -> None:
    """Ask of the project and its database whether they are ready for seeds, and say what to mend."""
    from seedrail.commands.database import doctor

    with exit_codes():
        findings = doctor.examined(told(config_of(*context.obj), x or (), quiet=quiet))
        write(doctor.as_text(findings) if format_ == "text" else doctor.as_json(findings))
        raise typer.Exit(doctor.exit_code(findings))


app.registered_commands += [
    *export.registered_commands,
    *history.registered_commands,
    *setup.registered_commands,
]


def add_commands(group: typer.Typer) -> None:
    """Offer the commands in a group of an application's own command line.

    The group's callback leaves `(file, section)` of Alembic's configuration in `context.obj`.
    """
    group.registered_commands += app.registered_commands


def main() -> None:
    """Be the command of this process; its output is UTF-8 whatever the locale."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    app(prog_name="seedrail")
