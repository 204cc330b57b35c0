"""A copy of the project that a test may edit, and the real commands run in it as processes."""

import compileall
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.databases import Database
from tests.support.processes import Process, kill, start

__all__ = ["HEAD", "ROOT", "Outcome", "Process", "Project", "end", "kill", "migrated"]

ROOT = Path(__file__).resolve().parents[2]
HEAD = "seed_0004"


@cache
def _compiled() -> "TemporaryDirectory[str]":
    """What migrates, with its byte code, which is valid in copies too: hundreds of processes import it."""
    kept = TemporaryDirectory(prefix="seedrail-")
    for folder in ("app", "seedrail", "migrations"):
        shutil.copytree(ROOT / folder, Path(kept.name) / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "alembic.ini", kept.name)
    compileall.compile_dir(kept.name, quiet=2)
    return kept


def _copy(source: str, target: str) -> None:
    """A copy that may be edited, but for byte code, which Python replaces and never edits."""
    if source.endswith(".pyc"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


@dataclass
class Outcome:
    """What a process did."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything it printed."""
        return self.out + self.err


def end(process: Process) -> Outcome:
    """What a process in the background did, once it has ended."""
    out, err = process.communicate(timeout=120)
    assert process.returncode is not None
    return Outcome(process.returncode, out, err)


@dataclass
class Project:
    """A copy of the project's files, and the database that its commands get."""

    root: Path
    database: Database
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def copy_to(cls, root: Path, database: Database) -> "Project":
        """Copy what migrates: the application, the history, alembic.ini; nobody edits the engine.

        Hundreds of tests do it, and files take their time.
        """
        source = Path(_compiled().name)
        copied = shutil.ignore_patterns("seedrail")
        shutil.copytree(source, root, dirs_exist_ok=True, ignore=copied, copy_function=_copy)
        (root / "seedrail").symlink_to(source / "seedrail")
        return cls(root, database)

    def run(self, *arguments: str, **environment: str) -> Outcome:
        """`python -m …` in the project's root."""
        return end(self.start(*arguments, **environment))

    def start(self, *arguments: str, **environment: str) -> Process:
        """`python -m …` in the background, in a process group of its own."""
        return start(arguments, self.root, self.env(**environment))

    def env(self, **environment: str) -> dict[str, str]:
        """The environment of the project's processes."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("APP_", "COV_"))}
        return {**kept, "DATABASE_URL": self.database.url, **self.environment, **environment}

    def start_at(self, revision: str) -> None:
        """Begin at a revision to which the real `alembic upgrade` came, for this test or for one before.

        Only for an unedited copy of the project: what is kept was made from the project's own history.
        """
        state = "-".join([revision, *self.environment.values()])
        self.database.become(state, lambda: self.alembic("upgrade", revision))

    def alembic(self, *arguments: str, **environment: str) -> Outcome:
        """The real `alembic`, which must succeed."""
        outcome = self.run("alembic", *arguments, **environment)
        assert outcome.code == 0, outcome.text
        return outcome

    def alembic_fails(self, *arguments: str, **environment: str) -> Outcome:
        """The real `alembic`, which must fail without a traceback."""
        outcome = self.run("alembic", *arguments, **environment)
        assert outcome.code != 0, outcome.text
        assert "Traceback" not in outcome.text, outcome.text
        return outcome

    def document(self, name: str) -> Path:
        """`simulations` or `machines`."""
        return self.root / "app" / "scripts" / "db" / f"{name}.json"

    def read(self, name: str) -> list[dict[str, Any]]:
        """A document's elements."""
        elements: list[dict[str, Any]] = json.loads(self.document(name).read_text("utf-8"))
        return elements

    def edit(self, name: str, change: Callable[[list[dict[str, Any]]], Any]) -> None:
        """Change a document in place."""
        elements = self.read(name)
        change(elements)
        text = json.dumps(elements, indent=2, ensure_ascii=False) + "\n"
        self.document(name).write_text(text, "utf-8")

    def versions(self) -> set[str]:
        """The names of all revision files and change files."""
        folders = (self.root / "migrations" / "versions", self.root / "migrations" / "seeds")
        return {file.name for folder in folders for file in folder.iterdir() if file.is_file()}

    def heads(self) -> set[str]:
        """The revisions that the database is at."""
        return {row[0] for row in self.database.rows("SELECT version_num FROM alembic_version")}


def migrated(database: Database, directory: Path) -> Database:
    """An empty database brought to the newest revision, for what runs in this process."""
    database.become(
        "head", lambda: Project.copy_to(directory / "migrating", database).alembic("upgrade", "head")
    )
    return database
