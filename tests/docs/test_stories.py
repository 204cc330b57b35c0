"""The pages do what they say: commands run, and output is real."""

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from app.core.migration import alembic_config
from seedrail import Rail
from seedrail.history.changefile import encode
from tests.docs.story import DOCUMENTS, Story, assert_shows, embedded, step, steps
from tests.support.databases import Database
from tests.support.project import ROOT, Project

ONE_DATABASE = pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
"""For half a minute of commands: `make test` runs them on one database, `make test-rest` on the other."""


CHANGE_FILES = "docs/reference/change-files.md"
OF_ANOTHER_PROJECT = ["docs/how-to/from-seed-py.md", "docs/how-to/testing.md", "docs/seeding-your-own.md"]
OF_THE_CATALOG = [
    name
    for name in (str(path.relative_to(ROOT)) for path in DOCUMENTS)
    if name not in OF_ANOTHER_PROJECT and any(one.verb == "run" for one in steps(name))
]
"""The pages whose commands are typed in a clone of this repository."""


@pytest.mark.early
@pytest.mark.long
@pytest.mark.parametrize("page", OF_THE_CATALOG)
@ONE_DATABASE
def test_a_pages_commands_do_what_it_says(database: Database, tmp_path: Path, page: str) -> None:
    used = embedded(database, tmp_path / "project" / "seedrail.db")
    project = Project.copy_to(tmp_path / "project", used)
    try:
        Story(project.root, used).tell(page)
    finally:
        used.close()


TASKS = [ROOT / "README.md", ROOT / "docs/tutorial.md", *sorted((ROOT / "docs/how-to").glob("*.md"))]
NOT_HERE = (". .venv/bin/activate", "pip install", "docker compose", "kubectl", "git switch -c polaris")
"""What needs a shell of the reader's, a network, an engine or a cluster; or has been done unseen."""


@pytest.mark.parametrize("page", TASKS, ids=lambda path: path.name)
def test_every_command_of_a_task_is_run(page: Path) -> None:
    told = {one.body for one in steps(str(page.relative_to(ROOT)))}
    typed = re.findall(r"^```sh\n(.*?)^```$", page.read_text("utf-8"), flags=re.M | re.S)
    assert [block for block in typed if block not in told and not any(one in block for one in NOT_HERE)] == []


def test_the_tutorials_faulty_document_is_reported_as_it_shows(sqlite_project: Project) -> None:
    sqlite_project.start_at("head")
    sqlite_project.edit("simulations", lambda simulations: simulations[0].update(status="done"))
    outcome = sqlite_project.alembic_fails("check")
    assert_shows(outcome.text, step("docs/tutorial.md", "example", "fault").body)


def test_the_line_of_a_change_file_in_its_page_is_one() -> None:
    """A shipped change, as it would be written today."""
    shown = step(CHANGE_FILES, "example", "change").body
    rail = Rail(ScriptDirectory.from_config(alembic_config()))
    file = next(one for one in rail.revisions if one.revision == "seed_0003")
    content, _ = encode(file.file.header(), file.file.changes(), rail.state_at(file.parent))
    lines = content.decode().splitlines()[1:]
    assert [line for line in lines if list(json.loads(shown).items()) == list(json.loads(line).items())]


def test_git_shows_change_files_in_words_as_their_page_says(tmp_path: Path) -> None:
    attributes = step(CHANGE_FILES, "attributes").body
    assert attributes in (ROOT / ".gitattributes").read_text()
    (tmp_path / ".gitattributes").write_text(attributes)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

    def sh(commands: str) -> str:
        return subprocess.run(
            ["sh", "-e"], input=commands, cwd=tmp_path, check=True, capture_output=True, text=True,
            # As on a machine where git knows nobody yet.
            env={
                **os.environ, "PATH": path, "PYTHONPATH": str(ROOT),
                "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
            },
        ).stdout  # fmt: skip

    seeds = tmp_path / "migrations" / "seeds"
    seeds.mkdir(parents=True)
    shipped = ROOT / "migrations" / "seeds" / "seed_0002.jsonl"
    (seeds / "seed_0002.jsonl.gz").write_bytes(gzip.compress(shipped.read_bytes(), mtime=0))
    who = "git -c user.name=a -c user.email=a@example.org"
    sh(f"git init -q\n{step(CHANGE_FILES, 'git').body}\ngit add -A\n{who} commit -qm seeds")
    assert "+seed_0002, after seed_0001: 56 inserts, 14 updates" in sh("git show")


@pytest.mark.early
@ONE_DATABASE
@pytest.mark.long
@pytest.mark.parametrize("page", OF_ANOTHER_PROJECT)
def test_the_engine_works_in_another_project_as_a_page_says(
    database: Database, tmp_path: Path, page: str
) -> None:
    root = tmp_path / "shop"
    root.mkdir()
    used = embedded(database, root / "shop.db")
    try:
        # As installed from this checkout.
        Story(root, used, path=str(ROOT)).tell(page)
    finally:
        used.close()
