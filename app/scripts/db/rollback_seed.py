"""`python -m app.scripts.db.rollback_seed`: the same as `alembic downgrade seed_base`."""

import typer

from app.core.migration import describe_database, rollback_seed
from app.core.waiting import wait_for_database
from app.scripts.db.options import ConflictOption, DecisionsOption, QuietOption, ReportOption
from app.scripts.exits import EXIT_CODES, close_with, exit_codes, run
from app.scripts.options import WaitOption

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog=EXIT_CODES)
def main(
    conflict: ConflictOption = None,
    report: ReportOption = None,
    decisions: DecisionsOption = None,
    quiet: QuietOption = False,
    wait: WaitOption = None,
) -> None:
    """Take all seed data back; the schema and what people wrote stay. Safe to run again."""
    with exit_codes():
        wait_for_database(wait, quiet=quiet)
        revisions = rollback_seed(
            quiet=quiet, seed_conflict=conflict, seed_report=report, seed_decisions=decisions
        )
        if not quiet:
            close_with(f"{describe_database()} is at {', '.join(revisions) or 'no revision'}")


if __name__ == "__main__":
    run(app)
