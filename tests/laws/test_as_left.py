"""A look at the rows alone never calls clean what the rollback's own comparison finds, whoever did what."""

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from alembic.script import ScriptDirectory

from seedrail import Rail, SeedError
from seedrail.merge.report import as_left
from seedrail.merge.report.differing import EXTRA, DifferentRow
from seedrail.merge.report.drift import differences, different_rows, tables_as_left
from tests.laws.conftest import worlds
from tests.laws.pair import ARRIVALS, EDITS, REMAKES, edits, states
from tests.laws.users import apply_edits
from tests.laws.world import World
from tests.support.databases import Servers

BATCH = 12
BATCHES = {"sqlite": {"quick": 4, "rest": 40}, "postgresql": {"quick": 2, "rest": 20}}
"""How many batches of worlds there are in `make test`, and with those behind it."""


def batches() -> Any:
    for kind, counts in BATCHES.items():
        for number in range(counts["rest"]):
            marks = () if number < counts["quick"] else pytest.mark.long
            yield pytest.param(kind, number, marks=marks, id=f"{kind}-{number}")


def compared(world: World, held: int) -> tuple[int, int]:
    """Compare a world in both ways: how many tables were called clean, and how many rows differ."""
    rail = Rail(ScriptDirectory(str(world.directory)))
    with world.database.engine.connect() as connection, patch.object(as_left, "HELD", held):
        tables = tables_as_left(connection, rail)
        rows, counts = different_rows(connection, rail), differences(connection, rail)
        with patch.object(as_left, "side_of", lambda _: None):
            assert different_rows(connection, rail) == rows
            assert differences(connection, rail) == counts
    wrong = changed(rows)
    for table in tables:
        assert 0 <= table.same <= table.rows
        assert table.differ >= wrong[table.table]
    assert set(wrong) <= {table.table for table in tables}
    return sum(not table.differ for table in tables), len(rows)


def changed(rows: list[DifferentRow]) -> Counter[str]:
    """How many seeded rows differ, by table."""
    return Counter(row.table for row in rows if row.kind != EXTRA)


def hold(world: World, rnd: Random) -> tuple[int, int]:
    """Walk through a world, and compare after each move and after what people did then."""
    world.install_schema()
    apply_edits(world, edits(rnd, ARRIVALS, rnd.choice([0, 0, 6])))
    top, clean, differing = len(world.states), 0, 0
    for _ in range(rnd.randint(1, 4)):
        target, policy = rnd.randint(1, top), rnd.choice(["abort", "keep", "overwrite"])
        try:
            world.upgrade(world.revision(target), policy)
        except SeedError:
            return clean, differing
        for number in (0, rnd.choice([0, 1, 3])):
            apply_edits(world, edits(rnd, (*EDITS, *REMAKES), number))
            found = compared(world, rnd.choice([2, 50_000]))
            clean, differing = clean + found[0], differing + found[1]
    return clean, differing


@pytest.mark.parametrize(("kind", "number"), list(batches()))
def test_what_is_called_clean_is_clean_to_the_rollbacks_own_comparison(
    servers: Servers, tmp_path: Path, kind: str, number: int
) -> None:
    clean = differing = 0
    with servers.database(kind, tmp_path) as database, worlds(database, tmp_path) as make:
        for seed in range(number * BATCH, (number + 1) * BATCH):
            rnd = Random(seed)
            history = states(rnd, 3)
            found = hold(make((history, 99, [False] * len(history))), rnd)
            clean, differing = clean + found[0], differing + found[1]
    assert clean, "no table was called clean"
    assert differing, "no row differed"
