"""Conflicts that are decided one by one, in the file that a refused run has written, end as a policy ends."""

import json
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from seedrail import ConflictError, SeedError
from tests.laws.conftest import worlds
from tests.laws.pair import ARRIVALS, EDITS, DatabaseRefusedError, Pair, edits, live, states
from tests.laws.world import World
from tests.support.databases import Servers


def report(world: World, target: int, *, up: bool, policy: str = "abort") -> list[dict[str, Any]]:
    """What a run writes down, whether it is refused or not."""
    file = world.directory.parent / "report.jsonl"
    world.given["seed_report"] = str(file)
    with suppress(ConflictError):
        (world.upgrade if up else world.downgrade)(world.revision(target), policy)
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def decide(world: World, lines: list[dict[str, Any]], choice: Any) -> None:
    """The file comes back, with `choice(line)` for each conflict."""
    file = world.directory.parent / "decisions.jsonl"
    made = [{**line, "decision": choice(line)} for line in lines]
    file.write_text("".join(json.dumps(line) + "\n" for line in made), "utf-8")
    world.given["seed_decisions"] = str(file)


def by_policy(policy: str) -> Any:
    """As a policy would decide, which takes no row that others point at."""
    return lambda line: policy if policy in line["choices"] else "keep"


def move_decided(pair: Pair, target: int, policy: str) -> tuple[int, list[str]]:
    """Decide whatever a run asks about until it is through.

    How many conflicts were decided, and what differs from the model under the policy.
    """
    world, up = pair.world, target >= pair.at
    theirs = pair._model(target, policy)
    lines: list[dict[str, Any]] = []
    for _ in range(20):
        try:
            lines = report(world, target, up=up)
        except SeedError as error:
            raise DatabaseRefusedError(str(error)) from error
        if all(line["decision"] for line in lines):
            break
        decide(world, lines, by_policy(policy))
    else:
        raise AssertionError("it asks again and again")
    world.given.clear()
    pair.at = target
    rows = live(world)
    found = [
        f"{table}: {rows[table]}, model {theirs.rows[table]}"
        for table in rows
        if rows[table] != theirs.rows[table]
    ]
    return len(lines), found + pair._claim_differences()


BATCH = 10


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        pytest.param(
            kind, number, marks=pytest.mark.long if number or kind != "sqlite" else (), id=f"{kind}-{number}"
        )
        for kind, numbers in {"sqlite": range(24), "postgresql": range(6)}.items()
        for number in numbers
    ],
)
def test_decisions_end_as_the_policy_that_they_follow(
    servers: Servers, tmp_path: Path, kind: str, number: int
) -> None:
    decided = 0
    with servers.database(kind, tmp_path) as database, worlds(database, tmp_path) as make:
        for seed in range(number * BATCH, (number + 1) * BATCH):
            rnd = Random(seed)
            history = states(rnd, 3)
            pair = Pair(make((history, 99, [False] * len(history))))
            pair.people(edits(rnd, ARRIVALS, 6))
            for target in (rnd.randint(1, len(history)), rnd.randint(0, len(history))):
                # A way up that overwrites also decides anew what was once decided, of which nobody is asked.
                policy = "keep" if target >= pair.at else rnd.choice(["keep", "overwrite"])
                try:
                    count, found = move_decided(pair, target, policy)
                except DatabaseRefusedError:
                    break
                assert not found, (seed, found)
                decided += count
                pair.people(edits(rnd, EDITS, 3))
    assert decided > 0
