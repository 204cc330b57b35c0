"""Issue a token and put it where it was asked, so that it never exists without having been shown."""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy.orm import Session

from app.core.database import transaction
from app.core.errors import CommitUnknown
from app.core.leftovers import Leftover, leftovers
from app.core.secret_file import SecretFile, SecretMisplaced
from app.core.streams import say
from app.features.users.recovering import secret_in
from app.features.users.service import Issued
from app.features.users.tokens import display_prefix
from app.scripts.users.output import (
    SecretFormat,
    Stdout,
    rendered,
    require_sink,
    secret_sink,
    show,
    told,
)
from seedrail import shown


def issue(
    make: Callable[[Session], Issued],
    *,
    ensure: bool,
    format: SecretFormat | None,
    output_file: Path | None,
    dry_run: bool,
    replace: bool = False,
    recover: Callable[[Session, Sequence[SecretStr]], Issued | None] | None = None,
) -> None:
    """Run `make` in a transaction, which is committed after its secret was written.

    Under `ensure` it is tried first: where a token is there, no file is made for one. Where runs for the same
    file were cut off, `recover` is asked first for what they left.
    """
    require_sink(format, output_file)
    with ExitStack() as opened:
        left: list[Leftover] = []
        if recover and output_file and not dry_run and (replace or not os.path.lexists(output_file)):
            left = opened.enter_context(leftovers(output_file))
        held = [(one, secret_in(one.content)) for one in left]
        secrets = [secret for _, secret in held if secret]

        def make_or_recover(session: Session) -> Issued:
            return (secrets and recover and recover(session, secrets)) or make(session)

        issued = None
        try:
            issued = _tried_or_issued(make_or_recover, ensure, format, output_file, dry_run, replace)
        finally:
            for one, secret in held:
                _see_to(one, secret, issued)


def _see_to(left: Leftover, secret: SecretStr | None, issued: Issued | None) -> None:
    """Remove what a run left where it is of no use any more; say so of a secret that may be of some."""
    if secret is None or (issued and issued.secret == secret):
        left.remove()
        return
    say(
        f"{shown(left.path)} was left by a run that was cut off, and holds the token"
        f" {display_prefix(secret)}…: --list says whether it is active; remove the file where nobody needs it"
    )


def _tried_or_issued(
    make: Callable[[Session], Issued],
    ensure: bool,
    format: SecretFormat | None,
    output_file: Path | None,
    dry_run: bool,
    replace: bool,
) -> Issued:
    if dry_run or ensure:
        with transaction(commit=False) as session:
            tried = make(session)
        if dry_run or tried.secret is None:
            if dry_run and tried.secret and output_file:
                # What would be refused is refused: the file is made, and gone again.
                with secret_sink(output_file, replace=replace):
                    pass
            _report(tried, format, dry_run=dry_run, visible=output_file is None)
            if tried.secret is None and output_file and not os.path.lexists(output_file):
                say(
                    f"{shown(output_file)} is not there, and was not made: the value of a token is shown once"
                    " and not kept; --rotate issues a new one"
                )
            return tried
    issued = _issued(make, format, output_file, replace)
    _report(issued, None, dry_run=False, visible=False)
    return issued


def _issued(
    make: Callable[[Session], Issued], format: SecretFormat | None, output_file: Path | None, replace: bool
) -> Issued:
    with secret_sink(output_file, replace=replace) as sink:
        issued = None
        try:
            with transaction(stake=sink) as session:
                issued = make(session)
                # Where another run was faster there is no secret, and its file goes again.
                if issued.secret or output_file is None:
                    sink.write(rendered(issued, format, dry_run=False))
        except SecretMisplaced:
            if issued:
                _report(issued, None, dry_run=False, visible=False)
            raise
        except CommitUnknown as error:
            if not issued or not issued.secret:
                raise
            raise CommitUnknown(error.reason, *_left_open(issued, sink)) from None
        return issued


def _left_open(issued: Issued, sink: Stdout | SecretFile) -> tuple[str, str]:
    """Where a token is that may be one or not, and what to do about it."""
    token = f"the token {issued.token.display_prefix}… (id {issued.token.id})"
    if isinstance(sink, SecretFile):
        return (
            f"{token} is kept in {shown(sink.temporary)}",
            "see to the server, then run the same command again: it takes the file up if the token is active",
        )
    return (
        f"{token} was shown",
        f"see to the server, then ask --service-name {issued.user.service_name} --list: active, it is yours;"
        " not there, run the same command again",
    )


def _report(issued: Issued, format: SecretFormat | None, *, dry_run: bool, visible: bool) -> None:
    if visible and format is SecretFormat.JSON:
        show(rendered(issued, format, dry_run=dry_run).rstrip())
    for line in told(issued, dry_run=dry_run):
        say(line)
