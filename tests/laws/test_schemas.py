"""The laws where the seeded tables themselves change: columns and tables come, go, and are renamed.

Whichever way a database went, it has the rows of the documents; and down again it has none, though nobody
edited.
"""

import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws.conftest import MEMORY
from tests.support.databases import Database, Servers
from tests.support.evolving import DEFAULT, PLAIN, REQUIRED, Evolving, Step

COLUMNS = ("one", "two")
NAMES = ("ada", "bob", "cyd")


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    """A history of models and documents."""
    found: list[Step] = []
    now = Step({}, {})
    # What was released goes with its table, which the history does not know: it may not come again.
    tables = ["seeds"] if draw(st.booleans()) else ["table"]
    # A row that went before a column came which must have a value cannot come back below that.
    kinds = [PLAIN, DEFAULT] if draw(st.booleans()) else [PLAIN, DEFAULT, REQUIRED]
    for _ in range(draw(st.integers(2, 6))):
        now = replace(now, renamed=None, release=False)
        now = _edited(draw, _changed(draw, tables, kinds, now), stay=REQUIRED in kinds)
        found.append(now)
    return found


def _changed(draw: st.DrawFn, tables: list[str], kinds: list[str], step: Step) -> Step:
    free, columns = [name for name in COLUMNS if name not in step.columns], dict(step.columns)
    what = draw(st.sampled_from(["come", "come", "go", "rename", *tables, "nothing"]))
    if what == "come" and free:
        columns[free[0]] = draw(st.sampled_from(kinds))
    elif what == "go" and columns:
        del columns[draw(st.sampled_from(sorted(columns)))]
    elif what == "rename" and columns and free:
        old = draw(st.sampled_from(sorted(columns)))
        columns[free[0]] = columns.pop(old)
        values = {
            row: {free[0] if name == old else name: value for name, value in of_row.items()}
            for row, of_row in step.rows.items()
        }
        return replace(step, columns=columns, rows=values, renamed=(free[0], old))
    elif what == "table":
        return replace(step, table=not step.table, seeded=not step.table)
    elif what == "seeds" and step.table:
        return replace(step, seeded=not step.seeded, release=draw(st.booleans()))
    return replace(step, columns=columns)


def _edited(draw: st.DrawFn, step: Step, *, stay: bool) -> Step:
    """The document of the models: rows and values change, but those of a column that is renamed."""
    rows = {}
    # Released rows are their owners', and a column that is renamed takes along what is in them.
    names = list(step.rows) if stay or step.release or (step.table and not step.seeded) else []
    names += draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    for name in dict.fromkeys(names):
        before = step.rows.get(name, {})
        rows[name] = {
            column: before[column]
            if column in before and (step.renamed or draw(st.booleans()))
            else draw(st.sampled_from(["a", "filled", "given", *([None] if kind == PLAIN else [])]))
            for column, kind in step.columns.items()
        }
    children = {name: draw(st.lists(st.sampled_from(["x", "y"]), unique=True)) for name in rows}
    return replace(step, rows=rows, children=children)


@pytest.fixture
def three(database: Database, servers: Servers, tmp_path: Path) -> Iterator[Sequence[Database]]:
    """Databases of one kind: one that follows each step, one that comes later, one that is new at the end."""
    folder = MEMORY / uuid.uuid4().hex if MEMORY.is_dir() else tmp_path
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        others = []
        for name in ("late", "new"):
            (folder / name).mkdir()
            others.append(stack.enter_context(servers.database(database.kind, folder / name)))
        if database.path is not None:
            database.move_to(folder / "test.db")
        yield (database, *others)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.long_on("postgresql")
@settings(max_examples=12)
@given(history=steps(), late=st.integers(0, 6), stops=st.lists(st.integers(0, 6), max_size=3))
def test_rows_are_those_of_the_documents_whichever_way_a_database_went(
    three: Sequence[Database], tmp_path: Path, history: list[Step], late: int, stops: list[int]
) -> None:
    for database in three:
        database.empty()
    project = tmp_path / uuid.uuid4().hex
    _go_all_ways(Evolving.opened(three[0], project), three, history, late, stops)
    shutil.rmtree(project)


def _go_all_ways(
    project: Evolving, three: Sequence[Database], history: list[Step], late: int, stops: list[int]
) -> None:
    follower, later, _ = three
    for number, step in enumerate(history):
        project.ship(follower, step)
        if number == late:
            project.run(later, "upgrade", "head")
    expected = project.rows(follower)
    for database in three:
        project.run(database, "upgrade", "head")
        assert project.rows(database) == expected, database.kind
        project.run(database, "check")
        for stop in sorted({one for one in stops if one < len(project.seeds) - 1}, reverse=True):
            project.run(database, "downgrade", project.seeds[stop])
        project.run(database, "upgrade", "head")
        assert project.rows(database) == expected, "after a way down and up"
        for stop in sorted({one for one in stops if one < len(project.seeds) - 1}, reverse=True):
            project.run(database, "downgrade", project.seeds[stop])
        if database.scalar("SELECT count(*) FROM alembic_version WHERE version_num = 'seed_base'") == 0:
            project.run(database, "downgrade", "seed_base")
        assert not any(project.rows(database).values())
