"""Options that the database scripts share."""

from typing import Annotated

import typer

from seedrail import Policy

ConflictOption = Annotated[
    Policy | None,
    typer.Option(
        help="Where live rows differ from the seed: stop; keep them; or overwrite them (what a rollback takes"
        " is kept in a --report alone).",
    ),
]

ReportOption = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Write every conflict to a file, with a place for a decision."),
]

DecisionsOption = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Take such a file back: its decisions go before --conflict."),
]

QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but warnings and errors.")]

SetsOption = Annotated[
    str | None,
    typer.Option(metavar="all|NAME,…", help="The seed sets to apply, whatever the environment leaves out."),
]
