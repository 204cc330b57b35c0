"""People's edits go back into the documents, and the database that they came from takes them as they are."""

import difflib
import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from seedrail.commands.export.edits import put
from seedrail.documents.edit.text.spans import scan
from seedrail.integration.export.edited import Export, Told
from tests.laws.shelf import PARTS, PLACES, USERS, WORKS, Shelf, Written, documents, some_tags
from tests.support.databases import Servers

BATCH = 10
BATCHES = {"sqlite": {"quick": 2, "rest": 40}, "postgresql": {"quick": 1, "rest": 12}}
"""How many batches of worlds there are in `make test`, and with those behind it."""


def batches() -> Any:
    for kind, counts in BATCHES.items():
        for number in range(counts["rest"]):
            marks = () if number < counts["quick"] else pytest.mark.long
            yield pytest.param(kind, number, marks=marks, id=f"{kind}-{number}")


def some_value(rnd: Random, column: sa.Column[Any], connection: sa.Connection, id_: Any) -> Any:
    """A value that somebody may write into a column."""
    options: dict[str, list[Any]] = {
        "room_count": [None, 7, -1],
        "is_open": [True, False],
        "open_since": [None, datetime(2024, 5, 6, 7, 8, 9, 123, UTC), datetime(1999, 1, 1, tzinfo=UTC)],
        "price": [None, Decimal("7.25"), Decimal("8"), Decimal("-0.5")],
        "due": [None, date(2030, 1, 2)],
        "weight": [None, 4.0, 0.1, -2.5],
        "notes": [None, "", 'new\nlines\tand "quotes" \\', "日本 é"],
        "amount": [None, 5],
        "label": [None, "é", "x" * 50],
    }
    if column.name == "tags":
        return some_tags(rnd)
    if column.name in options:
        return rnd.choice(options[column.name])
    target = {"owner_id": USERS, "parent_id": WORKS, "other_place_id": PLACES}[column.name]
    ids = [None, *connection.scalars(sa.select(target.c.id).order_by(target.c.id))]
    return rnd.choice([one for one in ids if one != id_])


EDITABLE = {
    PLACES: ("room_count", "is_open", "open_since", "price", "tags", "owner_id"),
    WORKS: ("parent_id", "other_place_id", "due", "weight", "notes"),
    PARTS: ("amount", "label"),
}


def edit(rnd: Random, shelf: Shelf) -> None:
    """What somebody does to the rows; what the database refuses is not done."""
    with shelf.database.engine.begin() as connection:
        for _ in range(rnd.randint(1, 6)):
            table = rnd.choice([*EDITABLE])
            ids = list(connection.scalars(sa.select(table.c.id).order_by(table.c.id)))
            if not ids:
                continue
            mine = table.c.id == (id_ := rnd.choice(ids))
            if rnd.random() < 0.1:
                # Another name is no edit that a document can say, and an added row is nobody's edit.
                connection.execute(sa.update(table).where(mine).values(name=f"renamed {_}"))
                continue
            if rnd.random() < 0.1 and table is PARTS:
                work = connection.scalar(sa.select(PARTS.c.work_id).where(mine))
                connection.execute(sa.insert(PARTS).values(id=uuid4(), work_id=work, name=f"added {_}"))
                continue
            if rnd.random() < 0.2:
                with suppress(sa.exc.IntegrityError), connection.begin_nested():
                    connection.execute(sa.delete(table).where(mine))
                continue
            column = table.c[rnd.choice(EDITABLE[table])]
            value = some_value(rnd, column, connection, id_)
            connection.execute(sa.update(table).where(mine).values({column.name: value}))


def circular(shelf: Shelf) -> bool:
    """Whether some work is its own ancestor by now: no document can say that."""
    with shelf.database.engine.connect() as connection:
        parents = dict(map(tuple, connection.execute(sa.select(WORKS.c.id, WORKS.c.parent_id))))
    for id_ in parents:
        seen, at = set(), id_
        while at is not None and at not in seen:
            seen.add(at)
            at = parents.get(at)
        if at is not None:
            return True
    return False


def hold(shelf: Shelf, rnd: Random) -> None:
    """Edit a seeded world, export, ship and upgrade it."""
    places, works = documents(rnd)
    written = Written.any(rnd)
    shelf.write(written(places), written(works))
    with shelf.database.engine.begin() as connection:
        connection.execute(sa.insert(USERS).values(id=UUID(int=1)))
    shelf.ship()
    edit(rnd, shelf)
    before, texts = shelf.content(), shelf.texts()
    export = shelf.export()
    assert shelf.texts() == texts
    left = [one for one in export.left if not one.settled]
    for one in left:
        assert "natural key" in one.reason or "its own ancestor" in one.reason, one
        assert one.column == ("name" if "natural key" in one.reason else "parent_id")
    assert circular(shelf) == any("its own ancestor" in one.reason for one in left)
    put(export)
    for file in export.files:
        assert shelf.texts()[file.seed_set].encode() == file.after
    unchanged(texts, shelf.texts(), export)
    assert not shelf.export().files
    shelf.ship()
    assert shelf.content() == before
    differing = {(one.table, one.id) for one in shelf.verify().rows if one.kind != "extra"}
    assert differing == {(one.table, one.id) for one in left}


