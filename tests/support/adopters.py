"""A project that `alembic init` made, with a table and a schema revision, and no seeds yet."""

import os
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.databases import Database
from tests.support.processes import start
from tests.support.project import ROOT, Outcome, end

TEMPLATES = ("generic", "async", "pyproject", "pyproject_async")

MODELS = """
import sqlalchemy as sa
metadata = sa.MetaData()
sa.Table("tags", metadata, sa.Column("id", sa.Uuid(), primary_key=True),
         sa.Column("name", sa.String(50), nullable=False, unique=True))
"""

SEEDS = """
from pathlib import Path
from pydantic import BaseModel
from seedrail import SeedCatalog, SeedRow, SeedSet, SeedTable
from models import metadata

class Tag(BaseModel):
    name: str

def rows(tag):
    yield SeedRow("tags", {"name": tag.name})

def seed_catalog():
    document = Path(__file__).with_name("tags.json")
    tables = (SeedTable(metadata.tables["tags"], ("name",)),)
    return SeedCatalog([SeedSet("tags", document, Tag, rows, tables)])
"""

DOCUMENT = '[{"name": "red"}, {"name": "blue"}]'


@dataclass
class Adopter:
    """The project, and the commands that are typed in it."""

    root: Path
    database: Database

    @classmethod
    def made(cls, root: Path, database: Database, template: str = "generic", revisions: int = 1) -> "Adopter":
        """By `alembic init`; its models and URL are put in by hand, and its first revisions are there."""
        shutil.copytree(Path(_made(template, revisions).name) / "project", root, symlinks=True)
        adopter = cls(root, database)
        adopter.edit("alembic.ini", _NOWHERE, _url(database.url, template))
        return adopter

    @classmethod
    def empty(cls, root: Path, database: Database) -> "Adopter":
        """A folder with nothing in it but the engine, as if that were installed."""
        root.mkdir()
        (root / "seedrail").symlink_to(ROOT / "seedrail")
        return cls(root, database)

    def edit(self, name: str, old: str, new: str) -> None:
        """Change a file by hand."""
        path = self.root / name
        text = path.read_bytes().decode()
        assert old in text, text
        path.write_bytes(text.replace(old, new).encode())

    def alembic(self, *arguments: str) -> Outcome:
        """The real `alembic`."""
        return self._run("alembic", *arguments)

    def succeed(self, *arguments: str) -> Outcome:
        """The same, which must succeed."""
        done = self.alembic(*arguments)
        assert done.code == 0, done.text
        return done

    def seedrail(self, *arguments: str, code: int = 0) -> Outcome:
        """The real `seedrail`, which ends with a code and without a traceback."""
        outcome = self._run("seedrail.commands", *arguments)
        assert "Traceback" not in outcome.text, outcome.text
        assert outcome.code == code, outcome.text
        return outcome

    def _run(self, *arguments: str) -> Outcome:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("APP_", "COV_", "DATABASE_URL"))}
        return end(start(arguments, self.root, kept))

    def files(self) -> dict[str, bytes]:
        """Every file of the project, by its path, but for byte code and the database."""
        found = (path for path in self.root.rglob("*") if path.is_file())
        kept = (
            path for path in found if "__pycache__" not in path.parts and path.suffix not in (".db", ".pyc")
        )
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in kept}


_NOWHERE = "sqlite:///nowhere.db"


def _url(url: str, template: str) -> str:
    """As the project's driver and its ini have it."""
    return (url.replace("sqlite:", "sqlite+aiosqlite:") if "async" in template else url).replace("%", "%%")


@cache
def _made(template: str, revisions: int) -> "TemporaryDirectory[str]":
    """A project to copy: each command of Alembic's takes half a second."""
    kept = TemporaryDirectory(prefix="seedrail-")
    root = Path(kept.name) / "project"
    adopter = Adopter.empty(root, Database("sqlite", _NOWHERE, []))
    adopter.succeed("init", "-t", template, "migrations")
    adopter.edit("alembic.ini", "driver://user:pass@localhost/dbname", _url("sqlite://", template))
    for name, text in (("models.py", MODELS), ("seeds.py", SEEDS), ("tags.json", DOCUMENT)):
        (root / name).write_text(text)
    models = "from models import metadata\ntarget_metadata = metadata"
    adopter.edit("migrations/env.py", "target_metadata = None", models)
    for number in range(1, revisions + 1):
        options = ["--autogenerate"] if number == 1 else []
        adopter.succeed("revision", *options, "-m", f"step {number}", "--rev-id", f"{number:04d}")
    adopter.edit("alembic.ini", _url("sqlite://", template), _NOWHERE)
    return kept
