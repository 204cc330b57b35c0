"""The laws of the engine, on generated histories, databases and edits, on every database."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.seeding import ConflictError, SeedError
from tests.laws.strategies import Edit, arrivals, edits, histories
from tests.laws.users import apply_edits
from tests.laws.world import GROUPS, ITEMS, NODES, World
from tests.support.databases import DATABASES, Database, Servers

POLICIES = st.sampled_from(["abort", "keep", "overwrite"])
MEMORY = Path("/dev/shm")
_NEVER = object()
Rows = dict[tuple[str, Any], dict[str, Any]]
Make = Callable[[Any], World]


@pytest.fixture
def make(database: Database, tmp_path: Path) -> Iterator[Make]:
    """Makes a fresh world of a history; the database is emptied first."""
    with worlds(database, tmp_path) as fresh:
        yield fresh


@contextmanager
def worlds(database: Database, tmp_path: Path) -> Iterator[Make]:
    """A maker of fresh worlds on one database."""
    # Thousands of commits and files: what a disk does at each is not what is tested here.
    directory = MEMORY / uuid.uuid4().hex if MEMORY.is_dir() else tmp_path
    directory.mkdir(exist_ok=True)
    if database.path is not None:
        database.move_to(directory / "test.db")

    def fresh(history: tuple[list[Any], int]) -> World:
        database.empty()
        world = World(database, directory / "history", *history)
        world.write_history()
        return world

    yield fresh
    database.empty()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def makers(servers: Servers, tmp_path: Path) -> Iterator[list[Make]]:
    """Makers of fresh worlds, one for each kind of database."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(worlds(stack.enter_context(servers.database(kind, tmp_path)), tmp_path))
            for kind in DATABASES
        ]


def install_schema(world: World) -> None:
    """Everything but the seeds, so that a rollback ends in this very schema."""
    if world.later < len(world.states):
        world.upgrade("s2")
    world.upgrade("seed_base")


def try_to(action: Callable[..., None], *arguments: str) -> bool:
    """Whether an action went through; a refusal is a SeedError and nothing else."""
    return refusal_of(action, *arguments) is None


def refusal_of(action: Callable[..., None], *arguments: str) -> SeedError | None:
    """The error with which an action was refused, if it was."""
    try:
        action(*arguments)
    except SeedError as error:
        return error
    return None


@given(history=histories(), before=arrivals, policy=POLICIES)
def test_round_trip_down_after_up_gives_the_database_back(
    make: Make, history: Any, before: list[Edit], policy: str
) -> None:
    world = make(history)
    install_schema(world)
    apply_edits(world, before)
    start = world.content()
    if not try_to(world.upgrade, "head", policy):
        assert world.content() == start
        return
    assert world.dangling() == []
    world.downgrade("seed_base", "abort")
    assert world.content() == start


@given(history=histories(), before=arrivals, policy=POLICIES, stops=st.lists(st.integers(0, 4), max_size=5))
def test_any_walk_along_the_rail_ends_in_the_database_it_started_from(
    make: Make, history: Any, before: list[Edit], policy: str, stops: list[int]
) -> None:
    world = make(history)
    install_schema(world)
    apply_edits(world, before)
    start = world.content()
    at = 0
    for stop in stops:
        target = min(stop, len(world.states))
        go = world.upgrade if target >= at else world.downgrade
        if try_to(go, world.revision(target), policy):
            at = target
    if at:
        world.downgrade("seed_base", "abort")
    assert world.content() == start


@given(history=histories())
def test_fresh_install_equals_step_by_step_equals_up_down_up(make: Make, history: Any) -> None:
    world = make(history)
    world.upgrade()
    fresh = world.content()
    world.upgrade()
    assert world.content() == fresh
    world.downgrade()
    assert all(not rows for rows in world.content().values())
    world.upgrade()
    assert world.content() == fresh
    for number in range(len(world.states), -1, -1):
        world.downgrade(world.revision(number))
    for number in range(1, len(world.states) + 1):
        world.upgrade(world.revision(number))
    assert world.content() == fresh
    _assert_rows_are_the_state(world, world.states[-1])


