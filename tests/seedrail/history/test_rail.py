"""The seed rail, read from histories that are made for each test."""

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from app.features.catalog import seed_catalog
from seedrail import SEED_BASE, ChangeFileError, Rail, RailError
from seedrail.documents.documents import read_rows
from seedrail.history.changefile import Header, encode, sha256
from seedrail.history.changes import diff
from tests.seedrail.history.test_changefile import named
from tests.seedrail.history.test_changes import State, plain

TABLES = seed_catalog().tables


class History:
    """Revision files in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "versions").mkdir()
        (folder / "seeds").mkdir()
        self.digests = {SEED_BASE: ""}
        self.state: State = {}

    def revision(self, name: str, down: str | tuple[str, ...] | None, **pins: object) -> None:
        lines = [f"revision = {name!r}", f"down_revision = {down!r}", "branch_labels = depends_on = None"]
        lines += [f"{pin} = {value!r}" for pin, value in pins.items()]
        (self.folder / "versions" / f"{name}.py").write_text("\n".join(lines) + "\n")

    def seed(self, name: str, state: State, parent: str, *, schema: str | None = None) -> None:
        """A seed revision that leads to a state."""
        state = named(state)
        header = Header(name, parent, self.digests[parent], TABLES)
        content, suffix = encode(header, diff(self.state, state), self.state)
        (self.folder / "seeds" / f"{name}{suffix}").write_bytes(content)
        self.digests[name], self.state = sha256(content), state
        down = (parent, schema) if schema else parent
        self.revision(name, down, seed_changes=f"{name}{suffix}", seed_sha256=self.digests[name])

    @property
    def rail(self) -> Rail:
        config = Config()
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        return Rail(ScriptDirectory.from_config(config))


STATES: list[State] = [
    {"machines": {"a": {"name": "a", "site": "x", "notes": None}}},
    {"machines": {"a": {"name": "a", "site": "y", "notes": "n"}, "b": {"name": "b", "site": "x"}}},
    {"machines": {"b": {"name": "b", "site": "x"}}},
]


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Two schema revisions, seed_base between them, and three seed revisions."""
    made = History(tmp_path)
    made.revision("0001", None)
    made.revision(SEED_BASE, "0001")
    made.revision("0002", "0001")
    made.seed("seed_0001", STATES[0], SEED_BASE)
    made.seed("seed_0002", STATES[1], "seed_0001", schema="0002")
    made.seed("seed_0003", STATES[2], "seed_0002")
    return made


def test_the_rail_is_the_line_of_seed_revisions(history: History) -> None:
    rail = history.rail
    assert rail.exists
    assert [one.revision for one in rail.revisions] == ["seed_0001", "seed_0002", "seed_0003"]
    assert [one.parent for one in rail.revisions] == [SEED_BASE, "seed_0001", "seed_0002"]
    assert (rail.head, rail.schema_heads(), rail.next_revision()) == ("seed_0003", ["0002"], "seed_0004")
    assert [rail.position(one) for one in (SEED_BASE, "seed_0001", "seed_0003")] == [0, 1, 3]
    assert rail.parent_of("seed_0001") == SEED_BASE
    assert rail.tables_at("seed_0002") == TABLES
    assert rail.tables_at(SEED_BASE) == {}
    rail.verify(rail.revisions)


def test_a_history_without_seeds_has_no_rail(tmp_path: Path) -> None:
    made = History(tmp_path)
    made.revision("0001", None)
    rail = made.rail
    assert not rail.exists
    assert (rail.revisions, rail.head, rail.next_revision()) == ((), SEED_BASE, "seed_0001")


def test_a_rail_without_revisions_begins_at_its_base(tmp_path: Path) -> None:
    made = History(tmp_path)
    made.revision("0001", None)
    made.revision(SEED_BASE, "0001")
    rail = made.rail
    assert rail.exists
    assert rail.head == SEED_BASE
    assert rail.state_at(SEED_BASE) == {}
    assert list(rail.net_changes(SEED_BASE, SEED_BASE)) == []


def test_the_state_at_a_revision_is_the_fold_of_its_change_files(history: History) -> None:
    rail = history.rail
    assert plain(rail.state_at(SEED_BASE)) == {}
    for revision, state in zip(["seed_0001", "seed_0002", "seed_0003"], STATES, strict=True):
        assert plain(rail.state_at(revision)) == plain(named(state))
        assert rail.state_at(revision).keys() >= TABLES.keys()


def test_the_changes_between_any_two_revisions_are_the_difference_of_their_states(history: History) -> None:
    rail = history.rail
    revisions = [SEED_BASE, "seed_0001", "seed_0002", "seed_0003"]
    states = dict(zip(revisions, [{}, *map(named, STATES)], strict=True))
    for source in revisions:
        for target in revisions:
            found = sorted((c.seed_row, c.kind) for c in rail.net_changes(source, target))
            expected = [(c.seed_row, c.kind) for c in diff(states[source], states[target])]
            assert found == expected


