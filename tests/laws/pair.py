"""The engine and the model on the same world: the same moves under the same policies, compared after each."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any
from unittest.mock import patch
from uuid import UUID

import sqlalchemy as sa

import seedrail.merge.move
from seedrail import ConflictError, SeedError
from seedrail.merge.decide.cells import cells
from seedrail.merge.ledger import seed_claims
from seedrail.merge.plan import Plan
from tests.laws.model import Base, Conflict, History, Link, RefusedError, Table, move
from tests.laws.strategies import Edit
from tests.laws.users import apply_edits
from tests.laws.world import GROUPS, ITEMS, NODES, USERS, State, World, group_id, item_id, node_id, user_id

TABLES = {
    "groups": Table(
        "groups", ("name", "size", "owner_id"), ("name",), {"owner_id": Link("users", optional=True)}
    ),
    "nodes": Table(
        "nodes",
        ("name", "group_id", "parent_id", "slot", "body", "hits"),
        ("name", "group_id"),
        {"group_id": Link("groups", required=True), "parent_id": Link("nodes")},
    ),
    "items": Table(
        "items", ("node_id", "name", "amount"), ("node_id", "name"), {"node_id": Link("nodes", required=True)}
    ),
}
POINTING = [("notes", "node", "nodes")]
NOTES = sa.table("notes", sa.column("text"), sa.column("node", sa.Uuid()))
SAME = {"edited before": "edited row", "edited since": "edited row"}
"""The engine's kinds of conflicts that the model has under another name."""


def rail(states: Sequence[State]) -> History:
    """The world's history as the model's."""
    return History(
        TABLES,
        [{}]
        + [
            {(table, id_): frozen(row) for table in TABLES for id_, row in state[table].items()}
            for state in states
        ],
        POINTING,
    )


def frozen(row: Any) -> dict[str, Any]:
    """A row in the model's form: ids as text, documents as their JSON."""
    values = {
        name: str(v) if name == "id" or name.endswith("_id") or name == "node" else v
        for name, v in row.items()
        if v is not None
    }
    if "body" in values:
        values["body"] = json.dumps(values["body"], sort_keys=True)
    return {name: values.get(name) for name in row}


def live(world: World) -> dict[str, dict[Any, dict[str, Any]]]:
    """The world's rows as the model's."""
    found: dict[str, dict[Any, dict[str, Any]]] = {}
    with world.database.engine.connect() as connection:
        for table in (USERS, GROUPS, NODES, ITEMS):
            columns = ["id", *(TABLES[table.name].columns if table.name in TABLES else ["name"])]
            rows = connection.execute(sa.select(*(table.c[name] for name in columns))).mappings()
            made = [frozen(row) for row in rows]
            found[table.name] = {row.pop("id"): row for row in made}
        notes = [frozen(row) for row in connection.execute(sa.select(NOTES)).mappings()]
        found["notes"] = {str(note): note for note in notes}
    return found


@dataclass
class Outcome:
    """How a move ended: whether it was refused, what it asked about, and the rows then."""

    refused: bool
    asked: set[Conflict]
    rows: dict[str, dict[Any, dict[str, Any]]]

    def differences(self, other: "Outcome") -> list[str]:
        """What differs, this one being the engine's."""
        lines = [] if self.refused == other.refused else [f"refused: {self.refused}, model {other.refused}"]
        lines += [
            f"asked by {who} alone: {one.kind} {one.row[0]} {one.column}".strip()
            for who, more in (("engine", self.asked - other.asked), ("model", other.asked - self.asked))
            for one in sorted(more, key=repr)
        ]
        for table, rows in self.rows.items():
            theirs = other.rows[table]
            for id_ in {**rows, **theirs}:
                if rows.get(id_) != theirs.get(id_):
                    lines.append(f"{table}: {rows.get(id_)}, model {theirs.get(id_)}")
        return lines


def claimed(value: Any) -> Any:
    """A claim's value as text: ids without hyphens, documents and numbers as JSON has them."""
    if value is None:
        return None
    text = str(value)
    try:
        return UUID(text).hex
    except ValueError:
        pass
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return text


