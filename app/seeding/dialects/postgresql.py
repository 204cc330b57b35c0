"""PostgreSQL: COPY into staging tables, an advisory lock, the catalog's foreign keys."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.sql.elements import ColumnElement

from app.seeding.dialects.base import Load, QualifiedName, SeedDialect
from app.seeding.errors import LockTimeout
from app.seeding.tables import Reference
from app.seeding.types import ColumnType

ADVISORY_LOCK = 0x5EED_4A11
"""The key of the lock that every run of this engine takes; PostgreSQL scopes it to the database."""

_ESCAPED = re.compile(r"[\x00-\x1f\x7f\\]")


class PostgreSQLDialect(SeedDialect):
    """PostgreSQL 13 or newer, through psycopg 3."""

    name = "postgresql"
    preamble = (
        "Run this with `psql -v ON_ERROR_STOP=1 -f script.sql`: a failed check ends the transaction,"
        " and nothing of it is kept.",
    )

    @property
    def session(self) -> Sequence[str]:
        # First: a transaction's level can be chosen before its first query alone. SET LOCAL leaves the
        # client's session as it was.
        settings = {"client_encoding": "UTF8", **_SETTINGS}
        local = [f"SET LOCAL {name} = '{value}'" for name, value in settings.items()]
        return [_READ_COMMITTED, *local, _FIRE_TRIGGERS]

    def pin(self, connection: Connection) -> None:
        # Each statement is to see what was committed before it: under a higher level, what another run
        # wrote while this one waited for its lock would stay unseen.
        connection.exec_driver_sql(_READ_COMMITTED)
        # All at once. The encoding is left to the driver, which must know of it.
        settings = [sa.func.set_config(name, value, True) for name, value in _SETTINGS.items()]
        connection.execute(sa.select(*settings, _ORIGIN))

    def cannot_pin(self, error: DBAPIError) -> str | None:
        return _CANNOT_PIN.get(getattr(error.orig, "sqlstate", None) or "")

    def secured(self, connection: Connection, tables: Sequence[QualifiedName]) -> list[str]:
        quote = connection.dialect.identifier_preparer.quote_identifier
        names = {".".join(quote(part) for part in table if part): table for table in tables}
        found = connection.scalars(_SECURED, {"tables": list(names)})
        return sorted(".".join(part for part in names[name] if part) for name in found)

    def literal(self, value: Any) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return repr(value)
        quoted = value.replace("'", "''")
        if _ESCAPED.search(value):
            # E'' reads the same whatever standard_conforming_strings is.
            return "E'" + _ESCAPED.sub(_escape, quoted) + "'"
        return f"'{quoted}'"

    def load(
        self, connection: Connection, table: sa.Table, columns: Sequence[tuple[str, ColumnType]]
    ) -> Load:
        return _Copy(connection, table.name, [name for name, _ in columns])

    def loads_at_once(self, connection: Connection, tables: Sequence[str]) -> bool:
        """COPY knows no rules, and refuses where row security is active."""
        return connection.execute(_UNLIKE_INSERT, {"tables": list(tables)}).first() is None

    def lock(self, connection: Connection, seconds: float) -> None:
        """A transaction's advisory lock: it ends with the transaction, however that ends.

        The timeout stays set for the transaction, so that its table locks do not wait longer either.
        """
        timeout = f"{max(1, round(seconds * 1000))}ms"
        connection.execute(sa.select(sa.func.set_config("lock_timeout", timeout, True)))
        try:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ADVISORY_LOCK)))
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != "55P03":
                raise
            raise LockTimeout(seconds) from None

    def lock_tables(self, tables: Sequence[str]) -> Iterable[sa.Executable]:
        names = ", ".join(f'"{name}"' for name in tables)
        yield sa.text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")

    def prepare(self, tables: Sequence[sa.Table], parents: Sequence[sa.Table]) -> Iterable[sa.Executable]:
        if tables:
            # Whether nearly all ids differ and outcomes are NULL is seen in 3,000 rows, too.
            yield sa.text("SET LOCAL default_statistics_target = 10")
            yield from self.analyze(tables)

    def analyze(self, tables: Sequence[sa.Table]) -> Iterable[sa.Executable]:
        # The joins' columns alone: wide texts take longer to sample than to load.
        names = ", ".join(f'"{table.name}" (seed_id, live_id, outcome)' for table in tables)
        yield sa.text(f"ANALYZE {names}")

    def references(self, connection: Connection, tables: Sequence[str]) -> dict[str, list[Reference]]:
        found: dict[str, list[Reference]] = {name: [] for name in tables}
        for row in connection.execute(_FOREIGN_KEYS, {"tables": list(tables)}):
            schema = None if row.visible else row.schema
            found[row.target].append(
                Reference(
                    row.child,
                    tuple(row.child_columns),
                    tuple(row.target_columns),
                    schema,
                    tuple(row.identity or ()),
                )
            )
        return found

    def count_unknown_references(self, known: dict[str, list[Reference]]) -> sa.Select[Any]:
        listed = sorted(
            f"{target} {ref.table} {','.join(ref.columns)}"
            for target, references in known.items()
            for ref in references
        )
        keys = (
            _FOREIGN_KEYS.bindparams(tables=sorted(known))
            .columns(
                sa.column("child", sa.Text()),
                sa.column("target", sa.Text()),
                sa.column("child_columns", sa.ARRAY(sa.Text())),
            )
            .subquery()
        )
        columns = sa.func.array_to_string(keys.c.child_columns, ",", type_=sa.Text)
        name = keys.c.target + " " + keys.c.child + " " + columns
        return sa.select(sa.func.count()).select_from(keys).where(name.not_in(listed))

    def equal(self, type_: ColumnType, one: ColumnElement[Any], other: Any) -> ColumnElement[bool]:
        if type_.kind == "json":
            # A live column may be JSON, which has no equality of its own.
            return self.same(sa.cast(one, JSONB), sa.cast(other, JSONB))
        return super().equal(type_, one, other)


_READ_COMMITTED = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"

_SETTINGS = {
    # Texts of values, which the ledger keeps and scripts compare. Without them 1850-03-04 may be read back
    # as the third of April, and a float lose its last digits.
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmlbinary": "base64",
    "xmloption": "content",
    "array_nulls": "on",
    # How statements are read, and what their comparisons mean.
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    # Defaults as the catalog tells them, which are compared with what literals look like.
    "quote_all_identifiers": "off",
    # The server refuses a query from which a policy would hide rows, instead of hiding them.
    "row_security": "off",
}
"""What PostgreSQL lets a role, a database, a URL or a client choose, and rows would come to feel."""

# Foreign keys are triggers, and a session that plays a replica has none. Few roles may set this, even to what
# it is already: it is touched where need be.
_FIRE_TRIGGERS = """DO $$
BEGIN
  IF current_setting('session_replication_role') <> 'origin' THEN
    SET LOCAL session_replication_role = 'origin';
  END IF;
