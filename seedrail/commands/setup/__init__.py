"""Commands that set a project up: its Alembic environment, and what git shows of its change files."""
