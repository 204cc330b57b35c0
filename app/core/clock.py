"""The time."""

from datetime import UTC, datetime


def utcnow() -> datetime:
    """Now, aware and in UTC."""
    return datetime.now(UTC)
