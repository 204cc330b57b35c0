"""pytest-alembic's built-in tests on the history that ships, on both databases."""

import pytest
from pytest_alembic.tests import (
    test_model_definitions_match_ddl,
    test_single_head_revision,
    test_up_down_consistency,
    test_upgrade,
)

from app.core.config import ROOT, Settings
from app.core.database import new_engine
from tests.support.databases import Database

__all__ = [
    "test_model_definitions_match_ddl",
    "test_single_head_revision",
    "test_up_down_consistency",
    "test_upgrade",
]


@pytest.fixture
def alembic_config() -> dict[str, str]:
    return {"file": str(ROOT / "alembic.ini"), "script_location": str(ROOT / "migrations")}


@pytest.fixture
def alembic_engine(database: Database):
    engine = new_engine(Settings(DATABASE_URL=database.url), migrating=True)
    yield engine
    engine.dispose()
