"""What commands that reach the database share: their options, and the way through env.py."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from seedrail.commands.database.environment import in_environment, told
from seedrail.commands.project import config_of, rail_of

Options = Annotated[
    list[str] | None,
    typer.Option("-x", metavar="NAME=VALUE", help="An option of env.py, as for alembic; may be repeated."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, and no words but warnings.")]


def look(
    context: typer.Context,
    x: list[str] | None,
    function: Callable[..., list[Any]],
    target: str | None = None,
    *,
    quiet: bool,
) -> None:
    """Run env.py for a function that looks."""
    config = told(config_of(*context.obj), x or (), quiet=quiet)
    rail_of(config)
    in_environment(config, function, target)
