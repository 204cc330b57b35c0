"""A squash changes no database: each state that the old history could make goes on as it would have gone.

Each story is told twice, with the history as it was and with one that is squashed in the middle of it, and
all that the databases hold is compared, their ledgers included.
"""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
from alembic.util import CommandError
from hypothesis import assume, given
from hypothesis import strategies as st

from seedrail.errors import StateError
from tests.laws.pair import ARRIVALS, EDITS
from tests.laws.pair import edits as edits_of
from tests.laws.pair import states as random_states
from tests.laws.strategies import Edit, arrivals, edits, histories
from tests.laws.test_jumps import expect
from tests.laws.test_laws import POLICIES, refusal_of
from tests.laws.users import apply_edits
from tests.laws.world import Make, World

Told = list[Any]


@dataclass(frozen=True)
class Story:
    """Somebody's rows, the way up to a state, edits, then (perhaps) the squash, and the ways up and down."""

    before: list[Edit]
    at: int
    up: list[str]
    edits: list[Edit]
    then: list[Edit]
    down: int
    policies: tuple[str, str, str]


def stories() -> Any:
    return st.builds(
        Story,
        arrivals,
        st.integers(0, 4),
        st.lists(POLICIES, min_size=1, max_size=4),
        edits | st.just([]),
        edits | st.just([]),
        st.integers(0, 4),
        st.tuples(POLICIES, POLICIES, POLICIES),
    )


def held(world: World) -> dict[str, Any]:
    """All that the database holds, its ledger with it; when something was applied is nobody's concern."""
    claims = "SELECT table_name, seed_id, column_name, position, value, stands, live_id FROM seed_claims"
    return {
        "rows": world.rows(),
        "claims": sorted(map(repr, map(tuple, world.database.rows(claims + " ORDER BY ordinal")))),
        "state": sorted(map(tuple, world.database.rows("SELECT seed_set, revision, sha256 FROM seed_state"))),
        "version": sorted(map(tuple, world.database.rows("SELECT version_num FROM alembic_version"))),
    }


def told(world: World, action: Callable[..., None], *arguments: str) -> tuple[Any, ...]:
    """What an action came to: what it was refused for, and what the database holds then."""
    try:
        action(*arguments)
    except CommandError as refused:
        # Alembic's own, too: a run may have been refused that a later way down counts on.
        return str(refused), held(world)
    return "", held(world)


def begin(world: World, story: Story) -> None:
    """The part of a story that comes before the squash."""
    world.install_schema()
    apply_edits(world, story.before)
    for step, policy in zip(range(1, min(story.at, len(world.states)) + 1), story.up * 4, strict=False):
        if refusal_of(world.upgrade, world.revision(step), policy):
            break
    apply_edits(world, story.edits)


def go_on(world: World, story: Story, ways: "World | Restoring | None" = None) -> Told:
    """The part of a story that comes after the squash."""
    (first, second, third), ways = story.policies, ways or world
    found = [told(world, ways.upgrade, "head", first)]
    apply_edits(world, story.then)
    found.append(told(world, ways.downgrade, world.revision(min(story.down, len(world.states))), second))
    found.append(told(world, ways.downgrade, "seed_base", third))
    found.append(told(world, ways.upgrade, "head", "keep"))
    found.append(told(world, ways.downgrade, "seed_base", "keep"))
    return found


def as_it_was(make: Make, history: Any, story: Story) -> Told:
    """The story with a history that nobody squashed."""
    world = make(history)
    begin(world, story)
    return go_on(world, story)


@dataclass
class Restoring:
    """A world without the old change files, in which they are put back when a run asks for them."""

    world: World
    files: dict[Path, bytes]

    def upgrade(self, target: str, policy: str) -> None:
        self._go(self.world.upgrade, target, policy)

    def downgrade(self, target: str, policy: str) -> None:
        self._go(self.world.downgrade, target, policy)

    def _go(self, action: Callable[..., None], *arguments: str) -> None:
        before = held(self.world)
        try:
            action(*arguments)
        except StateError as refused:
            if "of the change files that lead there are gone" not in str(refused):
                raise
            expect(held(self.world), before)
            for path, content in self.files.items():
                path.write_bytes(content)
            action(*arguments)


