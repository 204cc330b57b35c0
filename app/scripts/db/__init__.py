"""Seeding and its rollback as scripts, and the seed documents."""
