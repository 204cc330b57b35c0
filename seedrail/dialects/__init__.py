"""The databases that the engine speaks."""

from seedrail.dialects.base import Found, Holder, Load, QualifiedName, SeedDialect, identifier
from seedrail.dialects.postgresql import PostgreSQLDialect
from seedrail.dialects.sqlite import SQLiteDialect
from seedrail.errors import SetupError

_DIALECTS = {dialect.name: dialect for dialect in (SQLiteDialect(), PostgreSQLDialect())}


def dialect_named(name: str) -> SeedDialect:
    """The engine's dialect for an SQLAlchemy dialect's name; SetupError for one it does not speak."""
    try:
        return _DIALECTS[name]
    except KeyError:
        raise SetupError(f"seeds support {' and '.join(_DIALECTS)}, not {name!r}") from None


__all__ = ["Found", "Holder", "Load", "QualifiedName", "SeedDialect", "dialect_named", "identifier"]
