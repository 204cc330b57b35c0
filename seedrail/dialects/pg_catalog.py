"""PostgreSQL's catalog: what a name finds, which tables belong to one, and which foreign keys point at them.

Every query here leans on `HOME`: after it, `pg_table_is_visible` says of a table whether the run's own
statements, which use bare names, work on that very table.
"""

import sqlalchemy as sa


def _of_tables(sql: str, name: str = "tables") -> sa.TextClause:
    return sa.text(sql).bindparams(sa.bindparam(name, expanding=True, type_=sa.Text()))


RIGHTS = _of_tables(
    """
    SELECT 'TEMPORARY on the database' AS missing
    WHERE NOT has_database_privilege(current_database(), 'TEMPORARY')
    UNION ALL
    SELECT 'CREATE on the schema ' || current_schema()
    WHERE NOT has_schema_privilege(current_schema(), 'CREATE')
    UNION ALL
    SELECT kind || ' on ' || own.relname FROM pg_class AS own
    CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS kind
    WHERE own.relkind IN ('r', 'p') AND own.relname IN :tables AND pg_table_is_visible(own.oid)
      AND NOT has_table_privilege(own.oid, kind)
    """
)
"""The rights that a run needs and this role has not got."""

HOLDERS = _of_tables(
    """
    SELECT held.pid AS process, coalesce(session.usename::text, '') AS user_name,
      coalesce(session.application_name, '') AS application,
      CASE WHEN held.locktype = 'advisory' THEN 'the run lock' ELSE own.relname::text END AS what,
      held.mode AS mode, NOT held.granted AS waits,
      coalesce(extract(epoch FROM clock_timestamp() - session.xact_start), 0)::float AS seconds
    FROM pg_locks AS held
    LEFT JOIN pg_stat_activity AS session ON session.pid = held.pid
    LEFT JOIN pg_class AS own ON own.oid = held.relation
    WHERE held.pid <> pg_backend_pid()
      AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (
        -- A key of 64 bits is shown as two halves.
        (held.locktype = 'advisory' AND held.objsubid = 1 AND held.classid = 0 AND held.objid = :key)
        -- Readers are in nobody's way.
        OR (held.locktype = 'relation' AND held.mode <> 'AccessShareLock' AND own.relname IN :tables
          AND pg_table_is_visible(own.oid))
      )
    ORDER BY held.granted DESC, seconds DESC, held.pid, what
    """
)
"""The sessions that a run would have to wait for, or that wait for one."""

HOME = _of_tables(
    """
    WITH path AS (
      -- The schemas that are there, without those that are looked into anyway: the server's, temporary ones.
      SELECT name, n FROM unnest(current_schemas(false)) WITH ORDINALITY AS path(name, n)
      WHERE left(name::text, 3) <> 'pg_'
    ), home AS (
      SELECT name FROM path
      JOIN pg_namespace AS space ON space.nspname = path.name
      JOIN pg_class AS anchor ON anchor.relnamespace = space.oid AND anchor.relname IN :anchors
        AND anchor.relkind IN ('r', 'p')
      ORDER BY anchor.relname <> :first, n LIMIT 1
    )
    SELECT set_config('search_path', coalesce(
      (SELECT string_agg(quote_ident(name::text), ', '
          ORDER BY name <> coalesce((SELECT name FROM home), current_schema()), n) FROM path),
      current_setting('search_path')), true)
    """,
    "anchors",
).bindparams(sa.bindparam("first", type_=sa.Text()))
"""Put the catalog's home first in the search path, and then what was there.

A schema named like the role, or one that somebody put before, may hold a table of the same name. Home is
where the first of the anchors is (the ledger, or else Alembic's version table), and the current schema of a
database that has none yet.
"""

CANDIDATES = _of_tables(
    """
    SELECT class.relname::text AS name,
      array_agg(space.nspname::text ORDER BY path.n) AS schemas,
      array_agg(class.relkind::text ORDER BY path.n) AS kinds,
      (array_agg(class.relpersistence::text ORDER BY path.n))[1] = 't' AS temporary,
      (array_agg(space.nspname = current_schema() ORDER BY path.n))[1] AS home,
      count(*) FILTER (WHERE class.relkind IN ('r', 'p')) AS tables
    FROM unnest(current_schemas(true)) WITH ORDINALITY AS path(name, n)
    JOIN pg_namespace AS space ON space.nspname = path.name
    JOIN pg_class AS class ON class.relnamespace = space.oid
    WHERE class.relname IN :tables
    GROUP BY class.relname
    """
)
"""Everything of these names on the search path, in its order: the first is what a statement finds."""

