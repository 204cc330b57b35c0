"""Commands about a database: they look at it through env.py, and write nothing."""
