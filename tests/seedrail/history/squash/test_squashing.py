"""A squash of histories that are made for each test: what it holds, what it follows, and what it refuses."""

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.util import CommandError

from seedrail import SEED_BASE, ChangeFileError, Rail, RailError, SeedError
from seedrail.errors import OptionError, SetupError, StateError
from seedrail.history.squash.squashing import squashed
from seedrail.history.squash.writing import finish, write_squash
from tests.laws.world import TEMPLATE
from tests.seedrail.history.test_rail import STATES, History


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Two schema revisions, the second below seed_0002, and three seed revisions."""
    made = History(tmp_path)
    made.revision("0001", None)
    made.revision(SEED_BASE, "0001")
    made.revision("0002", "0001")
    made.seed("seed_0001", STATES[0], SEED_BASE)
    made.seed("seed_0002", STATES[1], "seed_0001", schema="0002")
    made.seed("seed_0003", STATES[2], "seed_0002")
    (tmp_path / "env.py").write_text("")
    (tmp_path / "script.py.mako").write_text(TEMPLATE)
    # Revisions of these tests have no functions, which a rail needs to be in order.
    moves = "".join(f"def {way}():\n    op.{way}_seeds(revision)\n" for way in ("upgrade", "downgrade"))
    for path in (tmp_path / "versions").glob("seed_0*.py"):
        path.write_text("from alembic import op\n" + path.read_text() + moves)
    return made


def config(history: History) -> Config:
    config = Config()
    config.set_main_option("script_location", str(history.folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def squash(history: History, before: str | None = None) -> Rail:
    write_squash(config(history), squashed(history.rail, before), "squash")
    return history.rail


def files(history: History) -> dict[str, bytes]:
    found = (path for path in history.folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(history.folder)): path.read_bytes() for path in found}


def test_it_follows_seed_base_and_the_newest_schema_that_the_others_followed(history: History) -> None:
    script = squash(history).history.by_id["seed_0003"]
    assert set(script.down_revision or ()) == {SEED_BASE, "0002"}
    assert sorted(path.name for path in (history.folder / "versions").glob("seed_0*")) == [
        "seed_0003_squash.py"
    ]


@pytest.mark.parametrize("there", ["with the old files", "without"])
def test_states_digests_and_positions_are_what_they_were(history: History, there: str) -> None:
    before = history.rail
    known = before.state_at("seed_0003"), before.sha256_of("seed_0003"), before.position("seed_0003")
    after = squash(history)
    if there == "without":
        finish(after)
        after = history.rail
    assert (after.state_at("seed_0003"), after.sha256_of("seed_0003"), after.position("seed_0003")) == known
    assert after.next_revision() == before.next_revision()
    assert (after.parent_of("seed_0003"), after.orphans()) == (SEED_BASE, [])
    after.check()
    after.verify(after.revisions)


def test_the_same_history_gives_the_same_bytes(history: History) -> None:
    assert squashed(history.rail).content == squashed(history.rail).content


def test_revisions_from_one_on_stay_as_they_are(history: History) -> None:
    stays = (history.folder / "versions" / "seed_0003.py").read_bytes()
    rail = squash(history, "seed_0003")
    assert rail.history.heads_of(rail.history.by_id) == ["seed_0003"]
    assert rail.parent_of("seed_0003") == "seed_0002"
    assert (history.folder / "versions" / "seed_0003.py").read_bytes() == stays
    finish(rail)
    rail = history.rail
    rail.verify(rail.revisions)
    assert [rail.position(one.revision) for one in rail.revisions] == [2, 3]


def test_a_squashed_revision_is_squashed_again_with_what_follows_it(history: History) -> None:
    state = history.rail.state_at("seed_0003")
    squash(history, "seed_0003")
    rail = squash(history)
    assert rail.history.squash is not None
    assert rail.history.squash.every == ("seed_0001", "seed_0002", "seed_0003")
    assert [one.replaces for one in rail.history.squash.replaces] == [(), (), ()]
    assert not (history.folder / "seeds" / "seed_0002.squashed.jsonl").exists()
    assert rail.state_at("seed_0003") == state


def test_so_it_is_where_the_first_ones_files_are_gone(history: History) -> None:
    state, digest = history.rail.state_at("seed_0003"), history.rail.sha256_of("seed_0003")
    finish(squash(history, "seed_0003"))
    rail = squash(history)
    assert [rail.position(one.revision) for one in rail.revisions] == [2, 3]
    assert (rail.state_at("seed_0003"), rail.sha256_of("seed_0003")) == (state, digest)
    with pytest.raises(StateError, match=r"'?seed_0001'? was squashed into seed_0003"):
        rail.position("seed_0001")
    finish(rail)
    rail = history.rail
    assert [rail.position(one.revision) for one in rail.revisions] == [3]
    assert rail.at(1) == "seed_0001"
    assert rail.state_at("seed_0003") == state


def test_a_line_of_a_row_that_was_released_says_so(history: History) -> None:
    rail = history.rail
    assert squashed(rail).released == 0
    text = squashed(rail).content.decode()
    assert text.count("\n") == 1 + squashed(rail).rows


@pytest.mark.parametrize(
    ("before", "error", "words"),
    [
        ("seed_0001", SetupError, "there is no seed revision below seed_0001"),
        ("seed_0002", SetupError, "seed_0001 is the only seed revision below seed_0002"),
        ("0002", OptionError, "0002 is not a revision with seeds"),
        ("", OptionError, "'' names no revision"),
        ("seed_000", OptionError, "seed_000 may be any of"),
    ],
)
def test_what_leaves_nothing_to_squash_is_refused(
    history: History, before: str, error: type[SeedError], words: str
) -> None:
    with pytest.raises(error, match=words):
        squashed(history.rail, before)


def test_an_edited_change_file_is_refused_and_nothing_is_written(history: History) -> None:
    path = history.folder / "seeds" / "seed_0002.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"y"', b'"z"'))
    before = files(history)
    with pytest.raises(ChangeFileError, match="its bytes do not match the digest"):
        squash(history)
    assert files(history) == before


def test_a_revision_that_stays_and_depends_on_one_that_goes_is_named(history: History) -> None:
    path = history.folder / "versions" / "seed_0003.py"
    path.write_text(path.read_text().replace("depends_on = None", 'None\ndepends_on = "seed_0001"'))
    with pytest.raises(RailError, match=r"seed_0003.py names seed_0001, which would be squashed"):
        squashed(history.rail, "seed_0003")


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (TEMPLATE.replace('${imports if imports else ""}', ""), "script.py.mako leaves out"),
        ("${no_such_name}", "Template rendering failed"),
    ],
)
def test_a_template_that_fails_leaves_all_as_it_was(history: History, template: str, words: str) -> None:
    (history.folder / "script.py.mako").write_text(template)
    before = files(history)
    with pytest.raises(CommandError, match=words):
        squash(history)
    assert files(history) == before


def test_an_interrupted_squash_is_told_as_one_until_its_last_file_is_gone(history: History) -> None:
    last = history.folder / "versions" / "seed_0003.py"
    text = last.read_text()
    squash(history)
    last.write_text(text)
    with pytest.raises(SeedError, match=r"a squash was interrupted.*\n.*delete seed_0003_squash.py with its"):
        history.rail.check()


def test_files_go_in_their_order_so_that_the_last_is_missed_last(history: History) -> None:
    assert [path.name for path in squashed(history.rail).going] == [f"seed_000{n}.py" for n in (1, 2, 3)]


def test_what_the_header_says_is_held_against_the_revision(history: History) -> None:
    squash(history)
    path = history.folder / "versions" / "seed_0003_squash.py"
    # Of another length: Python tells what it has compiled by size and second.
    path.write_text(path.read_text().replace("seed_replaces = 3", "seed_replaces = 2  # edited"))
    with pytest.raises(ChangeFileError, match="stands for 3 revisions, where seed_0003 says 2"):
        history.rail.check()


def test_an_edited_file_of_a_squashed_revision_is_refused_by_whatever_is_asked(history: History) -> None:
    squash(history)
    path = history.folder / "seeds" / "seed_0003.squashed.jsonl"
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(ChangeFileError, match="do not match the digest"):
        history.rail.check()


@pytest.mark.parametrize("way", ["never squashed", "twice"])
def test_there_is_nothing_to_finish_before_a_squash_or_after_it_was_finished(
    history: History, way: str
) -> None:
    rail = history.rail
    if way == "twice":
        finish(squash(history))
        rail = history.rail
    with pytest.raises(SetupError, match=r"no seed revision of this history|are gone already"):
        finish(rail)
