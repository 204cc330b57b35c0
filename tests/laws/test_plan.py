"""What a plan says is what the run then does: counts, conflicts, and each cell of each row."""

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
import sqlalchemy as sa

from seedrail import ConflictError, SeedError
from seedrail.dialects import dialect_named
from seedrail.integration.run import SeedRun
from seedrail.merge.report.outcome import RowChange, composed
from tests.laws.conftest import worlds
from tests.laws.pair import ARRIVALS, EDITS, REMAKES, edits, states
from tests.laws.users import apply_edits
from tests.laws.world import GROUPS, ITEMS, NODES, World
from tests.support.databases import Servers

BATCH = 12
BATCHES = {"sqlite": {"quick": 4, "rest": 40}, "postgresql": {"quick": 1, "rest": 12}}
"""How many batches of worlds there are in `make test`, and with those behind it."""

Cells = dict[tuple[str, str], dict[str, Any]]


def batches() -> Any:
    for kind, counts in BATCHES.items():
        for number in range(counts["rest"]):
            marks = () if number < counts["quick"] else pytest.mark.long
            yield pytest.param(kind, number, marks=marks, id=f"{kind}-{number}")


def cells(world: World) -> Cells:
    """The seeded columns of all rows as text, by table and primary key."""
    found: Cells = {}
    text = dialect_named(world.database.kind).text
    with world.database.engine.connect() as connection:
        for table in (GROUPS, NODES, ITEMS):
            names = [column.name for column in table.c if column.name not in ("id", "created_at")]
            there = {one["name"] for one in sa.inspect(connection).get_columns(table.name)}
            shown = [name for name in names if name in there]
            rows = sa.select(table.c.id, *(text(table.c[name]) for name in shown))
            for id_, *values in connection.execute(rows):
                found[table.name, str(id_)] = dict(zip(shown, values, strict=True))
    return found


def made(before: Cells, changes: list[RowChange]) -> Cells:
    """The rows after the changes of a plan."""
    after = {key: dict(row) for key, row in before.items()}
    for one in changes:
        key = one.table, one.live_id
        if one.action == "delete":
            gone = after.pop(key)
            assert {cell.column: cell.before for cell in one.cells} == {
                k: v for k, v in gone.items() if v is not None
            }
            continue
        row = after.setdefault(key, {})
        assert (one.action == "insert") == (row == {})
        for cell in one.cells:
            assert row.get(cell.column) == cell.before
            row[cell.column] = cell.after
    return after


def without_nulls(rows: Cells) -> Cells:
    return {
        key: {name: value for name, value in row.items() if value is not None} for key, row in rows.items()
    }


def run(world: World, target: str, policy: str, *, up: bool) -> tuple[Counter[Any], bool]:
    """Make the move: what it counts, and whether it was refused for conflicts."""
    found: Counter[Any] = Counter()

    def hear(self: SeedRun, moved: Counter[Any], target: str) -> None:
        found.update({key: n for key, n in moved.items() if n and key[0] in _TOLD})

    with patch.object(SeedRun, "_report", hear):
        try:
            (world.upgrade if up else world.downgrade)(target, policy)
        except ConflictError:
            return found, True
    return found, False


_TOLD = {"inserted", "updated", "deleted", "adopted", "kept", "overwritten", "left out", "links filled"}


def hold(world: World, rnd: Random) -> None:
    """Walk through a world, and look before each move."""
    world.install_schema()
    apply_edits(world, edits(rnd, ARRIVALS, 6))
    at, top = 0, len(world.states)
    for _ in range(rnd.randint(1, 4)):
        target, policy = rnd.randint(0, top), rnd.choice(["abort", "keep", "overwrite"])
        before, claims = cells(world), world.database.rows("SELECT * FROM seed_claims ORDER BY ordinal")
        try:
            way = world.look(world.revision(target), policy)
        except SeedError:
            # What the database itself refuses on the way, it refuses to a plan that has to go that way.
            with pytest.raises(SeedError):
                run(world, world.revision(target), policy, up=target >= at)
            return
        assert cells(world) == before
        assert world.database.rows("SELECT * FROM seed_claims ORDER BY ordinal") == claims
        try:
            counts, refused = run(world, world.revision(target), policy, up=target >= at)
        except SeedError:
            return
        assert refused == bool(way.undecided)
        if not refused:
            at = target
            assert Counter({key: n for key, n in way.counts.items() if n}) == counts
            changes = composed([one.rows for one in way.outcomes])
            assert without_nulls(made(before, changes)) == without_nulls(cells(world))
        apply_edits(world, edits(rnd, (*EDITS, *REMAKES), 3))


@pytest.mark.parametrize(("kind", "number"), list(batches()))
def test_a_plan_says_what_the_run_then_does_cell_by_cell(
    servers: Servers, tmp_path: Path, kind: str, number: int
) -> None:
    with servers.database(kind, tmp_path) as database, worlds(database, tmp_path) as make:
        for seed in range(number * BATCH, (number + 1) * BATCH):
            rnd = Random(seed)
            history = states(rnd, 3)
            hold(make((history, 99, [False] * len(history))), rnd)
