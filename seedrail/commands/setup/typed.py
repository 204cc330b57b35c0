"""How the commands of this room are typed: their arguments, options and examples."""

from pathlib import Path
from typing import Annotated

import typer

from seedrail.commands.output import EXIT_CODES, exit_codes, write
from seedrail.commands.project import config_of

setup = typer.Typer()


@setup.command(
    "init",
    epilog="\b\nExamples:\n  seedrail init --dry-run\n  seedrail init\n"
    "  seedrail init --write-env --seeds myapp.seeds:seed_catalog\n\n" + EXIT_CODES,
)
def init_command(
    context: typer.Context,
    write_env: Annotated[
        bool, typer.Option("--write-env", help="Write env.py too, where it is one of Alembic's templates.")
    ] = False,
    seeds: Annotated[
        str | None,
        typer.Option("--seeds", metavar="MODULE:NAME", help="Where the seed sets are, for env.py to import."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing, and show all as a diff.")
    ] = False,
) -> None:
    """Give an Alembic project what seeds need: seed_base, settings, and the lines for env.py."""
    from seedrail.commands.setup import init
    from seedrail.integration.setup import planned
    from seedrail.integration.setup import write as make

    with exit_codes():
        found = planned(config_of(*context.obj), env=write_env, seeds=seeds)
        refused = init.refusal(found) if write_env else None
        if not dry_run and not refused:
            make(found)
        write(init.as_text(found, dry=dry_run or bool(refused)))
        if refused:
            raise refused
        raise typer.Exit(init.exit_code(found, dry=dry_run))


@setup.command(
    "textconv",
    epilog='\b\nExamples:\n  git config diff.seeds.textconv "seedrail textconv"\n'
    "  seedrail textconv migrations/seeds/seed_0002.jsonl\n\n" + EXIT_CODES,
)
def textconv_command(
    file: Annotated[Path, typer.Argument(help="A change file, text or gzip, whatever its name is.")],
) -> None:
    """Say a change file in words, for git to compare; it needs no project and no database."""
    from seedrail.commands.history.textconv import in_words

    with exit_codes():
        write(in_words(file))
