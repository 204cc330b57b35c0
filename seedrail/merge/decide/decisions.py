"""Decisions: conflicts that somebody has decided one by one, ahead of the run's policy."""

import sqlalchemy as sa

decisions = sa.Table(
    "seed_decision",
    sa.MetaData(),
    sa.Column("table_name", sa.Text()),
    sa.Column("seed_id", sa.Uuid()),
    sa.Column("column_name", sa.Text()),
    sa.Column("overwrite", sa.Boolean()),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