FOREIGN_KEYS = _of_tables(
    """
    WITH RECURSIVE seeded AS (
      SELECT oid FROM pg_class
      WHERE relname IN :tables AND pg_table_is_visible(oid) AND relkind IN ('r', 'p')
    ), below AS (
      -- A row of a seed table may be stored in a partition, or in a table that inherits: a key may name that.
      SELECT oid, oid AS target FROM seeded
      UNION
      SELECT tree.inhrelid, below.target FROM below JOIN pg_inherits AS tree ON tree.inhparent = below.oid
    ), above AS (
      -- And where a seed table is itself a partition, a key that names its root holds for its rows, too.
      SELECT oid, oid AS target FROM seeded
      UNION
      SELECT tree.inhparent, above.target FROM above
      JOIN pg_class AS part ON part.oid = above.oid AND part.relispartition
      JOIN pg_inherits AS tree ON tree.inhrelid = above.oid
    ), family AS (
      SELECT oid, target FROM below UNION SELECT oid, target FROM above
    )
    SELECT child.relname::text AS child, space.nspname::text AS schema,
      pg_table_is_visible(child.oid) AS visible, target.relname::text AS target,
      -- A partition has the columns of its root, and each row once: only what inherits is a table of its own.
      part.oid <> target.oid AND NOT part.relispartition AND part.relkind <> 'p' AS parted,
      part_space.nspname::text AS part_schema, part.relname::text AS part,
      (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(key.conkey) WITH ORDINALITY k(num, n)
        JOIN pg_attribute a ON a.attrelid = child.oid AND a.attnum = k.num AND k.n <= compared.n)
        AS child_columns,
      (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(key.confkey) WITH ORDINALITY k(num, n)
        JOIN pg_attribute a ON a.attrelid = part.oid AND a.attnum = k.num AND k.n <= compared.n)
        AS target_columns,
      EXISTS (SELECT FROM pg_attribute a
        WHERE a.attrelid = part.oid AND a.attnum = ANY (key.confkey) AND a.attgenerated <> '') AS derived,
      (SELECT array_agg(a.attname::text ORDER BY k.n) FROM pg_constraint own,
        unnest(own.conkey) WITH ORDINALITY k(num, n) JOIN pg_attribute a ON a.attnum = k.num
        WHERE own.conrelid = child.oid AND own.contype = 'p' AND a.attrelid = child.oid
        HAVING bool_and(has_column_privilege(child.oid, k.num, 'SELECT'))) AS identity,
      has_schema_privilege(space.oid, 'USAGE') AND
        (SELECT bool_and(has_column_privilege(child.oid, num, 'SELECT')) FROM unnest(key.conkey) AS num)
        AS readable,
      has_schema_privilege(space.oid, 'USAGE') AND
        has_table_privilege(child.oid, 'UPDATE, DELETE, TRUNCATE') AS lockable
    FROM pg_constraint AS key
    JOIN family ON family.oid = key.confrelid
    JOIN pg_class AS target ON target.oid = family.target
    JOIN pg_class AS part ON part.oid = key.confrelid
    JOIN pg_namespace AS part_space ON part_space.oid = part.relnamespace
    JOIN pg_class AS child ON child.oid = key.conrelid
    JOIN pg_namespace AS space ON space.oid = child.relnamespace
    -- Of a key with PERIOD, which comes last and must lie within others, the rest is to be equal.
    CROSS JOIN LATERAL (SELECT cardinality(key.conkey)
      - coalesce((to_jsonb(key) ->> 'conperiod')::boolean, false)::int AS n) AS compared
    -- A key of a partitioned table, or at one, stands once more for each of its partitions, with a parent.
    WHERE key.contype = 'f' AND key.conparentid = 0
    ORDER BY child.relname, space.nspname, key.conname
    """
)
"""Every foreign key that holds for rows of some tables, whatever schema it belongs to."""