END $$"""

_ORIGIN: ColumnElement[str] = sa.literal_column(
    "CASE WHEN current_setting('session_replication_role') <> 'origin'"
    " THEN set_config('session_replication_role', 'origin', true) END"
)
"""The same in a query."""

_CANNOT_PIN = {
    "25001": "the run's transaction has begun with another isolation level than READ COMMITTED, and has asked"
    " something already; nothing was written\n"
    "  lend a connection that is in no transaction, or one whose level is READ COMMITTED",
    "42501": "session_replication_role switches foreign keys and triggers off in this session, and the role"
    " may not set it back; nothing was written\n"
    "  take it from the role and the database: ALTER ROLE … RESET session_replication_role",
}
"""What the errors mean, by their SQLSTATE."""

_SECURED = sa.text(
    """
    SELECT name FROM unnest(CAST(:tables AS text[])) AS name WHERE row_security_active(to_regclass(name))
    """
)


class _Copy:
    """COPY … FROM STDIN: the server reads while the next rows are made."""

    def __init__(self, connection: Connection, table: str, columns: Sequence[str]) -> None:
        self._cursor: Any = connection.connection.cursor()
        names = ", ".join(f'"{name}"' for name in columns)
        self._block: Any = self._cursor.copy(f'COPY "{table}" ({names}) FROM STDIN')
        self._copy = self._block.__enter__()

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        write = self._copy.write_row
        for row in rows:
            write(row)

    def finish(self) -> int:
        self._block.__exit__(None, None, None)
        arrived = int(self._cursor.rowcount)
        self._cursor.close()
        return arrived

    def abandon(self, error: BaseException) -> None:
        self._block.__exit__(type(error), error, error.__traceback__)
        self._cursor.close()


_UNLIKE_INSERT = sa.text(
    """
    SELECT relname FROM pg_class WHERE relname IN :tables AND pg_table_is_visible(oid)
      AND (relkind NOT IN ('r', 'p') OR relhasrules OR row_security_active(oid))
    """
).bindparams(sa.bindparam("tables", expanding=True, type_=sa.Text()))


_FOREIGN_KEYS = sa.text(
    """
    SELECT child.relname::text AS child, space.nspname::text AS schema,
      pg_table_is_visible(child.oid) AS visible, target.relname::text AS target,
      (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(key.conkey) WITH ORDINALITY k(num, n)
        JOIN pg_attribute a ON a.attrelid = child.oid AND a.attnum = k.num) AS child_columns,
      (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(key.confkey) WITH ORDINALITY k(num, n)
        JOIN pg_attribute a ON a.attrelid = target.oid AND a.attnum = k.num) AS target_columns,
      (SELECT array_agg(a.attname::text ORDER BY k.n) FROM pg_constraint own,
        unnest(own.conkey) WITH ORDINALITY k(num, n) JOIN pg_attribute a ON a.attnum = k.num
        WHERE own.conrelid = child.oid AND own.contype = 'p' AND a.attrelid = child.oid) AS identity
    FROM pg_constraint AS key
    JOIN pg_class AS child ON child.oid = key.conrelid
    JOIN pg_namespace AS space ON space.oid = child.relnamespace
    JOIN pg_class AS target ON target.oid = key.confrelid
    WHERE key.contype = 'f' AND key.conparentid = 0 AND pg_table_is_visible(target.oid)
      AND target.relname IN :tables
    ORDER BY child.relname, key.conname
    """
).bindparams(sa.bindparam("tables", expanding=True, type_=sa.Text()))


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    return "\\\\" if character == "\\" else f"\\x{ord(character):02x}"