def arrive(rnd: Random, shelf: Shelf, places: list[Any]) -> None:
    """People's own rows, some of which the seed will want to insert."""
    with shelf.database.engine.begin() as connection:
        for place in places:
            if rnd.random() < 0.5:
                values = {
                    "name": place["name"],
                    "is_open": rnd.random() < 0.5,
                    "room_count": rnd.choice([None, 12]),
                }
                connection.execute(sa.insert(PLACES).values(id=uuid4(), **values))
        for name, place_id in [
            (f"w{n}", one) for n, one in enumerate(connection.scalars(sa.select(PLACES.c.id)))
        ]:
            if rnd.random() < 0.5:
                connection.execute(sa.insert(WORKS).values(id=uuid4(), name=name, place_id=place_id))


def hold_settled(shelf: Shelf, rnd: Random) -> None:
    """The same where rows were there first, and policies settled what differed; all of it is exported."""
    places, works = documents(rnd)
    written = Written.any(rnd)
    shelf.write(written(places), written(works))
    shelf.upgrade()
    arrive(rnd, shelf, places)
    shelf.ship(rnd.choice(["keep", "overwrite"]))
    edit(rnd, shelf)
    for one in places:
        if rnd.random() < 0.5:
            one["roomCount"] = rnd.choice([3, None])
    shelf.write(written(places), written(works))
    shelf.ship(rnd.choice(["keep", "overwrite"]))
    edit(rnd, shelf)
    before = shelf.content()
    export = shelf.export(settled=True)
    for one in export.left:
        assert one.settled or any(reason in one.reason for reason in _REASONS), one
    put(export)
    shelf.ship()
    assert shelf.content() == before
    assert not shelf.export(settled=True).files


_REASONS = ("natural key", "its own ancestor", "that no document has", "still leads to it")


def hold_rows(shelf: Shelf, again: Path, rnd: Random) -> None:
    """Rows that somebody has are exported, and become the documents of a project that never knew them."""
    places, works = documents(rnd)
    written = Written.any(rnd)
    shelf.write(written(places), written(works))
    shelf.ship()
    edit(rnd, shelf)
    exported = {name: shelf.rows(name) for name in ("places", "works")}
    assert exported["works"].inside == ("parts",)
    assert not any(one.unread or one.apart for one in exported.values())
    if circular(shelf):
        return
    before = shelf.content()
    for ledger in ("seed_claims", "seed_state", "alembic_version"):
        shelf.database.execute(f"DROP TABLE {ledger}")
    other = Shelf(shelf.database, again)
    other.write(*(written(list(one.rows)) for one in exported.values()))
    other.ship()
    assert other.content() == before
    assert not other.verify().rows


def unchanged(before: dict[str, str], after: dict[str, str], export: Export) -> None:
    """What nobody edited stays as it was written, in its order."""
    touched = {json.dumps(names(one.table, one.row)) for one in export.made}
    for name, text in before.items():
        old, new = elements(text), elements(after[name])
        assert [*new] == [key for key in old if key in new]
        assert {key for key in old if old[key] != new.get(key)} <= touched
        assert text.count("\r\n") == text.count("\n") or "\r" not in after[name]
        assert after[name].count("\r\n") in (0, after[name].count("\n"))
        assert after[name].isascii() or not text.isascii() or "\\u" not in text
        single_lines(text, after[name], [one for one in export.made if one.table in _TABLES[name]])


_TABLES = {"places": ("places",), "works": ("works", "parts")}
_WIDE = ("", "tags", "parent_id", "other_place_id")
"""Columns whose values may take several lines, and whole rows."""


def names(table: str, row: Any) -> Any:
    """What tells the element apart in which a row stands."""
    row = row["work_id"] if table == "parts" else row
    return [row["name"], row["place_id"]["name"] if "place_id" in row else None]


def elements(text: str) -> dict[str, str]:
    """The texts of a document's elements, by what tells them apart."""
    found: dict[str, str] = {}
    for member in scan(text).members or ():
        written = text[member.value.start : member.value.end]
        element = json.loads(written)
        found[json.dumps([element["name"], element.get("place", {}).get("name")])] = written
    return found


def single_lines(before: str, after: str, made: Sequence[Told]) -> None:
    """An edit of one value is one line of the diff, and a new key another's comma."""
    if any(one.column in _WIDE for one in made):
        return
    diff = list(difflib.unified_diff(before.split("\n"), after.split("\n"), n=0))[2:]
    assert sum(line[0] == "-" for line in diff) <= len(made)
    assert sum(line[0] == "+" for line in diff) <= 2 * len(made)


@pytest.mark.parametrize(("kind", "number"), list(batches()))
def test_edits_are_exported_shipped_and_met_without_a_conflict(
    servers: Servers, tmp_path: Path, kind: str, number: int
) -> None:
    with servers.database(kind, tmp_path) as database:
        for seed in range(number * BATCH, (number + 1) * BATCH):
            database.empty()
            hold(Shelf(database, tmp_path / f"shelf-{seed}"), Random(seed))


@pytest.mark.parametrize(("kind", "number"), list(batches()))
def test_what_was_settled_is_exported_when_asked_and_met_without_a_conflict(
    servers: Servers, tmp_path: Path, kind: str, number: int
) -> None:
    with servers.database(kind, tmp_path) as database:
        for seed in range(number * BATCH, (number + 1) * BATCH):
            database.empty()
            hold_settled(Shelf(database, tmp_path / f"shelf-{seed}"), Random(seed))


@pytest.mark.parametrize(("kind", "number"), list(batches()))
def test_exported_rows_are_documents_that_find_the_rows_there_and_adopt_them(
    servers: Servers, tmp_path: Path, kind: str, number: int
) -> None:
    with servers.database(kind, tmp_path) as database:
        for seed in range(number * BATCH, (number + 1) * BATCH):
            database.empty()
            hold_rows(Shelf(database, tmp_path / f"shelf-{seed}"), tmp_path / f"again-{seed}", Random(seed))
