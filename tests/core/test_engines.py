"""Engines: what Alembic's differ in."""

from pathlib import Path

from sqlalchemy import event

from app.core.config import Settings
from app.core.engines import connected, new_engine


def test_a_migrating_engine_keeps_no_connection_when_its_run_is_over(tmp_path: Path) -> None:
    engine = new_engine(Settings(DATABASE_URL=f"sqlite:///{tmp_path / 'x.db'}"), migrating=True)
    closed: list[object] = []
    event.listen(engine, "close", lambda connection, record: closed.append(connection))
    with connected(engine):
        assert not closed
    assert len(closed) == 1
