"""Alembic's command line: what a process that ends with the command does otherwise than one that goes on."""

import gc
from argparse import Namespace
from collections.abc import Iterator

import pytest
from alembic.config import Config

from app.core.alembic_env import keep_imports


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """Nothing frozen before, and nothing after."""
    gc.unfreeze()
    yield
    gc.unfreeze()


def test_a_command_line_leaves_its_imports_out_of_garbage_collections() -> None:
    keep_imports(Config(cmd_opts=Namespace()))
    assert gc.get_freeze_count() > 0
    assert gc.isenabled()


def test_a_program_that_runs_a_command_keeps_its_garbage_collector_as_it_is() -> None:
    keep_imports(Config())
    assert gc.get_freeze_count() == 0
