"""Rows of a database as documents: those of a table, and people's edits of seeded ones."""
