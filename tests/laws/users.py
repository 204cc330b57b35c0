"""Users of the laws' world: they insert, change and delete rows, as far as the database lets them."""

import contextlib
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from tests.laws.strategies import GROUP_NAMES, ITEM_NAMES, NODE_NAMES, USER_NAMES, Edit
from tests.laws.world import GROUPS, ITEMS, NODES, USERS, World, user_id

OWN = UUID("3a5e7f10-0000-4000-8000-000000000000")


def apply_edits(world: World, edits: list[Edit]) -> None:
    """Make the edits one after the other; what a constraint forbids does not happen."""
    for number, edit in enumerate(edits):
        with contextlib.suppress(IntegrityError), world.user() as connection:
            _apply(connection, edit, number)


def _apply(connection: sa.Connection, edit: Edit, number: int) -> None:
    verb, what = edit.kind.split(" ")
    if verb == "add":
        _add(connection, what, edit, number)
        return
    table = {"group": GROUPS, "node": NODES, "item": ITEMS, "slots": NODES}[what]
    ids = list(connection.scalars(sa.select(table.c.id).order_by(table.c.id)))
    if not ids:
        return
    id_ = ids[edit.row % len(ids)]
    if verb == "delete":
        connection.execute(sa.delete(table).where(table.c.id == id_))
    elif verb == "remake":
        # One of the columns comes with a later revision.
        there = [table.c[one["name"]] for one in sa.inspect(connection).get_columns(table.name)]
        row = connection.execute(sa.select(*there).where(table.c.id == id_)).mappings().one()
        connection.execute(sa.delete(table).where(table.c.id == id_))
        new = uuid5(OWN, f"{what} {number} {id_}")
        # A JSON column would take None for its own null.
        values = {name: sa.null() if value is None else value for name, value in row.items()}
        connection.execute(sa.insert(table).values({**values, "id": new}))
    elif verb == "own":
        users = list(connection.scalars(sa.select(USERS.c.id).order_by(USERS.c.id)))
        owner = users[edit.value % len(users)] if users else None
        connection.execute(sa.update(table).where(table.c.id == id_).values(owner_id=owner))
    elif verb == "swap":
        _swap(connection, id_, ids[edit.value % len(ids)])
    else:
        values = _values(verb, what, edit)
        connection.execute(sa.update(table).where(table.c.id == id_).values(values))


def _values(verb: str, what: str, edit: Edit) -> dict[str, Any]:
    match verb, what:
        case "rename", "group":
            return {"name": [*GROUP_NAMES, "mine"][edit.value % 4]}
        case "rename", _:
            return {"name": [*NODE_NAMES, "mine"][edit.value % 5]}
        case "clear", "group":
            return {"owner_id": None}
        case "clear", _:
            return {"parent_id": None, "slot": None, "body": sa.null()}
        case "hit", _:
            return {"hits": edit.value}
        case _, "group":
            return {"size": edit.value % 4}
        case _, "item":
            return {"amount": edit.value / 2}
    return {"body": {"k": edit.value}}


def _swap(connection: sa.Connection, one: UUID, other: UUID) -> None:
    slot = sa.select(NODES.c.slot)
    first = connection.scalar(slot.where(NODES.c.id == one))
    second = connection.scalar(slot.where(NODES.c.id == other))
    for id_, value in ((one, None), (other, first), (one, second)):
        connection.execute(sa.update(NODES).where(NODES.c.id == id_).values(slot=value))


def _add(connection: sa.Connection, what: str, edit: Edit, number: int) -> None:
    id_ = uuid5(OWN, f"{what} {number} {edit.row} {edit.value}")
    groups = list(connection.scalars(sa.select(GROUPS.c.id).order_by(GROUPS.c.id)))
    nodes = list(connection.scalars(sa.select(NODES.c.id).order_by(NODES.c.id)))
    if what == "user":
        name = USER_NAMES[edit.row % 2]
        connection.execute(sa.insert(USERS).values(id=UUID(user_id(name)), name=name))
    elif what == "group":
        name = GROUP_NAMES[edit.row % 3]
        size = edit.value % 3 or None
        connection.execute(sa.insert(GROUPS).values(id=id_, name=name, size=size))
    elif what == "node" and groups:
        values = {
            "name": NODE_NAMES[edit.row % 4],
            "group_id": groups[edit.value % len(groups)],
            "parent_id": nodes[edit.row % len(nodes)] if nodes and edit.value % 2 else None,
        }
        connection.execute(sa.insert(NODES).values(id=id_, **values))
    elif what == "item" and nodes:
        node = nodes[edit.row % len(nodes)]
        name = ITEM_NAMES[edit.value % 2]
        connection.execute(sa.insert(ITEMS).values(id=id_, node_id=node, name=name, amount=0.1))
    elif what == "note" and nodes and sa.inspect(connection).has_table("notes"):
        note = sa.table("notes", sa.column("text"), sa.column("node", sa.Uuid()))
        node = nodes[edit.row % len(nodes)]
        connection.execute(sa.insert(note).values(text=f"note {number}", node=node))
