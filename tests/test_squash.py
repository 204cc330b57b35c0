"""A squash of a history whose tables changed all along: columns came again, a table left and went."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from seedrail import Rail
from seedrail.history.squash.squashing import squashed
from seedrail.history.squash.writing import finish, write_squash
from tests.support.databases import Database, Servers
from tests.support.evolving import PLAIN, REQUIRED, Evolving, Step

ROWS = {"ada": {"one": "a"}, "bob": {"one": "b"}}
START = Step({"one": PLAIN}, ROWS, {"ada": ["x", "y"], "bob": ["z"]})
BOTH = {"ada": {"one": "a", "two": "c"}, "bob": {"one": "b", "two": "b"}, "eve": {"one": "e", "two": "d"}}
SECOND = {"ada": {"two": "c"}, "eve": {"two": "d"}}
AGAIN = {"ada": {"one": "again", "two": "c"}, "eve": {"one": None, "two": "d"}}
STEPS = [
    START,
    replace(START, columns={"one": PLAIN, "two": REQUIRED}, rows=BOTH, children={"ada": ["x"]}),
    replace(START, columns={"two": REQUIRED}, rows=SECOND, children={"ada": ["x", "y"]}, release=True),
    replace(START, columns={"two": REQUIRED, "one": PLAIN}, rows=AGAIN, children={"eve": ["x"]}),
    replace(START, columns={"two": REQUIRED, "one": PLAIN}, rows=AGAIN, seeded=False, release=True),
    replace(START, columns={"two": REQUIRED, "one": PLAIN}, rows=SECOND, table=False, seeded=False),
]


@pytest.fixture
def new(database: Database, servers: Servers, tmp_path: Path) -> Iterator[Database]:
    """Another database, which is empty."""
    (tmp_path / "new").mkdir()
    with servers.database(database.kind, tmp_path / "new") as other:
        yield other


def squash(project: Evolving) -> Rail:
    """The history in one revision."""
    config = Config(stdout=StringIO())
    config.set_main_option("script_location", str(project.root).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    write_squash(config, squashed(Rail(ScriptDirectory.from_config(config))), "squash")
    return Rail(ScriptDirectory.from_config(config))


@pytest.mark.long_on("postgresql")
@pytest.mark.parametrize("length", range(2, len(STEPS) + 1))
def test_new_databases_and_those_in_the_middle_end_alike(
    database: Database, new: Database, tmp_path: Path, length: int
) -> None:
    project = Evolving.opened(database, tmp_path / "project")
    for step in STEPS[:length]:
        project.ship(database, step)
    seeds, rows = project.seeds, project.rows(database)
    old = replace(project, root=tmp_path / "old")
    shutil.copytree(project.root, old.root)
    rail = squash(project)
    project.run(database, "check")
    for at in (*seeds[1:], "seed_base"):
        found = []
        for history in (old, project):
            new.empty()
            old.run(new, "upgrade", at)
            history.run(new, "upgrade", "head")
            found.append(project.rows(new))
        assert found[1] == found[0], at
        project.run(new, "check")
    assert project.rows(new) == rows
    finish(rail)
    project.run(database, "check")
    for one in (new, database):
        project.run(one, "downgrade", "seed_base")
        assert set().union(*project.rows(one).values()) == set()
        project.run(one, "upgrade", "head")
        assert project.rows(one) == rows
    project.run(new, "downgrade", "base")