def _assert_rows_are_the_state(world: World, state: Any) -> None:
    for table in (GROUPS, NODES, ITEMS):
        live = {str(row[0]) for row in world.database.rows(f"SELECT id FROM {table.name}")}
        wanted = {
            id_.replace("-", "") if world.database.kind == "sqlite" else id_ for id_ in state[table.name]
        }
        assert live == wanted


@given(history=histories(), at=st.integers(1, 4), during=edits, policy=st.sampled_from(["abort", "keep"]))
def test_edits_between_up_and_down_survive_or_the_run_refuses(
    make: Make, history: Any, at: int, during: list[Edit], policy: str
) -> None:
    world = make(history)
    at = min(at, len(world.states))
    world.upgrade(world.revision(at))
    seeded = world.rows()
    apply_edits(world, during)
    edited = world.rows()
    notes = world.content().get("notes")
    for go, target in ((world.upgrade, "head"), (world.downgrade, "seed_base")):
        before = world.content()
        if not try_to(go, target, policy):
            assert world.content() == before
            return
        assert world.content().get("notes") == notes
        assert world.dangling() == []
        assert_edits_survive(seeded, edited, world.rows())


def assert_edits_survive(seeded: Rows, edited: Rows, after: Rows) -> None:
    """Cells that users set, and rows that they added, are as they left them."""
    for key, row in edited.items():
        mine = {name for name, value in row.items() if seeded.get(key, {}).get(name, _NEVER) != value}
        if mine:
            assert key in after, f"{key} was deleted in spite of {mine}"
            for name in mine & set(after[key]):
                assert after[key][name] == row[name], (key, name)


@given(history=histories(), during=edits, policy=st.sampled_from(["keep", "overwrite"]))
def test_keep_and_overwrite_never_refuse_what_no_constraint_forbids(
    make: Make, history: Any, during: list[Edit], policy: str
) -> None:
    world = make(history)
    world.upgrade(world.revision(1))
    apply_edits(world, during)
    for go, target in ((world.upgrade, "head"), (world.downgrade, "seed_base")):
        refusal = refusal_of(go, target, policy)
        if refusal is not None:
            assert not isinstance(refusal, ConflictError)
            assert "the database refused" in str(refusal)
            return


@given(history=histories(), before=arrivals, during=edits, policy=POLICIES)
def test_offline_scripts_do_what_online_runs_do(
    make: Make, history: Any, before: list[Edit], during: list[Edit], policy: str
) -> None:
    outcomes = []
    for offline in (False, True):
        world = make(history)
        world.upgrade("seed_base")
        # A script refuses to delete where a table that no model knows points at the seeds.
        world.database.execute("DROP TABLE notes")
        apply_edits(world, before)
        span = f"seed_base:{world.head}", f"{world.head}:seed_base"
        up = (
            world.run_script(world.script("upgrade", span[0], policy))
            if offline
            else try_to(world.upgrade, "head", policy)
        )
        middle = world.content()
        apply_edits(world, during)
        down = up and (
            world.run_script(world.script("downgrade", span[1], policy))
            if offline
            else try_to(world.downgrade, "seed_base", policy)
        )
        outcomes.append((up, middle, down, world.content()))
    assert outcomes[0] == outcomes[1]


@given(history=histories(), before=arrivals, during=edits, policy=POLICIES)
def test_engines_agree_on_every_row_and_on_what_they_refuse(
    makers: list[Make], history: Any, before: list[Edit], during: list[Edit], policy: str
) -> None:
    outcomes = []
    for make in makers:
        world = make(history)
        world.upgrade("seed_base")
        apply_edits(world, before)
        up = try_to(world.upgrade, "head", policy)
        seeded = world.typed_content()
        apply_edits(world, during)
        down = up and try_to(world.downgrade, "seed_base", policy)
        outcomes.append((up, seeded, down, world.typed_content()))
    assert outcomes[0] == outcomes[1]
