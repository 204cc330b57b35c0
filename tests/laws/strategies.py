"""Generated worlds: seed states, rows that were there before, and edits by users."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from seedrail.history.changes import diff
from seedrail.history.rail.stranded import stranded
from tests.laws.world import catalog, group_id, item_id, node_id, user_id

USER_NAMES = ("u", "v")
GROUP_NAMES = ("a", "b", "c")
NODE_NAMES = ("x", "y", "z", "w")
ITEM_NAMES = ("i", "j")
OWNERS = [user_id(name) for name in (*USER_NAMES, "nobody")]
TEXTS = st.sampled_from(["", "plain", "it's", 'a "b"\\c', "tab\tend", "two\r\nlines", "ünï ✓", "%s :p"])
BODIES = st.none() | st.sampled_from(
    [{}, {"k": 1}, {"k": True}, {"k": [1, None, "a'b"]}, {"ü": {"b": 2, "a": 1.5}}]
)


@st.composite
def states(draw: Any, *, extra: bool) -> dict[str, dict[str, dict[str, Any]]]:
    """A seed state whose links are whole."""
    groups, nodes, items = {}, {}, {}
    for name in draw(st.lists(st.sampled_from(GROUP_NAMES), unique=True, min_size=1)):
        size, owner = draw(st.none() | st.integers(0, 2)), draw(st.sampled_from([None, *OWNERS]))
        groups[group_id(name)] = {"name": name, "size": size, "owner_id": owner}
    slots = draw(st.permutations(["s1", "s2", "s3", "s4", None, None, None, None]))
    names = sorted(row["name"] for row in groups.values())
    wanted = st.tuples(st.sampled_from(NODE_NAMES), st.sampled_from(names))
    keys = draw(st.lists(wanted, unique=True, max_size=4))
    for index, (name, group) in enumerate(keys):
        parent = draw(st.sampled_from([None, *keys[:index]]))
        row = {
            "name": name,
            "group_id": group_id(group),
            "parent_id": node_id(*parent) if parent else None,
            "slot": slots[index],
            "body": draw(BODIES),
            "hits": 0,
        }
        if extra:
            row["extra"] = draw(st.none() | TEXTS)
        id_ = node_id(name, group)
        nodes[id_] = row
        for item in draw(st.lists(st.sampled_from(ITEM_NAMES), unique=True, max_size=2)):
            amount = draw(st.none() | st.sampled_from([0.0, 0.1, 1e300, -2.5]))
            items[item_id(id_, item)] = {"node_id": id_, "name": item, "amount": amount}
    return {"groups": groups, "nodes": nodes, "items": items}


@st.composite
def histories(draw: Any) -> tuple[list[Any], int, list[bool]]:
    """One to four states, after how many of them the schema moves on, and which release what leaves them."""
    count = draw(st.integers(1, 4))
    later = draw(st.integers(0, count))
    made = [draw(states(extra=number >= later)) for number in range(count)]
    return made, later, without_stranded(made, [draw(st.sampled_from([False, False, True])) for _ in made])


def without_stranded(made: list[Any], releases: list[bool]) -> list[bool]:
    """The releases that autogenerate would accept: a later state has what a released row needs."""
    tables = catalog().tables
    while True:
        before: dict[str, dict[str, Any]] = {}
        away: dict[str, dict[str, Any]] = {}
        for number, state in enumerate(made):
            for change in list(diff(before, state, away)):
                away.setdefault(change.table, {}).pop(change.id, None)
                if releases[number] and change.kind == "delete":
                    away[change.table][change.id] = change.old
            if any(stranded(state, away, tables)):
                last = max(index for index in range(number + 1) if releases[index])
                releases = [is_ and index != last for index, is_ in enumerate(releases)]
                break
            before = state
        else:
            return releases


@dataclass(frozen=True)
class Edit:
    """What a user does: `kind` of EDITS, and numbers that choose the row and the value."""

    kind: str
    row: int
    value: int


EDITS = (
    "edit group", "rename group", "delete group", "add group", "edit node", "clear node", "hit node",
    "rename node", "delete node", "add node", "edit item", "delete item", "add item", "add note",
    "swap slots", "own group", "clear group", "remake group", "remake node", "remake item",
)  # fmt: skip


def _edits(kinds: Any, least: int, most: int) -> Any:
    edit = st.builds(Edit, st.sampled_from(kinds), st.integers(0, 5), st.integers(0, 5))
    return st.lists(edit, min_size=least, max_size=most)


edits = _edits(EDITS, 1, 6)
"""What users do while the seeds are there."""

arrivals = _edits(
    ("add user", "add group", "add group", "own group", "add node", "add node", "add item", "edit node"), 0, 8
)
"""What users had before the seeds came: rows that collide with them, and rows that seeds may point at."""

signups = _edits(("add user",), 0, 3)
"""Users who come, and do nothing."""
