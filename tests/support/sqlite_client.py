"""`sqlite3 -bail FILE < SCRIPT` by Python's own SQLite: for machines without the client."""

import sqlite3
import sys
from collections.abc import Iterator


def statements(script: str) -> Iterator[str]:
    """The script's statements, each with what stands before it."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement


def main(file: str) -> int:
    """Run what stands on standard input, print the rows that it finds, and stop at the first error."""
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        for statement in statements(sys.stdin.read()):
            for row in connection.execute(statement):
                print(*("" if value is None else value for value in row), sep="|")
    except sqlite3.Error as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    finally:
        connection.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[-1]))
