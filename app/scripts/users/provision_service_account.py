"""`python -m app.scripts.users.provision_service_account`: a service's account and its tokens."""

from functools import partial
from typing import Any

import typer

from app.core.database import transaction
from app.core.migration import require_schema
from app.core.streams import say
from app.core.waiting import wait_for_database
from app.features.users import service
from app.features.users.audit import operator
from app.scripts.exits import ACCOUNT_EXIT_CODES, exit_codes, run
from app.scripts.options import WaitOption
from app.scripts.users import options
from app.scripts.users.asking import ask_text
from app.scripts.users.issuing import issue
from app.scripts.users.options import Mode
from app.scripts.users.output import listed, revoked, show

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog=ACCOUNT_EXIT_CODES)
def main(
    service_name: options.ServiceName = None,
    expires_in_days: options.Days = None,
    token_name: options.TokenName = None,
    scope: options.Scopes = None,
    ensure: options.Ensure = False,
    rotate: options.Rotate = False,
    overlap_hours: options.Overlap = None,
    revoke: options.Revoke = None,
    list_: options.Listing = False,
    format: options.FormatOption = None,
    output_file: options.OutputFile = None,
    replace: options.Replace = False,
    dry_run: options.DryRun = False,
    lock_timeout: options.LockTimeout = 10.0,
    wait: WaitOption = None,
) -> None:
    """Give a service an account and a token, shown this once; or see to the tokens that it has."""
    with exit_codes():
        mode = options.mode_of(ensure=ensure, rotate=rotate, revoke=revoke is not None, list=list_)
        given = options.check_options(
            mode,
            {"format": format, "output_file": output_file, "replace": replace, "dry_run": dry_run},
            expires_in_days=expires_in_days, token_name=token_name, scopes=scope,
            overlap_hours=overlap_hours,
        )  # fmt: skip
        name = ask_text(service_name, "Service name", "--service-name")
        wait_for_database(wait)
        require_schema()
        by: dict[str, Any] = {"actor": operator(), "lock_timeout": lock_timeout}
        if mode is Mode.LIST:
            with transaction(commit=False) as session:
                show(listed(service.list_tokens(session, name), format))
        elif mode is Mode.REVOKE and revoke:
            with transaction(commit=not dry_run) as session:
                token, now = service.revoke_token(session, name, revoke, **by)
            say(revoked(token, now, dry_run=dry_run))
        else:
            make = partial(service.provision, ensure=ensure) if not rotate else service.rotate_token
            asked = {option: value for option, value in given.items() if option != "overlap_hours"}
            issue(
                lambda session: make(session, name, **given, **by),
                recover=lambda session, left: service.recover_token(session, name, left, **asked, **by),
                ensure=ensure, format=format, output_file=output_file, replace=replace, dry_run=dry_run,
            )  # fmt: skip


if __name__ == "__main__":
    run(app)
