"""The application by feature; here is what Alembic needs of all of them together."""
