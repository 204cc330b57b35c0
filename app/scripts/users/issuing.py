"""Issue a token and put it where it was asked, so that it never exists without having been shown."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy.orm import Session

from app.core.database import transaction
from app.core.streams import say
from app.features.users.service import Issued
from app.scripts.users.output import SecretFormat, rendered, require_sink, secret_sink, show, told


def issue(
    make: Callable[[Session], Issued],
    *,
    ensure: bool,
    format: SecretFormat | None,
    output_file: Path | None,
    dry_run: bool,
) -> None:
    """Run `make` in a transaction, which is committed after its secret was written.

    Under `ensure` it is tried first: where a token is there, no file is made for one.
    """
    require_sink(format, output_file)
    if dry_run or ensure:
        with transaction(commit=False) as session:
            tried = make(session)
        if dry_run or tried.secret is None:
            _report(tried, format, dry_run=dry_run, shown=output_file is None)
            return
    with secret_sink(output_file) as sink, transaction() as session:
        issued = make(session)
        # Where another run was faster there is no secret, and its file goes again.
        if issued.secret or output_file is None:
            sink.write(rendered(issued, format, dry_run=False))
    _report(issued, None, dry_run=False, shown=False)


def _report(issued: Issued, format: SecretFormat | None, *, dry_run: bool, shown: bool) -> None:
    if shown and format is SecretFormat.JSON:
        show(rendered(issued, format, dry_run=dry_run).rstrip())
    for line in told(issued, dry_run=dry_run):
        say(line)
