"""Which right a role lacks, on what, and the statement that grants it: what a server says of it is less."""

import re
from collections.abc import Iterator

from sqlalchemy.engine import URL

from seedrail import DatabaseFailure, failures

_NAME = r'("(?:[^"]|"")+"|[\w$]+)'
_TABLES = re.compile(rf"\b(?:INTO|UPDATE|FROM|JOIN|TABLE)\s+(?:ONLY\s+)?(?:{_NAME}\.)?{_NAME}", re.IGNORECASE)


def grant_for(failure: DatabaseFailure, url: URL) -> str | None:
    """What lets a role do what it was refused; None where that cannot be told.

    The statement that was refused tells it: the words of the server are in its own language.
    """
    statement = getattr(failure.__cause__, "statement", None)
    if failure.kind is not failures.RIGHT or not statement:
        return None
    tables = [table for table in _named(statement) if _says(failure.reason, table)]
    if not tables:
        return None
    rights, table = ", ".join(_rights(statement)), _identifier(tables[0])
    role = _identifier(url.username) if url.username else "the role"
    return f"the role needs {rights} on {table}; as the owner: GRANT {rights} ON {table} TO {role}"


def _identifier(name: str) -> str:
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'


def _named(statement: str) -> Iterator[str]:
    for _, name in _TABLES.findall(statement):
        yield name.strip('"').replace('""', '"')


def _says(reason: str, table: str) -> bool:
    return re.search(rf"(?<![\w$]){re.escape(table)}(?![\w$])", reason) is not None


def _rights(statement: str) -> list[str]:
    verb = statement.lstrip().partition(" ")[0].upper()
    if verb == "INSERT":
        return ["INSERT", "SELECT"] if "RETURNING" in statement else ["INSERT"]
    if verb == "SELECT":
        return ["SELECT", "UPDATE"] if re.search(r"\bFOR (NO KEY )?UPDATE\b", statement) else ["SELECT"]
    return ["SELECT", verb] if verb in ("UPDATE", "DELETE") else ["UPDATE"]
