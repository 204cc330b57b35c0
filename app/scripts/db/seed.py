"""`python -m app.scripts.db.seed`: the same as `alembic upgrade head`."""

import typer

from app.core.migration import describe_database, seed
from app.scripts.db.options import ConflictOption, SetsOption
from app.scripts.exits import EXIT_CODES, exit_codes

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog=EXIT_CODES)
def main(conflict: ConflictOption = None, sets: SetsOption = None) -> None:
    """Bring the database to the newest schema and seed data; safe to run again."""
    with exit_codes():
        revisions = seed(seed_conflict=conflict, seed_sets=sets)
        print(f"{describe_database()} is at {', '.join(revisions)}")


if __name__ == "__main__":
    app()