class DatabaseRefusedError(Exception):
    """A unique constraint of the database stood in the way, which the model does not know."""


@dataclass
class Pair:
    """A world at seed_base, and the model of it; `live` is read again after people wrote."""

    world: World
    at: int = 0
    base: Base = field(default_factory=lambda: Base({}))
    asked: tuple[set[Conflict], set[Conflict]] = field(default_factory=lambda: (set(), set()))
    """What the engine and the model asked about in the last move."""

    def __post_init__(self) -> None:
        self.rail = rail(self.world.states)
        self.world.install_schema()
        self.read()

    def read(self) -> None:
        """Take over what people did."""
        self.base = Base(live(self.world), self.base.claims, self.base.position)

    def people(self, edits: Sequence[Edit]) -> None:
        """People work in the database."""
        apply_edits(self.world, list(edits))
        self.read()

    def sql(self, *statements: sa.Executable) -> None:
        """People work in the database, by their own statements."""
        with self.world.user() as connection:
            for statement in statements:
                connection.execute(statement)
        self.read()

    def move(self, target: int, policy: str = "abort") -> list[str]:
        """Move both; what differs then."""
        ours, theirs = self._engine(target, policy), self._model(target, policy)
        self.asked = ours.asked, theirs.asked
        return ours.differences(theirs) + self._claim_differences()

    def _claim_differences(self) -> list[str]:
        """What the ledger and the model's claims differ in, cell by cell, each in the order of the pushes."""
        ours: dict[Any, list[Any]] = {}
        c = seed_claims.c
        cell = c.table_name, c.seed_id, c.column_name
        claim = c.position, sa.cast(c.value, sa.Text()).label("value"), c.stands, c.live_id
        with self.world.database.engine.connect() as connection:
            for row in connection.execute(sa.select(*cell, *claim).order_by(c.ordinal)):
                live_id = str(row.live_id) if row.live_id else None
                stack = ours.setdefault((row.table_name, str(row.seed_id), row.column_name), [])
                stack.append((row.position, claimed(row.value), row.stands, live_id))
        theirs = {
            (*row, column): [
                (one.position, claimed(one.value), str(one.stands), one.live_id) for one in stack
            ]
            for row, columns in self.base.claims.items()
            for column, stack in columns.items()
        }
        return [
            f"claims on {cell}: {ours.get(cell)}, model {theirs.get(cell)}"
            for cell in {**ours, **theirs}
            if ours.get(cell) != theirs.get(cell)
        ]

    def _engine(self, target: int, policy: str) -> Outcome:
        go = self.world.upgrade if target >= self.at else self.world.downgrade
        with listening() as conflicts:
            try:
                go(self.world.revision(target), policy)
            except ConflictError:
                return Outcome(True, conflicts, live(self.world))
            except SeedError as error:
                raise DatabaseRefusedError(str(error)) from error
        self.at = target
        return Outcome(False, conflicts, live(self.world))

    def _model(self, target: int, policy: str) -> Outcome:
        conflicts: list[Conflict] = []
        try:
            self.base = move(self.rail, self.base, target, policy, conflicts)
        except RefusedError as error:
            return Outcome(True, set(error.conflicts), self.base.rows)
        return Outcome(False, set(conflicts), self.base.rows)


@contextmanager
def listening() -> Iterator[set[Conflict]]:
    """The conflicts that the engine collects meanwhile."""
    found: set[Conflict] = set()
    read = seedrail.merge.move.read_conflicts

    def hear(connection: sa.Connection, plan: Plan, *rest: Any) -> Any:
        asked = sa.select(cells.c.kind, cells.c.table_name, cells.c.seed_id, cells.c.column_name)
        # A move that stages no row has no such table.
        rows = connection.execute(asked.where(cells.c.kind.is_not(None))).all() if plan.tables else ()
        for one in rows:
            kind = SAME.get(one.kind, one.kind)
            found.add(Conflict(kind, (one.table_name, str(one.seed_id)), one.column_name))
        return read(connection, plan, *rest)

    with patch.object(seedrail.merge.move, "read_conflicts", hear):
        yield found


