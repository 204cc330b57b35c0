"""The documents do what they say: commands run, output is real, links and paths lead somewhere.

A comment before a fenced block, such as `<!-- run: exit 1 -->`, says what is done with it: see `_Story`.
"""

import gzip
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url

from app.core.migration import alembic_config
from seedrail import Rail
from seedrail.history.changefile import encode
from tests.support.databases import CLIENTS, Database
from tests.support.project import ROOT, Project

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
HOSTS = {"keepachangelog.com", "docs.e3sm.org", "localhost:5432"}
"""The hosts that documents may name."""

ONE_DATABASE = pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
"""For half a minute of commands: `make test` runs them on one database, `make test-rest` on the other."""

_STEP = re.compile(
    r"^<!-- (?P<verb>[a-z]+)(?:: (?P<argument>.+?))? -->\n(?:```\w+\n(?P<body>.*?)^```$)?", re.M | re.S
)


@dataclass(frozen=True)
class Step:
    """One marked block of a document."""

    verb: str
    argument: str
    body: str


def steps(document: str) -> list[Step]:
    text = (ROOT / document).read_text("utf-8")
    return [Step(m["verb"], m["argument"] or "", m["body"] or "") for m in _STEP.finditer(text)]


def step(document: str, verb: str, argument: str = "") -> Step:
    return next(one for one in steps(document) if (one.verb, one.argument) == (verb, argument))


@dataclass
class _Story:
    """A document's steps in their order, in one folder on one database."""

    root: Path
    database: Database
    printed: str = ""
    ran: list[str] = field(default_factory=list)
    path: str = ""
    """Where Python looks besides."""

    def tell(self, document: str) -> None:
        for one in steps(document):
            getattr(self, f"_{one.verb}")(one)

    def _run(self, one: Step) -> None:
        """`run`, with `exit N` where it must fail, or a database's kind where it is for that alone."""
        if one.argument in ("sqlite", "postgresql") and one.argument != self.database.kind:
            return
        expected = int(one.argument.removeprefix("exit ")) if one.argument.startswith("exit") else 0
        self.sh(one.body, expected)

    def _output(self, one: Step) -> None:
        """`output`: what the last block printed, with a kind where it is that database's; `…` is anything."""
        if one.argument in ("", self.database.kind):
            assert_shows(self.printed, one.body)

    def _execute(self, one: Step) -> None:
        for statement in one.body.strip().split(";\n"):
            assert self.database.execute(statement.removesuffix(";")) == 1, statement

    def _append(self, one: Step) -> None:
        """`append: NAME` adds an element to a seed document."""
        document = self.root / "app" / "scripts" / "db" / f"{one.argument}.json"
        elements = [*json.loads(document.read_text("utf-8")), json.loads(one.body)]
        document.write_text(json.dumps(elements, indent=2, ensure_ascii=False) + "\n", "utf-8")

    def _file(self, one: Step) -> None:
        """`file: PATH` is a file of the reader's project."""
        path = self.root / one.argument
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(one.body, "utf-8")

    def _make(self, one: Step) -> None:
        """Tried by its own test, in a clean copy; here the environment is there already."""
        self.sh("python -m app.scripts.db.seed")

    def _example(self, one: Step) -> None:
        """Tried by its own test."""

    def sh(self, commands: str, expected: int = 0) -> None:
        done = subprocess.run(
            ["sh", "-e"],
            input=commands,
            cwd=self.root,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
            check=False,
        )
        self.ran.append(commands)
        self.printed = done.stdout
        assert done.returncode == expected, f"{commands}\n{done.stdout}"
        assert "Traceback" not in done.stdout, done.stdout

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("APP_", "COV_", "DATABASE_URL"))}
        if self.database.kind == "postgresql":
            url = make_url(self.database.url).set(drivername="postgresql")
            kept["DATABASE_URL"] = url.render_as_string(hide_password=False)
        return {**kept, "PATH": self._path(), "PYTHONPATH": self.path, "PYTHONUNBUFFERED": "1"}

    def _path(self) -> str:
        client = str(Path(self.database.client[0]).parent)
        return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], client, str(CLIENTS)])


