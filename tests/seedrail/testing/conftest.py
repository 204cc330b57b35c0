"""The project of the page about tests, to run pytest in as its owner does."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.story import Story, steps
from tests.support.databases import Database, Servers
from tests.support.processes import start
from tests.support.project import ROOT, Outcome, end

PAGE = "docs/how-to/testing.md"


@dataclass
class Shop:
    """A copy of the project, whose tests run on databases of one kind."""

    root: Path
    database: Database

    def pytest(self, *arguments: str) -> Outcome:
        """`pytest`, and what it says."""
        url = "sqlite://" if self.database.kind == "sqlite" else self.database.url
        typed = ["-q", "-p", "no:pytest_alembic", "-p", "no:cacheprovider", "--seedrail-url", url, *arguments]
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("APP_", "DATABASE"))
        }
        environment = {**kept, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        return end(start(["pytest", *typed], self.root, environment))

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text, "utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text("utf-8")
        assert old in text, text
        self.write(name, text.replace(old, new))

    def help_itself(self, statement: str, *, way: str = "upgrade") -> None:
        """Let a helper of the seed revision write to the database, which no check of the rails sees."""
        self.write("library/tidy.py", f"def tidy(op):\n    op.execute({statement!r})\n")
        self.edit(self.revision, f"    op.{way}_seeds", f"    tidy(op)\n    op.{way}_seeds")
        imported = "from alembic import op"
        self.edit(self.revision, imported, f"{imported}\nfrom library.tidy import tidy")

    @property
    def revision(self) -> str:
        """The file of its seed revision."""
        return str(next((self.root / "migrations/versions").glob("seed_0001_*.py")).relative_to(self.root))


@pytest.fixture(scope="session")
def made(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The project as the page has it, made once: its revisions run on each kind of database."""
    root = tmp_path_factory.mktemp("library") / "shop"
    root.mkdir()
    with servers.database("sqlite", root.parent) as database:
        story = Story(root, database, path=str(ROOT))
        for one in steps(PAGE):
            if one.verb in ("do", "like", "file"):
                getattr(story, f"_{one.verb}")(one)
        (root / "shop.db").unlink()
        yield root


@pytest.fixture
def shop(made: Path, database: Database, tmp_path: Path) -> Shop:
    """A copy to edit."""
    shutil.copytree(made, tmp_path / "shop")
    return Shop(tmp_path / "shop", database)


def said(outcome: Outcome) -> str:
    """What pytest says, in one line."""
    return re.sub(r"\s+", " ", outcome.text)
