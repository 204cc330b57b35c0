"""SQLite's catalog: what a name finds, foreign keys, unique keys, columns and triggers, by its pragmas."""

import sqlalchemy as sa


def _of_tables(sql: str) -> sa.TextClause:
    return sa.text(sql).bindparams(sa.bindparam("tables", expanding=True, type_=sa.Text()))


CANDIDATES = _of_tables(
    """
    SELECT name, type AS kind, 1 AS temporary, 0 AS fine FROM temp.sqlite_master WHERE name IN :tables
    UNION ALL
    SELECT name, CASE WHEN sql LIKE 'CREATE VIRTUAL%' THEN 'virtual table' ELSE type END, 0,
      type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'
    FROM main.sqlite_master WHERE name IN :tables
    """
)
"""Everything of these names; a temporary table hides one of the database."""

KEY_COLUMNS = ("child", "target", "child_column", "target_column")

# A key that names no columns points at the primary key; seed tables have one of one column. Names are
# compared as SQLite does, and come back as the tables have them. A temporary table hides none of its name.
FOREIGN_KEYS = _of_tables(
    """
    SELECT child.name AS child, key.id AS id, target.name AS target,
      coalesce(own.name, key."from") AS child_column,
      its.name AS target_column, its.hidden > 1 AS derived,
      (SELECT json_group_array(name) FROM pragma_table_info(child.name, 'main') WHERE pk > 0) AS identity
    FROM main.sqlite_master AS child
    JOIN pragma_foreign_key_list(child.name, 'main') AS key
    JOIN main.sqlite_master AS target ON target.type = 'table' AND lower(target.name) = lower(key."table")
    LEFT JOIN pragma_table_xinfo(child.name, 'main') AS own ON lower(own.name) = lower(key."from")
    LEFT JOIN pragma_table_xinfo(target.name, 'main') AS its
      ON CASE WHEN key."to" IS NULL THEN its.pk = 1 ELSE lower(its.name) = lower(key."to") END
    WHERE child.type = 'table' AND target.name IN :tables
    ORDER BY child.name, key.id, key.seq
    """
)

UNIQUES = _of_tables(
    """
    SELECT seeded.name AS name, own.partial AS partial, made.sql AS sql,
      (SELECT json_group_array(part.name) FROM pragma_index_info(own.name) AS part) AS columns,
      (SELECT json_group_array(one.name) FROM pragma_table_xinfo(seeded.name) AS one) AS all_columns
    FROM main.sqlite_master AS seeded JOIN pragma_index_list(seeded.name) AS own
    LEFT JOIN main.sqlite_master AS made ON made.type = 'index' AND made.name = own.name
    WHERE seeded.type = 'table' AND seeded.name IN :tables AND own."unique" AND own.origin <> 'pk'
    ORDER BY seeded.name, own.seq DESC
    """
)
"""Unique constraints and indexes; an expression has no column's name."""

COLUMNS = _of_tables(
    """
    SELECT t.name AS table_name, c.name AS column_name
    FROM sqlite_master AS t JOIN pragma_table_xinfo(t.name) AS c
    WHERE t.type = 'table' AND t.name IN :tables AND c.hidden = 0
    """
)
"""Generated columns are hidden ones."""

INTERFERED = _of_tables(
    """
    SELECT tbl_name AS name FROM sqlite_master
    WHERE type IN ('trigger', 'view') AND lower(tbl_name) IN :tables
    UNION SELECT tbl_name FROM sqlite_temp_master WHERE type = 'trigger' AND lower(tbl_name) IN :tables
    """
)
