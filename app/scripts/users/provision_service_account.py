"""`python -m app.scripts.users.provision_service_account`: a service's account and its tokens."""

from functools import partial
from typing import Any

import typer

from app.core.migration import require_schema
from app.core.waiting import wait_for_database
from app.features.users import service
from app.features.users.audit import operator
from app.scripts.exits import ACCOUNT_EXIT_CODES, exit_codes, run
from app.scripts.options import WaitOption
from app.scripts.users import options, tending
from app.scripts.users.arguments import Discreet
from app.scripts.users.asking import ask_text
from app.scripts.users.options import OF_ANY_SERVICE, Mode

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(cls=Discreet, epilog=ACCOUNT_EXIT_CODES)
def main(
    service_name: options.ServiceName = None,
    expires_in_days: options.Days = None,
    token_name: options.TokenName = None,
    scope: options.Scopes = None,
    ensure: options.Ensure = False,
    rotate: options.Rotate = False,
    overlap_hours: options.Overlap = None,
    revoke: options.Revoke = None,
    revoke_all: options.RevokeAll = False,
    activate: options.Activate = False,
    deactivate: options.Deactivate = False,
    list_: options.Listing = False,
    check_expiry: options.CheckExpiry = None,
    format: options.FormatOption = None,
    output_file: options.OutputFile = None,
    replace: options.Replace = False,
    dry_run: options.DryRun = False,
    lock_timeout: options.LockTimeout = 10.0,
    wait: WaitOption = None,
) -> None:
    """Give a service an account and a token, shown this once; or see to what is there."""
    with exit_codes():
        mode = options.mode_of(
            ensure=ensure, rotate=rotate, revoke=revoke is not None, revoke_all=revoke_all, activate=activate,
            deactivate=deactivate, list=list_, check_expiry=check_expiry is not None,
        )  # fmt: skip
        given = options.check_options(
            mode,
            {"format": format, "output_file": output_file, "replace": replace, "dry_run": dry_run},
            expires_in_days=expires_in_days, token_name=token_name, scopes=scope,
            overlap_hours=overlap_hours,
        )  # fmt: skip
        of_any = mode in OF_ANY_SERVICE and service_name is None
        name = "" if of_any else ask_text(service_name, "Service name", "--service-name")
        named = None if of_any else name
        wait_for_database(wait)
        require_schema()
        by: dict[str, Any] = {"actor": operator(), "lock_timeout": lock_timeout}
        match mode:
            case Mode.LIST:
                tending.list_all(named, format)
            case Mode.CHECK_EXPIRY:
                tending.check_expiry(named, check_expiry or 0, format)
            case Mode.REVOKE:
                tending.revoke(named, revoke or "", dry_run=dry_run, by=by)
            case Mode.REVOKE_ALL:
                tending.revoke_all(name, dry_run=dry_run, by=by)
            case Mode.ACTIVATE | Mode.DEACTIVATE:
                tending.switch(name, active=activate, dry_run=dry_run, by=by)
            case _:
                make = partial(service.provision, ensure=ensure) if not rotate else service.rotate_token
                asked = {option: value for option, value in given.items() if option != "overlap_hours"}
                tending.give(
                    name, lambda session: make(session, name, **given, **by),
                    recover=lambda session, left: service.recover_token(session, name, left, **asked, **by),
                    ensure=ensure, format=format, output_file=output_file, replace=replace,
                    dry_run=dry_run,
                )  # fmt: skip


if __name__ == "__main__":
    run(app)
