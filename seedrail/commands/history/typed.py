"""How `seedrail squash` is typed."""

from enum import StrEnum
from typing import Annotated

import typer

from seedrail.commands.output import EXIT_CODES, exit_codes, write
from seedrail.commands.project import config_of, rail_of
from seedrail.errors import OptionError

history = typer.Typer()


class SquashFormat(StrEnum):
    """How a squash is written."""

    text = "text"
    json = "json"


@history.command(
    "squash",
    epilog="\b\nExamples:\n  seedrail squash --dry-run\n  seedrail squash\n"
    "  seedrail squash --before seed_0040\n  seedrail squash --finish\n\n" + EXIT_CODES,
)
def squash_command(
    context: typer.Context,
    before: Annotated[
        str | None,
        typer.Option(
            "--before", metavar="REVISION", help="The oldest seed revision that stays [default: none]"
        ),
    ] = None,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="The message of the squashed revision.")
    ] = None,
    finish: Annotated[
        bool,
        typer.Option(
            "--finish", help="Delete the change files that stay for databases below an earlier squash."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing, and say what would be done.")
    ] = False,
    format_: Annotated[SquashFormat, typer.Option("--format", help="How it is told.")] = SquashFormat.text,
) -> None:
    """Put one seed revision in the place of many; databases at any of them go on as before."""
    from seedrail.commands.history import squash

    with exit_codes():
        if finish and (before is not None or message is not None):
            raise OptionError("--finish does not go with --before or --message")
        config = config_of(*context.obj)
        if finish:
            _finish(context, as_json=format_ == "json", dry=dry_run)
        else:
            from seedrail.history.squash.squashing import squashed
            from seedrail.history.squash.writing import write_squash

            found = squashed(rail_of(config), before)
            squash.refuse_uncommitted(found.going)
            path = None if dry_run else write_squash(config, found, message or squash.message_of(found))
            write((squash.as_json if format_ == "json" else squash.as_text)(found, path))
        raise typer.Exit(squash.CHANGES if dry_run else 0)


def _finish(context: typer.Context, *, as_json: bool, dry: bool) -> None:
    from seedrail.commands.history import squash
    from seedrail.history.squash.writing import finish, left_over

    rail = rail_of(config_of(*context.obj))
    files = left_over(rail)
    squash.refuse_uncommitted(files)
    if not dry:
        finish(rail)
    told = squash.finished_json if as_json else squash.finished_text
    write(told(rail.history.squash.revision if rail.history.squash else "", files, dry=dry))