def test_the_shipped_rail_leads_to_the_shipped_documents() -> None:
    from app.core.migration import alembic_config

    rail = Rail(ScriptDirectory.from_config(alembic_config()))
    rail.verify(rail.revisions)
    assert list(diff(rail.state_at(rail.head), read_rows(seed_catalog()))) == []


def test_seed_revisions_that_both_follow_one_are_refused_with_what_to_do(history: History) -> None:
    history.seed("seed_0004", STATES[0], "seed_0002")
    with pytest.raises(RailError, match=r"branches.*seed_0003.*seed_0004.*\n  two people"):
        _ = history.rail.revisions


def test_a_seed_revision_that_follows_two_or_none_is_refused(history: History) -> None:
    history.revision("seed_0004", ("seed_0002", "seed_0003"), seed_changes="x", seed_sha256="x")
    with pytest.raises(RailError, match=r"seed_0004 must follow exactly one other .* seed_000., seed_000."):
        _ = history.rail.revisions
    history.revision("seed_0004", "0002", seed_changes="x", seed_sha256="x")
    with pytest.raises(RailError, match=r"seed_0004 must follow exactly one other .* follows none"):
        _ = history.rail.revisions


@pytest.mark.parametrize(
    "pins",
    [
        {"seed_sha256": "x"},
        {"seed_sha256": "x", "seed_changes": 5},
        {"seed_sha256": None, "seed_changes": "x"},
    ],
)
def test_a_seed_revision_that_pins_no_file_is_named(history: History, pins: dict) -> None:
    history.revision("seed_0004", "seed_0003", **pins)
    with pytest.raises(RailError, match=r"seed_0004 does not pin a change file: .*seed_0004\.py must set"):
        _ = history.rail.revisions


def test_schema_heads_are_uncovered_until_the_rail_follows_them(history: History) -> None:
    assert history.rail.uncovered() == []
    history.revision("0003", "0002")
    history.revision("0004", "0002")
    assert set(history.rail.schema_heads()) == set(history.rail.uncovered()) == {"0003", "0004"}
    history.seed("seed_0004", STATES[0], "seed_0003", schema="0003")
    assert set(history.rail.schema_heads()) == {"0003", "0004"}
    assert history.rail.uncovered() == ["0004"]


def test_an_unknown_revision_is_of_another_version_of_the_project(history: History) -> None:
    with pytest.raises(RailError, match="no seed revision 'seed_0009' in this history"):
        history.rail.position("seed_0009")
    with pytest.raises(RailError, match="no seed revision '0002'"):
        history.rail.state_at("0002")


def test_nothing_lies_below_the_base(history: History) -> None:
    with pytest.raises(RailError, match="no seed revision lies below seed_base"):
        history.rail.parent_of(SEED_BASE)


def test_the_next_number_is_above_the_highest_and_not_the_last(history: History) -> None:
    history.seed("seed_9999", {}, "seed_0003")
    assert history.rail.next_revision() == "seed_10000"
    history.seed("by_hand", STATES[0], "seed_9999")
    assert history.rail.next_revision() == "seed_10000"
    assert history.rail.head == "by_hand"


def test_a_changed_file_is_refused_and_so_is_one_made_from_another_parent(history: History) -> None:
    # Somebody makes seed_0002 again: its own pin is right, but seed_0003 was made from the one before.
    history.state = named(STATES[0])
    history.seed("seed_0002", STATES[2], "seed_0001", schema="0002")
    rail = history.rail
    rail.verify(rail.between(SEED_BASE, "seed_0002"))
    with pytest.raises(ChangeFileError) as caught:
        rail.verify(rail.revisions)
    assert caught.value.file == "seed_0003.jsonl"
    assert "was made from another parent than seed_0002 as it is now" in str(caught.value)
    assert "delete revision seed_0003 with its change file and generate it again" in str(caught.value)

    path = history.folder / "seeds" / "seed_0001.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"x"', b'"z"'))
    with pytest.raises(ChangeFileError, match=r"seed_0001\.jsonl: its bytes do not match"):
        rail.verify(rail.revisions)


def test_a_file_of_another_place_on_the_rail_is_refused(history: History) -> None:
    # seed_0003 with the pins of seed_0002: its bytes are as pinned, and still not its own.
    history.revision(
        "seed_0003", "seed_0002", seed_changes="seed_0002.jsonl", seed_sha256=history.digests["seed_0002"]
    )
    rail = history.rail
    with pytest.raises(ChangeFileError, match="belongs to revision 'seed_0002', not 'seed_0003'"):
        rail.verify(rail.revisions)
