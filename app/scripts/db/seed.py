"""`python -m app.scripts.db.seed`: the same as `alembic upgrade head`."""

import typer

from app.core.migration import describe_database, seed
from app.scripts.exits import EXIT_CODES, exit_codes

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog=EXIT_CODES)
def main() -> None:
    """Bring the database to the newest schema and seed data; safe to run again."""
    with exit_codes():
        revisions = seed()
        print(f"{describe_database()} is at {', '.join(revisions)}")


if __name__ == "__main__":
    app()
