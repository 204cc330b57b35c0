"""The databases that the engine speaks."""

from app.seeding.dialects.base import Found, Load, QualifiedName, SeedDialect, identifier
from app.seeding.dialects.postgresql import PostgreSQLDialect
from app.seeding.dialects.sqlite import SQLiteDialect
from app.seeding.errors import SetupError

_DIALECTS = {dialect.name: dialect for dialect in (SQLiteDialect(), PostgreSQLDialect())}


def dialect_named(name: str) -> SeedDialect:
    """The engine's dialect for an SQLAlchemy dialect's name; SetupError for one it does not speak."""
    try:
        return _DIALECTS[name]
    except KeyError:
        raise SetupError(f"seeds support {' and '.join(_DIALECTS)}, not {name!r}") from None


__all__ = ["Found", "Load", "QualifiedName", "SeedDialect", "dialect_named", "identifier"]
