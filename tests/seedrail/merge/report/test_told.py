"""What a run says of what it decided is what it did: messages, counts, and claims of values that stay."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seedrail import ConflictError, SeedError
from tests.laws.conftest import worlds
from tests.laws.test_found import groups, node, own_group
from tests.laws.world import Make, World, node_id
from tests.support.databases import Database

# Each is told alike on both databases.
pytestmark = pytest.mark.long_on("postgresql")

INFO = "seedrail.integration.run"


@pytest.fixture
def make(database: Database, tmp_path: Path) -> Iterator[Make]:
    with worlds(database, tmp_path) as fresh:
        yield fresh


def slotted(slot: str, **values: Any) -> dict[str, Any]:
    """A group with a node that has a unique slot."""
    state = groups(a=1)
    state["nodes"] = {node_id("x", "a"): {**node("x", "a"), "slot": slot, **values}}
    return state


def pin(world: World) -> None:
    """Somebody points at the node by its slot."""
    world.database.execute("CREATE TABLE pins (slot VARCHAR(50) REFERENCES nodes (slot))")
    world.database.execute("INSERT INTO pins SELECT slot FROM nodes")


def claims(world: World, column: str) -> list[tuple[Any, ...]]:
    """The claims on a column: position and who stands on top."""
    rows = "SELECT position, stands FROM seed_claims WHERE column_name = :column ORDER BY ordinal"
    return [tuple(row) for row in world.database.rows(rows, column=column)]


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the last run counted, by table."""
    lines = [one.getMessage() for one in caplog.records if one.name == INFO and one.levelno == logging.INFO]
    return [line.partition(": ")[2] for line in lines if line.startswith("seeds at")]


def reported(world: World, way: str, target: str) -> list[dict[str, Any]]:
    """The report of a run that is refused."""
    world.given["seed_report"] = str(world.directory.parent / "report.jsonl")
    with pytest.raises(ConflictError):
        getattr(world, way)(target)
    lines = Path(world.given["seed_report"]).read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_value_that_is_held_in_an_edited_row_is_claimed_where_the_seed_changed_it(make: Make) -> None:
    world = make(([groups(a=1), slotted("s1"), slotted("s2", body={"k": 2})], 99, []))
    world.upgrade("seed_0002")
    pin(world)
    world.database.execute("UPDATE nodes SET body = :body", body='{"k": 7}')
    world.upgrade("seed_0003", "keep")
    assert claims(world, "slot") == [(3, "owner")]
    world.downgrade("seed_0002", "keep")
    assert claims(world, "slot") == []


