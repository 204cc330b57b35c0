"""Runs the contenders: every round measures each of them once, in another order, each in its own process."""

import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from benchmarks import rows
from benchmarks.contender import FILES, Contender, Task, native
from benchmarks.hosts import Host
from benchmarks.results import Results, Sample
from benchmarks.trees import Trees, environment, make_trees, run


@dataclass(frozen=True)
class State:
    """What a database may start from: a project and a revision, then people's edits, then another command.

    `edited` says of which tables every how many rows were edited.
    """

    tree: str
    target: str
    edited: Mapping[str, int] = field(default_factory=dict)
    then: tuple[str, ...] = ()


def _every(number: int) -> Mapping[str, int]:
    return dict.fromkeys(rows.EDITED, number)


STATES = {
    "schema": State("plain", "seed_base"),
    "seeded": State("plain", "head"),
    "bare": State("bare", "head"),
    "edited-10": State("plain", "head", _every(10)),
    "edited-1": State("plain", "head", _every(100)),
    # A rollback left what was edited: every second simulation is a row in ten.
    "left-10": State(
        "plain", "head", {"simulations": 2}, ("-x", "seed_conflict=keep", "downgrade", "seed_base")
    ),
}
"""The states that databases start from."""


@dataclass(frozen=True)
class Stand:
    """Everything that the measurements of one size start from: projects, and databases by kind and state."""

    trees: Trees
    states: Mapping[tuple[str, str], str]

    @property
    def size(self) -> int:
        """How many simulations the documents have."""
        return self.trees.size


def build_stand(
    folder: Path, project: Path, size: int, hosts: Mapping[str, Host], kinds: Iterable[str]
) -> Stand:
    """Generate the documents, make their history, and fill the databases that rounds copy."""
    scratch = hosts["sqlite"].create()
    trees = make_trees(folder, project, size, scratch)
    hosts["sqlite"].drop(scratch)
    states = {}
    for kind in {*kinds, "sqlite"}:
        for state, made in STATES.items():
            url = states[kind, state] = hosts[kind].create()
            run(trees.path(made.tree), url, "alembic", "upgrade", made.target)
            for table, number in made.edited.items():
                rows.edit(kind, native(url), table, number)
            if made.then:
                run(trees.path(made.tree), url, "alembic", *made.then)
            if made.target == "head" and made.tree == "plain":
                # Never empty tables: once ANALYZE has called them empty, the plans of foreign keys scan them.
                hosts[kind].settle(url)
    for state in STATES:
        # What needs no database has one all the same, for its commands to look at.
        states[FILES[0], state] = states["sqlite", state]
    return Stand(trees, states)


def drop_stand(stand: Stand, hosts: Mapping[str, Host]) -> None:
    """Make room for the next size."""
    for (kind, _), url in stand.states.items():
        if kind in hosts:
            hosts[kind].drop(url)


def skipped(contender: Contender, size: int) -> str | None:
    """Why a contender is not tried at a size, or None."""
    for module in contender.needs:
        if find_spec(module) is None:
            return f"{module} is not installed"
    if contender.largest is not None and size > contender.largest:
        return f"too slow: tried up to {contender.largest:,} simulations"
    return None


class Round:
    """The measurements of one size."""

    def __init__(
        self, stand: Stand, hosts: Mapping[str, Host], results: Results, timeout: float, folder: Path
    ) -> None:
        self.stand, self.hosts, self.results = stand, hosts, results
        self.timeout, self.folder = timeout, str(folder)

    def run(self, pairs: list[tuple[Contender, str]], number: int, report: Callable[[str], None]) -> None:
        """Measure each pair of a contender and a kind once, or as often as its `repeats` says."""
        repeated = [pair for pair in pairs for _ in range(pair[0].repeats)]
        random.Random(number).shuffle(repeated)  # noqa: S311 -- an order that can be repeated
        for contender, kind in repeated:
            if self.results.failed(contender.name, kind, self.stand.size):
                continue
            try:
                sample = self._measure(contender, kind)
            except (subprocess.SubprocessError, RuntimeError, ValueError) as error:
                reason = self._shown(error)
                self.results.leave_out(contender.name, kind, self.stand.size, reason)
                report(f"{contender.name} on {kind} failed: {reason}")
            else:
                self.results.add(contender.name, kind, self.stand.size, sample)

    def _measure(self, contender: Contender, kind: str) -> Sample:
        start = self.stand.states[kind, contender.start]
        if not contender.writes:
            return self._timed(contender, kind, start)
        url = self.hosts[kind].copy(start)
        try:
            return self._timed(contender, kind, url)
        finally:
            self.hosts[kind].drop(url)

    def _timed(self, contender: Contender, kind: str, url: str) -> Sample:
        tree = self.stand.trees.path(contender.tree)
        if contender.command:
            began = time.perf_counter()
            self._process(tree, url, contender.command)
            return Sample(time.perf_counter() - began)
        seeded = self.stand.states[kind, "seeded"]
        task = Task(contender.name, kind, url, seeded, self.stand.size)
        out = self._process(tree, url, ("-m", "benchmarks.child"), json.dumps(task.to_json()))
        found = json.loads(out.splitlines()[-1])
        return Sample(found["seconds"], found["peak_bytes"])

    def _process(self, tree: Path, url: str, arguments: tuple[str, ...], given: str = "") -> str:
        done = subprocess.run(  # noqa: S603 -- this interpreter, with arguments of this package
            [sys.executable, *arguments],
            cwd=tree,
            env=environment(url),
            input=given,
            capture_output=True,
            text=True,
            timeout=self.timeout,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(_reason(done.stderr))
        return done.stdout

    def _shown(self, error: Exception) -> str:
        """The reason without the folder that everything lies in."""
        if isinstance(error, subprocess.TimeoutExpired):
            return f"took more than {self.timeout:.0f} s"
        return str(error).replace(self.folder, "…")[:300]


def pairs_of(
    contenders: Iterable[Contender], kinds: Iterable[str], size: int, results: Results
) -> Iterator[tuple[Contender, str]]:
    """What is measured at a size; what is not is recorded with its reason."""
    for contender in contenders:
        for kind in (*kinds, *FILES):
            if kind not in contender.kinds:
                continue
            reason = skipped(contender, size)
            if reason is None:
                yield contender, kind
            else:
                results.leave_out(contender.name, kind, size, reason)


def _reason(text: str) -> str:
    """The line of a process's last words that names the error, or the last one."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    return (named or lines or ["it said nothing"])[-1]