INHERITED = _of_tables(
    """
    SELECT DISTINCT class.relname::text FROM pg_inherits AS tree
    JOIN pg_class AS class ON class.oid = tree.inhparent JOIN pg_class AS heir ON heir.oid = tree.inhrelid
    WHERE class.relname IN :tables AND pg_table_is_visible(class.oid) AND NOT heir.relispartition
    """
)
"""Those of some tables that others inherit from."""

_NAMED = """
  (pg_table_is_visible(c.oid) AND c.relname::text IN :tables
    OR (SELECT nspname::text FROM pg_namespace WHERE pg_namespace.oid = c.relnamespace)
      || '.' || c.relname::text IN :tables)
"""
"""Whether a table is one of those asked for: with its schema, or found by the search path without."""

SECURED = sa.text(
    # A text of this module.
    "SELECT c.oid::regclass::text FROM pg_class AS c"  # noqa: S608
    f" WHERE {_NAMED} AND row_security_active(c.oid) ORDER BY 1"
).bindparams(sa.bindparam("tables", expanding=True, type_=sa.Text()))


def _interfered(triggers: str) -> sa.TextClause:
    # A row that goes to a partition meets the triggers of that. What is no plain table (a view, a foreign
    # table) has its writes from somewhere else.
    return sa.text(
        f"""
        WITH RECURSIVE family(root, member) AS (
          SELECT c.relname::text, c.oid FROM pg_class AS c WHERE {_NAMED}
          UNION SELECT root, inhrelid FROM family JOIN pg_inherits ON inhparent = member
        )
        SELECT DISTINCT root FROM family JOIN pg_class AS c ON c.oid = member
        WHERE c.relkind NOT IN ('r', 'p') OR c.relhasrules OR EXISTS (SELECT FROM pg_trigger AS t
          WHERE t.tgrelid = member AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND {triggers})
        """  # noqa: S608 - texts of this module
    ).bindparams(sa.bindparam("tables", expanding=True, type_=sa.Text()))


INTERFERED, INTERFERED_BEFORE = _interfered("true"), _interfered("t.tgtype & 66 <> 0")
"""66: triggers that are fired BEFORE a row is written, or INSTEAD OF it."""

COLUMNS = sa.text(
    """
    SELECT c.relname::text AS table_name, a.attname::text AS column_name
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE pg_table_is_visible(c.oid) AND c.relname IN :tables AND a.attnum > 0 AND NOT a.attisdropped
      AND a.attidentity = '' AND a.attgenerated = ''
    """
).bindparams(sa.bindparam("tables", expanding=True, type_=sa.Text()))

TYPES = _of_tables(
    """
    SELECT c.relname::text AS table_name, a.attname::text AS column_name,
      format_type(a.atttypid, a.atttypmod) AS named
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relname IN :tables AND pg_table_is_visible(c.oid) AND a.attnum > 0 AND NOT a.attisdropped
    """
)
"""The columns of tables with their types as SQL names them."""

UNIQUES = _of_tables(
    """
    SELECT class.relname::text AS name,
      key.indexprs IS NULL AND key.indpred IS NULL AS exact,
      NOT coalesce((to_jsonb(key) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_distinct,
      (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute AS a
        WHERE a.attrelid = class.oid AND a.attnum > 0 AND (
          a.attnum = ANY ((key.indkey::int2[])[0:key.indnkeyatts - 1])
          OR (key.indexprs IS NOT NULL AND EXISTS (SELECT FROM pg_depend AS d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = key.indexrelid
              AND d.refclassid = 'pg_class'::regclass AND d.refobjid = class.oid
              AND d.refobjsubid = a.attnum)))) AS columns
    FROM pg_index AS key JOIN pg_class AS class ON class.oid = key.indrelid
    WHERE key.indisunique AND NOT key.indisprimary AND class.relname IN :tables
      AND pg_table_is_visible(class.oid)
    ORDER BY class.relname, key.indexrelid
    """
)
"""The unique constraints and indexes of tables, with the columns that an expression reads.

The index depends on these. From PostgreSQL 15 on a unique key may hold NULLs equal; before, the catalog has
no column that says so.
"""
