"""The laws of the engine, on generated histories, databases and edits, on every database."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from seedrail import ConflictError, SeedError
from seedrail.integration.run import SeedRun
from tests.laws.strategies import Edit, arrivals, edits, histories, signups
from tests.laws.users import apply_edits
from tests.laws.world import GROUPS, ITEMS, NODES, Make, World

POLICIES = st.sampled_from(["abort", "keep", "overwrite"])
_NEVER = object()
Rows = dict[tuple[str, Any], dict[str, Any]]


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
    world.install_schema()
    apply_edits(world, before)
    start = world.content()
    if not try_to(world.upgrade, "head", policy):
        assert world.content() == start
        return
    assert world.dangling() == []
    world.downgrade("seed_base", "abort")
    assert world.content() == start


@pytest.mark.long_on("postgresql")
@given(history=histories(), before=arrivals, policy=POLICIES, stops=st.lists(st.integers(0, 4), max_size=5))
def test_any_walk_along_the_rail_ends_in_the_database_it_started_from(
    make: Make, history: Any, before: list[Edit], policy: str, stops: list[int]
) -> None:
    world = make(history)
    world.install_schema()
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


@given(history=histories(), users=signups)
@pytest.mark.long
def test_fresh_install_equals_step_by_step_equals_up_down_up(
    make: Make, history: Any, users: list[Edit]
) -> None:
    world = make(history)
    world.upgrade("seed_base")
    apply_edits(world, users)
    unseeded = world.content()
    steps = [world.revision(number) for number in range(1, len(world.states) + 1)]
    # What was released may point at a row that a later revision deletes, or hold a value that another one
    # wants for itself: such a history has revisions that nobody reaches.
    assume(all(try_to(world.upgrade, step) for step in steps))
    stepwise = world.content()
    _assert_rows_are_those_of_the_head(world)
    world.upgrade()
    assert world.content() == stepwise
    world.downgrade()
    assert world.content() == unseeded
    world.upgrade()
    assert world.content() == stepwise
    for revision in ["seed_base", *steps][-2::-1]:
        world.downgrade(revision)
    for revision in steps:
        world.upgrade(revision)
    assert world.content() == stepwise


def _assert_rows_are_those_of_the_head(world: World) -> None:
    for table in (GROUPS, NODES, ITEMS):
        live = {str(row[0]) for row in world.database.rows(f"SELECT id FROM {table.name}")}
        wanted = world.live_ids(table.name)
        if world.database.kind == "sqlite":
            wanted = {id_.replace("-", "") for id_ in wanted}
        assert live == wanted


@pytest.mark.long_on("postgresql")
@given(history=histories(), at=st.integers(1, 4), during=edits, policy=st.sampled_from(["abort", "keep"]))
def test_edits_between_up_and_down_survive_or_the_run_refuses(
    make: Make, history: Any, at: int, during: list[Edit], policy: str
) -> None:
    world = make(history)
    at = min(at, len(world.states))
    # Not every history can be walked (see above).
    assume(try_to(world.upgrade, world.revision(at)))
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


@pytest.mark.long_on("postgresql")
@given(
    history=histories(),
    before=arrivals,
    during=edits,
    policies=st.tuples(*[st.sampled_from(["keep", "overwrite"])] * 3),
)
def test_keep_and_overwrite_refuse_only_what_a_unique_constraint_forbids(
    make: Make, history: Any, before: list[Edit], during: list[Edit], policies: tuple[str, ...]
) -> None:
    world = make(history)
    world.upgrade("seed_base")
    apply_edits(world, before)
    if not try_to(world.upgrade, world.revision(1), policies[0]):
        return
    apply_edits(world, during)
    for go, target, policy in (
        (world.upgrade, "head", policies[1]),
        (world.downgrade, "seed_base", policies[2]),
    ):
        refusal = refusal_of(go, target, policy)
        assert world.dangling() == []
        if refusal is not None:
            assert not isinstance(refusal, ConflictError)
            assert "the database refused" in str(refusal)
            assert "foreign key" not in str(refusal)
            return


@pytest.mark.long_on("postgresql")
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
            else try_to(_down, world, policy)
        )
        outcomes.append((up, middle, down, world.content()))
    assert outcomes[0] == outcomes[1]


def _down(world: World, policy: str) -> None:
    """Down to seed_base as scripts go, which cannot look into the ledger: by way of every revision."""

    def every(run: SeedRun, source: str, target: str) -> list[str]:
        between = range(run.rail.position(source) - 1, run.rail.position(target), -1)
        return [run.rail.revisions[one - 1].revision for one in between]

    with patch.object(SeedRun, "stops", every):
        world.downgrade("seed_base", policy)


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