# -- random worlds -----------------------------------------------------------------------------------


EDITS = (
    "edit group", "delete group", "add group", "edit node", "clear node", "hit node", "delete node",
    "add node", "edit item", "delete item", "add item", "add note", "own group", "clear group", "add user",
)  # fmt: skip
REMAKES = ("remake group", "remake node", "remake item")
"""Somebody deletes a row and makes an equal one."""
ARRIVALS = (
    "add user",
    "add group",
    "add group",
    "own group",
    "add node",
    "add node",
    "add item",
    "edit node",
)


def states(rnd: Random, most: int) -> list[State]:
    """Up to `most` states, each some changes away from the one before; unique slots are left out."""
    made: list[State] = []
    now: dict[str, dict[str, Any]] = {"groups": {}, "nodes": {}, "items": {}}
    for _ in range(rnd.randint(1, most)):
        now = {table: dict(rows) for table, rows in now.items()}
        for _ in range(rnd.randint(1, 4)):
            _change(rnd, now)
        _make_whole(now)
        made.append(now)
    return made


def _change(rnd: Random, now: dict[str, dict[str, Any]]) -> None:
    group, name, item = rnd.choice("ab"), rnd.choice("xyz"), rnd.choice("ij")
    table = rnd.choice(["groups", "nodes", "nodes", "items"])
    node = node_id(name, group)
    id_ = {"groups": group_id(group), "nodes": node, "items": item_id(node, item)}[table]
    if id_ in now[table] and rnd.random() < 0.35:
        del now[table][id_]
    elif table == "groups":
        owner = rnd.choice([None, user_id("u"), user_id("v")])
        now[table][id_] = {"name": group, "size": rnd.choice([None, 1, 2]), "owner_id": owner}
    elif table == "nodes":
        now["groups"].setdefault(group_id(group), {"name": group, "size": 1, "owner_id": None})
        parent = rnd.choice([None, *now["nodes"]])
        body = rnd.choice([None, {"k": 1}, {"k": 2}])
        row = {"name": name, "group_id": group_id(group), "parent_id": parent, "slot": None, "body": body}
        now[table][id_] = {**row, "hits": 0}
    elif node in now["nodes"]:
        now[table][id_] = {"node_id": node, "name": item, "amount": rnd.choice([None, 0.5, 1.5])}


def _make_whole(now: dict[str, dict[str, Any]]) -> None:
    groups, nodes = now["groups"], now["nodes"]
    now["nodes"] = nodes = {id_: row for id_, row in nodes.items() if row["group_id"] in groups}
    now["items"] = {id_: row for id_, row in now["items"].items() if row["node_id"] in nodes}
    for id_, row in nodes.items():
        seen, parent = {id_}, row["parent_id"]
        while parent is not None and parent in nodes and parent not in seen:
            seen.add(parent)
            parent = nodes[parent]["parent_id"]
        if parent is not None:
            nodes[id_] = {**row, "parent_id": None}


def edits(rnd: Random, kinds: Sequence[str], most: int) -> list[Edit]:
    """What people do."""
    return [
        Edit(rnd.choice(kinds), rnd.randint(0, 5), rnd.randint(0, 5)) for _ in range(rnd.randint(0, most))
    ]


def wander(rnd: Random, pair: Pair, kinds: Sequence[str] = (*EDITS, *REMAKES)) -> list[str]:
    """Moves under mixed policies, and people between them: the first differences, if there are any."""
    top = len(pair.world.states)
    pair.people(edits(rnd, ARRIVALS, 6))
    for _ in range(rnd.randint(1, 4)):
        target, policy = rnd.randint(0, top), rnd.choice(["abort", "keep", "overwrite"])
        try:
            found = pair.move(target, policy)
        except DatabaseRefusedError:
            return []
        if found:
            return found
        pair.people(edits(rnd, kinds, 3))
    return []
