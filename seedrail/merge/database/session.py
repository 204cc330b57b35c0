"""The session of a run is the engine's: what its user, database, URL or client chose does not reach the rows.

Values pass the database as text on their way to scripts, to the ledger and back, and checks see what the
session lets them see. So each transaction begins with settings of its own, which end with it.
"""

from collections.abc import Iterable

from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from seedrail.dialects import QualifiedName, dialect_named
from seedrail.errors import RowSecurity, SetupError
from seedrail.merge.ledger import TABLE_NAMES, seed_state
from seedrail.quoting import shown


def online(context: MigrationContext) -> Connection | None:
    """The connection of a run; None where a script is written, which has none."""
    return None if context.as_sql else context.connection


def open_script(context: MigrationContext) -> None:
    """Before a script's first transaction: what cannot be said inside of one."""
    if context.as_sql:
        for statement in dialect_named(context.dialect.name).before:
            context.impl.static_output(f"{statement};")


def pin(context: MigrationContext) -> None:
    """Make the open transaction's settings the engine's; SetupError where it is too late for that.

    A run does so when its transaction begins, and before each move: a revision in between may have set what
    it liked, or have begun another transaction.
    """
    dialect = dialect_named(context.dialect.name)
    connection = online(context)
    if connection is None:
        for statement in dialect.session:
            context.impl.static_output(f"{statement};")
        return
    translated = connection.get_execution_options().get("schema_translate_map") or {}
    # Seed tables have no schema, so that this entry alone is theirs.
    if None in translated:
        raise SetupError(
            "the connection has a schema_translate_map, and seeds are written to the schema that the database"
            " finds first; nothing was written\n"
            "  lend a connection without one, whose search path names the schema"
        )
    if getattr(connection.connection.dbapi_connection, "autocommit", False) is True:
        raise SetupError(
            "the connection commits each statement by itself, so that a run that fails would leave half of"
            " itself behind; nothing was written\n"
            "  lend a connection without AUTOCOMMIT, or let migrations/env.py make its own"
        )
    try:
        dialect.pin(connection)
    except DBAPIError as error:
        refusal = dialect.cannot_pin(error)
        if refusal is None:
            raise
        raise SetupError(refusal) from None


def settle_names(context: MigrationContext) -> None:
    """Make bare names find the catalog's own tables until the transaction ends; or SetupError.

    The ledger shows which schema is theirs, or else Alembic's version table does; but one that was given a
    schema of its own says nothing of the others.
    """
    version = [] if context.version_table_schema else [context.version_table]
    dialect = dialect_named(context.dialect.name)
    for statement in dialect.home([seed_state.name, *version]):
        context.execute(statement)
    connection = online(context)
    if connection is None:
        return
    found = dialect.find(connection, sorted({*TABLE_NAMES, context.version_table}))
    for name in sorted(found):
        if found[name].hidden:
            raise SetupError(
                f"the run needs the table {shown(name)}, but its name finds {found[name].problem};"
                " nothing was written\n  drop that, or lend a connection without it"
            )


def refuse_row_security(context: MigrationContext, tables: Iterable[QualifiedName]) -> None:
    """RowSecurity for those of some tables whose rows this session does not see whole.

    A script cannot look; there the server refuses, because the session is told to have no row security.
    """
    connection = online(context)
    if connection is None:
        return
    dialect = dialect_named(context.dialect.name)
    secured = dialect.secured(connection, sorted(tables, key=str))
    if secured:
        raise RowSecurity(secured)
