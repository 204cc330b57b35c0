"""`python -m app.scripts.db.seed`: the same as `alembic upgrade head`."""

import typer

from app.core.migration import describe_database, seed
from app.core.waiting import wait_for_database
from app.scripts.db.options import ConflictOption, DecisionsOption, QuietOption, ReportOption, SetsOption
from app.scripts.exits import EXIT_CODES, close_with, exit_codes, run
from app.scripts.options import WaitOption

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog=EXIT_CODES)
def main(
    conflict: ConflictOption = None,
    report: ReportOption = None,
    decisions: DecisionsOption = None,
    sets: SetsOption = None,
    quiet: QuietOption = False,
    wait: WaitOption = None,
) -> None:
    """Bring the database to the newest schema and seed data; safe to run again."""
    with exit_codes():
        wait_for_database(wait, quiet=quiet)
        revisions = seed(
            quiet=quiet, seed_sets=sets, seed_conflict=conflict, seed_report=report, seed_decisions=decisions
        )
        if not quiet:
            close_with(f"{describe_database()} is at {', '.join(revisions)}")


if __name__ == "__main__":
    run(app)
