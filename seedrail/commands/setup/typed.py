"""How the commands of this room are typed: their arguments, options and examples."""

from pathlib import Path
from typing import Annotated

import typer

from seedrail.commands.output import EXIT_CODES, exit_codes, write

setup = typer.Typer()


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
