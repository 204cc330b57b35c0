"""Tables that the schema renames under their seeds: refused, for their rows would change hands elsewhere.

A row's seed id is made of its table's name. Under another name the rows are others, and those of the renamed
table would be taken for people's.
"""

from collections.abc import Container, Mapping

from seedrail.errors import SetupError
from seedrail.history.changes import Row, State
from seedrail.quoting import shown
from seedrail.schema.tables import FrozenTable


def refuse_renamed(
    before: tuple[State, Mapping[str, FrozenTable]],
    after: tuple[State, Mapping[str, FrozenTable]],
    models: Container[str],
) -> None:
    """Raise SetupError where most rows of a table that no model has any more come under another table's name.

    `before` and `after` are the seeded rows and tables of the newest revision, and of the documents.
    """
    (olds, frozen), (news, tables) = before, after
    for gone in [name for name in frozen if name not in tables and name not in models]:
        for new in [name for name in tables if name not in frozen]:
            old_rows = _keys(frozen[gone], olds.get(gone, {}))
            if 2 * len(old_rows & _keys(tables[new], news.get(new, {}))) > len(old_rows):
                raise SetupError(
                    f"the seeded table {shown(gone)} goes, and {shown(new)} comes with the same rows;"
                    " no revision was written\n"
                    "  where a schema revision renames the table, databases would take its rows for people's:"
                    " keep the table's name (the class may have another)\n"
                    f"  where it is a new table, take {shown(gone)} out in one revision, and bring"
                    f" {shown(new)} in with the next"
                )


def _keys(table: FrozenTable, rows: Mapping[str, Row]) -> set[tuple[object, ...]]:
    """The natural keys of rows, but for links, which hold seed ids."""
    names = [name for name in table.key if name not in table.foreign_keys]
    return {tuple(row.get(name) for name in names) for row in rows.values()} if names else set()