def assert_shows(printed: str, expected: str) -> None:
    """Every piece between line ends and `…` is there, in this order; runs of spaces count as one."""
    printed, position = " ".join(printed.split()), 0
    for line in expected.splitlines():
        for piece in (" ".join(part.split()) for part in line.split("…")):
            found = printed.find(piece, position)
            assert found >= 0, f"not in the output: {piece!r}\n{printed}"
            position = found + len(piece)


def _embedded(database: Database, file: Path) -> Database:
    """The same kind of database, where SQLite is the file that is used without any setting."""
    if database.kind != "sqlite":
        return database
    return Database("sqlite", f"sqlite:///{file}", [*database.client[:-1], str(file)], file)


@pytest.mark.early
@pytest.mark.long
@ONE_DATABASE
def test_the_readmes_commands_do_what_it_says(database: Database, tmp_path: Path) -> None:
    embedded = _embedded(database, tmp_path / "project" / "seedrail.db")
    project = Project.copy_to(tmp_path / "project", embedded)
    story = _Story(project.root, embedded)
    try:
        story.tell("README.md")
    finally:
        embedded.close()
    assert any("revision --autogenerate" in commands for commands in story.ran)


def test_the_readmes_faulty_document_is_reported_as_it_shows(sqlite_project: Project) -> None:
    sqlite_project.start_at("head")
    sqlite_project.edit("simulations", lambda simulations: simulations[0].update(status="done"))
    outcome = sqlite_project.alembic_fails("check")
    assert_shows(outcome.text, step("README.md", "example", "fault").body)


def test_the_line_of_a_change_file_in_its_page_is_one() -> None:
    """A shipped change, as it would be written today."""
    shown = step("docs/change-files.md", "example", "change").body
    rail = Rail(ScriptDirectory.from_config(alembic_config()))
    file = next(one for one in rail.revisions if one.revision == "seed_0003")
    content, _ = encode(file.file.header(), file.file.changes(), rail.state_at(file.parent))
    lines = content.decode().splitlines()[1:]
    assert [line for line in lines if list(json.loads(shown).items()) == list(json.loads(line).items())]


def test_git_shows_change_files_in_words_as_their_page_says(tmp_path: Path) -> None:
    page = "docs/change-files.md"
    attributes = step(page, "attributes").body
    assert attributes in (ROOT / ".gitattributes").read_text()
    (tmp_path / ".gitattributes").write_text(attributes)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

    def sh(commands: str) -> str:
        return subprocess.run(
            ["sh", "-e"], input=commands, cwd=tmp_path, check=True, capture_output=True, text=True,
            env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        ).stdout  # fmt: skip

    seeds = tmp_path / "migrations" / "seeds"
    seeds.mkdir(parents=True)
    shipped = ROOT / "migrations" / "seeds" / "seed_0002.jsonl"
    (seeds / "seed_0002.jsonl.gz").write_bytes(gzip.compress(shipped.read_bytes(), mtime=0))
    who = "git -c user.name=a -c user.email=a@example.org"
    sh(f"git init -q\n{step(page, 'git').body}\ngit add -A\n{who} commit -qm seeds")
    assert "+seed_0002, after seed_0001: 56 inserts, 14 updates" in sh("git show")


@pytest.mark.early
@ONE_DATABASE
@pytest.mark.long
def test_the_engine_works_in_another_project_as_its_guide_says(database: Database, tmp_path: Path) -> None:
    root = tmp_path / "shop"
    root.mkdir()
    embedded = _embedded(database, root / "shop.db")
    try:
        # As installed from this checkout.
        _Story(root, embedded, path=str(ROOT)).tell("docs/seeding-your-own.md")
    finally:
        embedded.close()


# -- from a clean checkout -------------------------------------------------------------------------


