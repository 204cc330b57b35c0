"""`python -m app.scripts.users.create_admin_account`: an admin, made once and left alone after that."""

from pathlib import Path
from typing import Annotated

import typer

from app.core.database import transaction
from app.core.migration import require_schema
from app.core.streams import say
from app.core.waiting import wait_for_database
from app.features.users import service
from app.features.users.audit import operator
from app.scripts.exits import ACCOUNT_EXIT_CODES, exit_codes, run
from app.scripts.options import WaitOption
from app.scripts.users.arguments import Discreet
from app.scripts.users.asking import ask_password, ask_text, given_password
from app.scripts.users.options import check_switches
from app.scripts.users.output import Format, show_account
from app.scripts.users.tending import switch_person, switched_line

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(cls=Discreet, epilog=ACCOUNT_EXIT_CODES)
def main(
    email: Annotated[str | None, typer.Option(help="The admin's address; asked for at a terminal.")] = None,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read it from a pipe.")] = False,
    password_file: Annotated[
        Path | None, typer.Option(help="Read it from a file that only you can read.")
    ] = None,
    no_input: Annotated[bool, typer.Option("--no-input", help="Never ask: fail instead.")] = False,
    promote: Annotated[
        bool, typer.Option("--promote", help="Make an account that is there an admin.")
    ] = False,
    reset_password: Annotated[bool, typer.Option("--reset-password", help="Set a new password.")] = False,
    activate: Annotated[
        bool, typer.Option("--activate", help="Let a deactivated account log in again.")
    ] = False,
    deactivate: Annotated[
        bool, typer.Option("--deactivate", help="Let the account, of an admin or not, log in no more.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Deactivate even the last admin who can log in.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen, and do nothing.")
    ] = False,
    format: Annotated[Format, typer.Option(help="json writes the result to standard output.")] = Format.TEXT,
    wait: WaitOption = None,
) -> None:
    """Make sure that an admin account exists; one that is there stays as it is.

    The password is asked for, or comes from a pipe, a file, or the variable APP_ADMIN_PASSWORD.
    Never from an argument: everybody on the machine can read those.
    """
    with exit_codes():
        check_switches(
            activate=activate, deactivate=deactivate, force=force, promote=promote,
            reset_password=reset_password, password_stdin=password_stdin, password_file=password_file,
        )  # fmt: skip
        address = ask_text(email, "Email", "--email", no_input=no_input)
        if deactivate or (activate and not (promote or reset_password)):
            wait_for_database(wait)
            require_schema()
            switch_person(address, active=activate, force=force, format=format, dry_run=dry_run)
            return
        password = given_password(stdin=password_stdin, file=password_file)
        wait_for_database(wait)
        require_schema()
        with transaction(commit=False) as session:
            needed = service.needs_password(session, address, reset_password=reset_password)
        if needed and password is None:
            password = ask_password(address, no_input=no_input)
        with transaction(commit=not dry_run) as session:
            switched = service.activate_person(session, address, actor=operator()) if activate else None
            user, outcome = service.ensure_admin(
                session,
                address,
                password if needed else None,
                actor=operator(),
                promote=promote,
                reset_password=reset_password,
            )
            if format is Format.JSON:
                show_account(user, outcome, dry_run=dry_run)
        if switched:
            say(switched_line(f"account {user.email}", switched, dry_run=dry_run))
        say(f"admin {user.email}: {outcome}{' (dry run: nothing was written)' if dry_run else ''}")


if __name__ == "__main__":
    run(app)
