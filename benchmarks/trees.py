"""Copies of the project whose history is a generated seed, and a bare Alembic project beside them.

The revisions are made by `alembic revision --autogenerate` from generated documents, as anybody makes them.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks import documents

ROOT = Path(__file__).resolve().parents[1]

_REAL_SEEDS = ("seed_0*.py", "seed_0*.jsonl*")


@dataclass(frozen=True)
class Trees:
    """The projects for one size; `bytes` are those of the generated document and of its change file."""

    folder: Path
    size: int
    document_bytes: int
    change_file_bytes: int

    def path(self, name: str) -> Path:
        """`unmade` has documents alone, `plain` a seed revision, `edited` a second one, `bare` nothing."""
        return self.folder / name


def make_trees(folder: Path, project: Path, size: int, scratch: str) -> Trees:
    """The projects for documents of `size` simulations, from a copy of this one.

    `scratch` is the URL of an empty SQLite file.
    """
    folder.mkdir()
    unmade = folder / "unmade"
    shutil.copytree(project, unmade)
    written = documents.write(_document(unmade), documents.simulations(size))
    run(unmade, scratch, "alembic", "upgrade", "head")

    plain = folder / "plain"
    shutil.copytree(unmade, plain)
    run(plain, scratch, "alembic", "revision", "--autogenerate", "-m", "generated")
    run(plain, scratch, "alembic", "upgrade", "head")

    edited = folder / "edited"
    shutil.copytree(plain, edited)
    documents.write(_document(edited), documents.edited(size))
    run(edited, scratch, "alembic", "revision", "--autogenerate", "-m", "edited")

    _make_bare(folder / "bare")
    (changes,) = (plain / "migrations" / "seeds").glob("seed_0001.*")
    return Trees(folder, size, written, changes.stat().st_size)


def run(tree: Path, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m …` in a project, against a database; it must succeed."""
    done = subprocess.run(  # noqa: S603 -- this interpreter, with arguments of this package
        [sys.executable, "-m", *arguments],
        cwd=tree,
        env=environment(url),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr[-2000:]}")
    return done


def environment(url: str) -> dict[str, str]:
    """The environment of a process: this one's without the application's settings.

    Modules are compiled once and not in every process, as they are wherever the project is installed.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith("APP_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, "DATABASE_URL": url}


def _document(tree: Path) -> Path:
    return tree / "app" / "scripts" / "db" / "simulations.json"


def copy_project(tree: Path) -> None:
    """What migrates, without the real seeds: once a run, so that an edit meanwhile changes nothing."""
    for name in ("app", "seedrail", "migrations", "benchmarks"):
        unwanted = shutil.ignore_patterns("__pycache__", "results", *_REAL_SEEDS)
        shutil.copytree(ROOT / name, tree / name, ignore=unwanted)
    shutil.copy(ROOT / "alembic.ini", tree)
    # One line of revisions, as a project has it that seeds after its schema: the real history's first
    # seed revision, which joined the rails, is not there.
    versions = tree / "migrations" / "versions"
    newest = max(path.name.partition("_")[0] for path in versions.glob("[0-9]*_*.py"))
    (base,) = versions.glob("seed_base_*.py")
    text = base.read_text("utf-8")
    base.write_text(re.sub(r"^down_revision = .*$", f'down_revision = "{newest}"', text, flags=re.M), "utf-8")


def _make_bare(tree: Path) -> None:
    """What `alembic init` makes, with the database from the environment and one empty revision."""
    tree.mkdir()
    run(tree, "", "alembic", "init", "migrations")
    env = tree / "migrations" / "env.py"
    text = env.read_text("utf-8")
    text = text.replace("config = context.config\n", _BARE_URL, 1)
    env.write_text(text, "utf-8")
    run(tree, "sqlite://", "alembic", "revision", "-m", "nothing")


_BARE_URL = """config = context.config
import os
url = os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:")
config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
"""