def _tracked() -> list[Path]:
    """The files of a checkout: what git knows or would add; without git, all but what is made here."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return [file for file in _files(ROOT) if not _MADE_HERE.search(str(file))]
    return [Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def _files(root: Path) -> Iterator[Path]:
    return (path.relative_to(root) for path in root.rglob("*") if path.is_file())


_MADE_HERE = re.compile(
    r"(^|/)(\.venv|\.git|__pycache__|\.\w+_cache|\.hypothesis|\w+\.egg-info)/|\.db$|/?\.env$"
)


def _clean_environment(home: Path) -> dict[str, str]:
    """What a fresh shell has: nothing of this run, but how the machine reaches its package index."""
    passed = re.compile(r"PIP_|(HTTPS?|NO|ALL)_PROXY$|SSL_CERT_|REQUESTS_CA_BUNDLE$|LANG$|LC_", re.I)
    kept = {name: value for name, value in os.environ.items() if passed.match(name)}
    own = str(Path(sys.prefix) / "bin")
    path = os.pathsep.join(one for one in os.environ["PATH"].split(os.pathsep) if one != own)
    # The interpreter below this run's environment: `python3` may be an older one.
    python: Any = getattr(sys, "_base_executable", sys.executable)
    return {**kept, "PATH": path, "HOME": str(home), "PYTHON": python}


@pytest.mark.early
@pytest.mark.long
def test_make_seed_works_from_a_clean_checkout(tmp_path: Path) -> None:
    root, home = tmp_path / "checkout", tmp_path / "home"
    home.mkdir()
    for name in _tracked():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)

    command = step("README.md", "make").body.split()
    done = subprocess.run(
        command,
        cwd=root,
        env=_clean_environment(home),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert_shows(done.stdout.splitlines()[-1], step("README.md", "output", "sqlite").body)

    database = sqlite3.connect(root / "seedrail.db")
    for table, expected in _rows_of_documents().items():
        (found,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert found == expected, table
    database.close()


def _rows_of_documents() -> dict[str, int]:
    folder = ROOT / "app" / "scripts" / "db"
    simulations = json.loads((folder / "simulations.json").read_text("utf-8"))
    return {
        "machines": len(json.loads((folder / "machines.json").read_text("utf-8"))),
        "simulations": len(simulations),
        "artifacts": sum(len(one.get("artifacts") or ()) for one in simulations),
        "external_links": sum(len(one.get("links") or ()) for one in simulations),
    }


# -- links, paths, hosts ---------------------------------------------------------------------------

in_each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def _prose(document: Path) -> str:
    return re.sub(r"^```.*?^```$", "", document.read_text("utf-8"), flags=re.M | re.S)


@in_each_document
def test_links_lead_to_files_that_exist(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", _prose(document))
    broken = [one for one in links if "://" not in one and not (document.parent / one).exists()]
    assert not broken


@in_each_document
def test_paths_in_the_text_exist(document: Path) -> None:
    known = {*map(str, _tracked()), *_made_by_the_reader(document)}
    names = {Path(path).name for path in known}
    folders = {f"{parent}/" for path in known for parent in Path(path).parents}
    missing = [
        span
        for span in _path_like(_prose(document))
        if not (span in known or span in folders or f"{span}/" in folders or span in names)
    ]
    assert not missing


_FILE = re.compile(r"[\w.-]+(/[\w.-]+)*\.(py|json|jsonl|md|toml|ini|mako|txt|ya?ml)")
_FOLDER = re.compile(r"(app|migrations|tests|docs|benchmarks|\.ci)/[\w./-]*")


def _path_like(prose: str) -> Iterator[str]:
    """Code spans that name a file or a folder."""
    for span in re.findall(r"`([^`\n]+)`", prose):
        if _FILE.fullmatch(span) or _FOLDER.fullmatch(span):
            yield span


def _made_by_the_reader(document: Path) -> set[str]:
    """Files that a document's own commands make, or that it shows."""
    made = {one.argument for one in steps(str(document.relative_to(ROOT))) if one.verb == "file"}
    return made | {"migrations/seeds/seed_0005.jsonl", "pyproject.toml"}


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / ".env.example"], ids=lambda path: path.name)
def test_documents_name_no_machine_and_no_unknown_host(document: Path) -> None:
    text = document.read_text("utf-8")
    assert not re.findall(r"(?:^|[\s`\"'(=<>])/[A-Za-z]\w*/\S*", text, flags=re.M)
    hosts = re.findall(r"[a-z+]+://(?:[^\s/@`'\"]*@)?([^\s/`'\")]+)", text)
    assert {host for host in hosts if host not in HOSTS | {"host:5432"}} == set()


def test_the_readme_lists_the_settings_that_exist() -> None:
    from app.core.config import Settings

    rows = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text("utf-8"), flags=re.M)
    fields = {f"APP_{name}".upper() for name in Settings.model_fields if name != "database_url"}
    assert sorted(rows) == sorted({"DATABASE_URL", *fields})
    example = (ROOT / ".env.example").read_text("utf-8")
    assert all(f"#{row}=" in example for row in rows)
