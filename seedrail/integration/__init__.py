"""Alembic: options, comparator, operations, runs."""