def test_a_value_that_is_held_is_not_claimed_as_overwritten_and_nobody_is_asked_again(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    world = make(([slotted("s1"), slotted("s2"), slotted("s3")], 99, []))
    world.upgrade("seed_0001")
    world.database.execute("UPDATE nodes SET slot = 'mine'")
    pin(world)
    with caplog.at_level(logging.INFO, INFO):
        world.upgrade("seed_0002", "overwrite")
    assert told(caplog)[-1] == "nodes: 1 kept"
    assert claims(world, "slot") == [(2, "owner")]
    world.upgrade("seed_0003", "abort")
    assert world.database.scalar("SELECT slot FROM nodes") == "mine"


def test_an_edit_in_a_row_that_has_to_stay_is_not_counted_as_overwritten(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    world = make(([slotted("s1")], 99, []))
    world.upgrade()
    world.database.execute("UPDATE nodes SET hits = 5")
    world.database.execute("INSERT INTO notes SELECT 'a note', id FROM nodes")
    with caplog.at_level(logging.INFO, INFO):
        world.downgrade("seed_base", "overwrite")
    assert told(caplog)[-2:] == ["groups: 1 kept", "nodes: 1 kept"]
    assert world.database.scalar("SELECT hits FROM nodes") == 5


def test_of_somebodys_row_it_is_told_what_the_owner_would_have_back(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    world = make(([groups(a=1)], 99, []))
    world.install_schema()
    own_group(world)
    world.database.execute("UPDATE groups SET size = 7")
    world.upgrade("head", "overwrite")
    world.database.execute("UPDATE groups SET size = 9")
    (line,) = reported(world, "downgrade", "seed_base")
    assert (line["kind"], line["expected"], line["wanted"], line["found"]) == ("edited since", "1", "7", "9")
    back = r"would have its size '7' back, .* somebody has set it to '9' since"
    with pytest.raises(ConflictError, match=back):
        world.downgrade()
    with caplog.at_level(logging.INFO, INFO):
        world.downgrade("seed_base", "keep")
    assert told(caplog)[-1] == "groups: 1 kept"


def test_rows_that_a_kept_row_leads_to_are_counted_with_all_that_point(make: Make) -> None:
    state = groups(a=1)
    for name in "gxyz":
        row = node(name, "a", parent=None if name == "g" else "g")
        state["nodes"][node_id(name, "a")] = row
    world = make(([groups(a=1), state], 99, []))
    world.upgrade()
    world.database.execute("INSERT INTO notes SELECT 'a note', id FROM nodes WHERE parent_id IS NOT NULL")
    by_name = {line["row"]["name"]: line["rows"] for line in reported(world, "downgrade", "seed_0001")}
    assert by_name == {"g": 3, "x": 1, "y": 1, "z": 1}


def test_a_way_down_offers_no_row_back_that_somebody_deleted(make: Make) -> None:
    world = make(([groups(a=1), groups(a=2)], 99, []))
    world.upgrade()
    world.database.execute("DELETE FROM groups")
    (line,) = reported(world, "downgrade", "seed_0001")
    assert line["choices"] == ["keep"]
    decisions = world.directory.parent / "decisions.jsonl"
    decisions.write_text(json.dumps({**line, "decision": "overwrite"}) + "\n", "utf-8")
    world.given["seed_decisions"] = str(decisions)
    with pytest.raises(SeedError, match=r"line 1: groups \(a\): a way down brings no row back"):
        world.downgrade("seed_0001")


def test_what_an_earlier_run_kept_is_counted_where_overwrite_takes_it(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    world = make(([groups(a=1), groups(a=2), groups(a=3)], 99, []))
    world.upgrade("seed_0001")
    world.database.execute("UPDATE groups SET size = 9")
    world.upgrade("seed_0002", "keep")
    with caplog.at_level(logging.INFO, INFO):
        world.upgrade("seed_0003", "overwrite")
    assert told(caplog)[-1] == "groups: 1 updated, 1 overwritten"


def test_a_refusal_on_the_way_says_how_far_it_has_looked(make: Make) -> None:
    world = make(([groups(a=1), groups(a=1, b=1), groups(a=1, b=1, c=1)], 99, []))
    world.upgrade("seed_0001")
    own_group(world, "b")
    world.upgrade()
    world.database.execute("UPDATE groups SET size = 9 WHERE name IN ('a', 'c')")
    with pytest.raises(ConflictError, match="from there on to seed_base may be more"):
        world.downgrade()
    with pytest.raises(ConflictError) as last:
        world.downgrade("seed_0002")
    assert "may be more" not in str(last.value)


def test_a_row_that_is_left_out_for_a_link_is_said_to_be(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    world = make(([groups(a=1), slotted("s1")], 99, []))
    world.upgrade("seed_0001")
    world.database.execute("DELETE FROM groups")
    missing = (
        r"unlinked: nodes \(x, a\): group_id leads to a row that is not there .*, so that it is left out"
    )
    with pytest.raises(ConflictError, match=missing):
        world.upgrade()
    with caplog.at_level(logging.INFO, INFO):
        world.upgrade("head", "keep")
    assert told(caplog)[-1] == "nodes: 1 left out"


def refusal(world: World, way: str, target: str) -> str:
    """What a refused run says, on one line."""
    with pytest.raises(ConflictError) as caught:
        getattr(world, way)(target)
    return " ".join(str(caught.value).split())


KEEPS = "the seed's values win, and the ledger keeps what was there; rows that others point at stay"
LOSES = (
    "the seed's values win; at seed_base the ledger goes, and what was there is kept whole by"
    " -x seed_report=FILE alone; rows that others point at stay"
)


def test_the_advice_says_where_no_ledger_keeps_what_overwrite_takes(make: Make) -> None:
    world = make(([groups(a=1), groups(a=2), groups(a=3)], 99, [False] * 3))
    world.upgrade("seed_0002")
    world.database.execute("UPDATE groups SET size = 7")
    assert KEEPS in refusal(world, "upgrade", "seed_0003")
    assert KEEPS in refusal(world, "downgrade", "seed_0001")
    assert LOSES in refusal(world, "downgrade", "seed_base")


def test_the_advice_looks_from_a_stop_to_where_the_way_ends(make: Make) -> None:
    world = make(([groups(a=1), groups(a=2, b=1)], 99, [False] * 2))
    world.upgrade("seed_0001")
    own_group(world, "b")
    world.upgrade()
    world.database.execute("UPDATE groups SET size = 7 WHERE name = 'a'")
    said = refusal(world, "downgrade", "seed_base")
    assert "from there on to seed_base may be more" in said
    assert LOSES in said


def test_a_report_keeps_all_of_what_overwrite_takes_at_seed_base(make: Make) -> None:
    world = make(([groups(a=1)],))
    world.upgrade()
    long = "\u00fcber 'all'\n" * 2_000 + "the end"
    world.database.execute("ALTER TABLE groups ADD COLUMN note TEXT")
    world.database.execute("UPDATE groups SET note = :note", note=long)
    file = world.directory.parent / "report.jsonl"
    world.given["seed_report"] = str(file)
    world.downgrade("seed_base", "overwrite")
    assert world.database.rows("SELECT * FROM groups") == []
    (line,) = [json.loads(text) for text in file.read_text("utf-8").splitlines()]
    assert (line["column"], line["found"]) == ("note", long)
