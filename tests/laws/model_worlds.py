"""Random worlds for the model: seed states, people's rows that collide with them, and what people do.

Machines have runs; a run may have a parent among runs, and an owner who may be in no database. `note` is a
column that no seed sets, and `remarks` are a table that nobody seeds, which points at runs.
"""

from copy import deepcopy
from random import Random
from typing import Any

from tests.laws.model import Base, History, Link, Table

KEYS, USERS = "pqr", "uv"
LINKS = {
    "machine": Link("machine", required=True),
    "parent": Link("run"),
    "owner": Link("user", optional=True),
}
TABLES = {
    "machine": Table("machine", ("k", "a", "b"), ("k",), {}, {"note": None}),
    "run": Table("run", ("k", "a", *LINKS), ("k",), LINKS, {"note": None}),
}
POINTING = [("remark", "run", "run")]
MINE = 5
"""Values from here on are none of the seed's: an edit can be told from every seed state."""

States = list[dict[tuple[str, str], dict[str, Any]]]


def seed_id(table: str, key: str) -> str:
    """The seed id of a row."""
    return f"{table}:{key}"


def history(rnd: Random, least: int, most: int, *, parents: bool = True) -> History:
    """A history of some states, the empty one of seed_base among them."""
    states: States = [{}]
    for _ in range(rnd.randint(least, most)):
        states.append(_next_state(rnd, states[-1], parents=parents))
    return History(TABLES, states, POINTING)


def _next_state(rnd: Random, before: dict[Any, Any], *, parents: bool) -> dict[Any, Any]:
    state = deepcopy(before)
    for _ in range(rnd.randint(1, 4)):
        table, key = rnd.choice(sorted(TABLES)), rnd.choice(KEYS)
        row = table, seed_id(table, key)
        if row in state and rnd.random() < 0.3:
            del state[row]
        elif table == "machine":
            state[row] = {"k": key, "a": rnd.randint(0, 2), "b": rnd.randint(0, 2)}
        else:
            state[row] = {
                "k": key,
                "a": rnd.randint(0, 2),
                "machine": seed_id("machine", rnd.choice(KEYS)),
                "parent": seed_id("run", rnd.choice(KEYS)) if parents and rnd.random() < 0.4 else None,
                "owner": rnd.choice([None, *USERS]),
            }
    return _whole(state, lowest_first=rnd.random() < 0.5)


def _whole(state: dict[Any, Any], *, lowest_first: bool) -> dict[Any, Any]:
    """The state without links that lead nowhere, and without circles of parents."""
    for row in [r for r, v in state.items() if r[0] == "run" and ("machine", v["machine"]) not in state]:
        del state[row]
    for row, values in state.items():
        parent = values.get("parent")
        if parent is not None and (
            ("run", parent) not in state or parent == row[1] or (parent < row[1]) != lowest_first
        ):
            values["parent"] = None
    return state


def people(rnd: Random, *, mine: bool = False) -> Base:
    """A database in which somebody wrote already, some of it with keys that the seed wants.

    With `mine`, every value and link is none of the seed's.
    """
    low = MINE if mine else 0
    rows: dict[str, dict[Any, Any]] = {"machine": {}, "run": {}, "user": {}, "remark": {}}
    rows["user"] = {name: {} for name in USERS if rnd.random() < 0.6}
    if mine:
        rows["user"]["w"] = {}
        rows["machine"][9] = {"k": "s", "a": low, "b": low, "note": None}
    for number, key in enumerate(KEYS):
        if rnd.random() < 0.4:
            a, b = rnd.randint(low, low + 2), rnd.randint(low, low + 2)
            rows["machine"][number + 1] = {"k": key, "a": a, "b": b, "note": None}
    for number, key in enumerate(KEYS):
        if rows["machine"] and rnd.random() < 0.3:
            rows["run"][number + 11] = {
                "k": key,
                "a": rnd.randint(low, low + 2),
                "machine": 9 if mine else rnd.choice(list(rows["machine"])),
                "parent": None if mine else rnd.choice([None, *rows["run"]]),
                "owner": "w" if mine else rnd.choice([None, *rows["user"]]),
                "note": None,
            }
    return Base(rows)


def dangling(base: Base) -> list[Any]:
    """Links that lead nowhere."""
    links = [("run", column, link.table) for column, link in LINKS.items()] + POINTING
    return [
        (table, id_, column)
        for table, column, to in links
        for id_, row in base.rows[table].items()
        if row[column] is not None and row[column] not in base.rows[to]
    ]


def free(base: Base) -> list[tuple[str, Any]]:
    """Rows that nobody points at, so that people can delete them."""
    pointed = {("machine", row["machine"]) for row in base.rows["run"].values()}
    pointed |= {("run", row["parent"]) for row in base.rows["run"].values()}
    pointed |= {("run", row["run"]) for row in base.rows["remark"].values()}
    return [(t, id_) for t in TABLES for id_ in sorted(base.rows[t], key=str) if (t, id_) not in pointed]


def any_row(rnd: Random, base: Base, table: str) -> Any:
    """The id of a row, or None where there is none."""
    ids = sorted(base.rows[table], key=str)
    return rnd.choice(ids) if ids else None


def edit_a_cell(rnd: Random, base: Base) -> tuple[str, Any, str, int] | None:
    """Somebody sets a cell to a value that no seed has: where, and to what."""
    table, column, value = rnd.choice(sorted(TABLES)), rnd.choice(["a", "note"]), rnd.randint(MINE, 9)
    id_ = any_row(rnd, base, table)
    if id_ is None:
        return None
    base.rows[table][id_][column] = value
    return table, id_, column, value


def make_anew(base: Base, table: str, id_: Any) -> Any:
    """Somebody deletes a row and makes an equal one, which has another id."""
    new = max([1000, *(one for one in base.rows[table] if isinstance(one, int))]) + 1
    base.rows[table][new] = base.rows[table].pop(id_)
    return new


def a_user_comes_or_goes(rnd: Random, base: Base) -> None:
    """Who goes leaves runs without an owner behind: the database sees to that."""
    user = rnd.choice(USERS)
    if base.rows["user"].pop(user, None) is None:
        base.rows["user"][user] = {}
        return
    for run in base.rows["run"].values():
        if run["owner"] == user:
            run["owner"] = None


def add_a_run(rnd: Random, base: Base) -> Any:
    """Somebody adds a run to a machine: its id, or None where there is no machine."""
    machine = any_row(rnd, base, "machine")
    if machine is None:
        return None
    number = max([100, *(id_ for id_ in base.rows["run"] if isinstance(id_, int))]) + 1
    links = {"machine": machine, "parent": None, "owner": None}
    base.rows["run"][number] = {"k": f"own {number}", "a": MINE, "note": None, **links}
    return number


def add_a_remark(rnd: Random, base: Base) -> None:
    """Somebody points at a run from a table that nobody seeds."""
    run = any_row(rnd, base, "run")
    if run is not None:
        base.rows["remark"][len(base.rows["remark"])] = {"run": run}