@given(history=histories(), story=stories(), stays=st.integers(0, 2))
@pytest.mark.long_on("postgresql")
def test_each_state_goes_on_as_it_would_have_gone(make: Make, history: Any, story: Story, stays: int) -> None:
    stays = stays if len(history[0]) - stays >= 2 else 0
    assume(len(history[0]) >= 2)
    expected = as_it_was(make, history, story)
    world = make(history)
    begin(world, story)
    world.squash(world.revision(len(history[0]) - stays + 1) if stays else None)
    assert go_on(world, story) == expected


@given(history=histories(), story=stories())
@pytest.mark.long_on("postgresql")
def test_without_the_old_files_a_seeded_database_goes_on_alike_or_asks_for_them(
    make: Make, history: Any, story: Story
) -> None:
    """What a run asks for are the states that it needs; with the files it goes on as it would have gone."""
    assume(len(history[0]) >= 2)
    story = replace(story, at=max(story.at, 1), down=0)
    expected = as_it_was(make, history, story)
    world = make(history)
    begin(world, story)
    world.squash()
    seeded = bool(world.database.scalar("SELECT count(*) FROM seed_state"))
    assume(seeded)
    ways = Restoring(world, world.finish_squash())
    found = go_on(world, story, ways)
    assert found[:3] == expected[:3]
    # The way up once more, from nothing, may be by the squashed revision, which claims at its first position:
    # a way back has no stops then, at one of which the old one may come to a constraint.
    assert found[3][1]["rows"] == expected[3][1]["rows"]
    assert found[4] == expected[4] or expected[4][0]


@given(history=histories(), before=arrivals, policy=POLICIES)
@pytest.mark.long_on("postgresql")
def test_a_new_database_goes_by_the_squashed_revision_alone_and_back(
    make: Make, history: Any, before: list[Edit], policy: str
) -> None:
    assume(len(history[0]) >= 2)
    world = make(history)
    world.install_schema()
    apply_edits(world, before)
    start = world.content()
    if refusal_of(world.upgrade, "head", policy):
        return
    up = world.rows()
    world.downgrade("seed_base", "abort")
    assert world.content() == start
    world.squash()
    gone = world.finish_squash()
    for files in ({}, gone):
        world.upgrade("head", policy)
        assert world.rows() == up
        # Also by the old files, if they are back by then.
        for path, content in files.items():
            path.write_bytes(content)
        world.downgrade("seed_base", "abort")
        assert world.content() == start


LENGTH = 63
STATES_AT = [
    pytest.param([0, 31, 62], id="some"),
    pytest.param(range(LENGTH + 1), id="all", marks=pytest.mark.long),
]


@pytest.mark.parametrize("ats", STATES_AT)
def test_63_revisions_squash_to_one_and_a_database_at_each_of_them_goes_on(
    make: Make, ats: Iterable[int]
) -> None:
    """With a schema revision in the middle, somebody's rows in the way, and edits before and after."""
    states = next(made for seed in count() if len(made := random_states(Random(seed), LENGTH)) == LENGTH)
    world = make((states, 31))
    old = [path for path in (world.directory / "versions").iterdir() if path.name.startswith("seed_0")]
    assert len(old) == LENGTH
    squashed = replace(world, directory=world.directory.with_name("squashed"))
    shutil.copytree(world.directory, squashed.directory)
    squashed.squash()
    names = sorted(path.name for path in (squashed.directory / "versions").glob("seed_0*.py"))
    assert names == ["seed_0063_squash.py"]
    for at in ats:
        rnd = Random(at)
        first, second, third = rnd.choices(["keep", "overwrite"], k=3)
        before, now, then = (edits_of(rnd, kinds, 6) for kinds in (ARRIVALS, EDITS, EDITS))
        story = Story(before, at, [], now, then, 0, (first, second, third))
        found = []
        for one in (world, squashed):
            one.database.empty()
            world.install_schema()
            apply_edits(world, story.before)
            if at:
                world.upgrade(world.revision(at), first)
            apply_edits(world, story.edits)
            found.append(go_on(one, story))
        assert found[1] == found[0], at
        assert found[0][0][0] == ""
