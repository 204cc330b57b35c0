"""The session that PostgreSQL gives a run, whatever was chosen for its user, database, URL or client."""

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

READ_COMMITTED = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"

SETTINGS = {
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
FIRE_TRIGGERS = """DO $$
BEGIN
  IF current_setting('session_replication_role') <> 'origin' THEN
    SET LOCAL session_replication_role = 'origin';
  END IF;
END $$"""

ORIGIN: ColumnElement[str] = sa.literal_column(
    "CASE WHEN current_setting('session_replication_role') <> 'origin'"
    " THEN set_config('session_replication_role', 'origin', true) END"
)
"""The same in a query."""

CANNOT_PIN = {
    "25001": "the run's transaction has begun with another isolation level than READ COMMITTED, and has asked"
    " something already; nothing was written\n"
    "  lend a connection that is in no transaction, or one whose level is READ COMMITTED",
    "42501": "session_replication_role switches foreign keys and triggers off in this session, and the role"
    " may not set it back; nothing was written\n"
    "  take it from the role and the database: ALTER ROLE … RESET session_replication_role",
}
"""What the errors mean, by their SQLSTATE."""
