"""`python -m app.scripts.db.rollback_seed`: the same as `alembic downgrade seed_base`."""

import typer

from app.core.migration import describe_database, rollback_seed
from app.scripts.db.options import ConflictOption, QuietOption
from app.scripts.exits import EXIT_CODES, close_with, exit_codes, run

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog=EXIT_CODES)
def main(conflict: ConflictOption = None, quiet: QuietOption = False) -> None:
    """Take all seed data back; the schema and what people wrote stay. Safe to run again."""
    with exit_codes():
        revisions = rollback_seed(quiet=quiet, seed_conflict=conflict)
        if not quiet:
            close_with(f"{describe_database()} is at {', '.join(revisions) or 'no revision'}")


if __name__ == "__main__":
    run(app)
