"""Options that all scripts share."""

from typing import Annotated

import typer

from app.core.config import LONGEST_WAIT

WaitOption = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        min=0,
        max=LONGEST_WAIT,
        help="Wait so long for a database that is still starting. (default: APP_DATABASE_WAIT, or 0)",
    ),
]
