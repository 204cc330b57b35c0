"""`python -m app`: everything that is typed about this application, in two groups.

`db` has the scripts of app.scripts.db and the library's commands, `users` those of app.scripts.users. The
scripts stay modules of their own as well.
"""

from typing import Any

import typer

from app.core.config import ROOT
from app.scripts.db import rollback_seed, seed
from app.scripts.exits import ACCOUNT_EXIT_CODES, EXIT_CODES, run
from app.scripts.users import create_admin_account, provision_service_account
from app.scripts.users.arguments import Discreet
from seedrail import add_commands

_GROUP: dict[str, Any] = {"no_args_is_help": True, "rich_markup_mode": None}

cli = typer.Typer(pretty_exceptions_enable=False, **_GROUP)
db = typer.Typer(**_GROUP)
users = typer.Typer(**_GROUP)


@cli.callback()
def root() -> None:
    """The catalog: its database and its users."""


@db.callback()
def database(context: typer.Context) -> None:
    """Bring the database up, take the seeds back, and look at what they do to it."""
    context.obj = (str(ROOT / "alembic.ini"), "alembic")


@users.callback()
def accounts() -> None:
    """Make and tend the accounts of people and services."""


db.command("seed", epilog=EXIT_CODES)(seed.main)
db.command("rollback", epilog=EXIT_CODES)(rollback_seed.main)
add_commands(db)
users.command("create-admin-account", cls=Discreet, epilog=ACCOUNT_EXIT_CODES)(create_admin_account.main)
users.command("provision-service-account", cls=Discreet, epilog=ACCOUNT_EXIT_CODES)(
    provision_service_account.main
)
cli.add_typer(db, name="db")
cli.add_typer(users, name="users")


if __name__ == "__main__":
    run(cli)
