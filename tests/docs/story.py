"""A page is a story: its marked blocks are run in their order, and what they print is compared.

A comment before a fenced block, such as `<!-- run: exit 1 -->`, says what is done with it: see `Story`.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.engine import make_url

from tests.support.databases import CLIENTS, Database
from tests.support.project import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_STEP = re.compile(
    r"^<!-- (?P<verb>[a-z]+)(?:: (?P<argument>.+?))? -->\n(?:```\w+\n(?P<body>.*?)^```$)?", re.M | re.S
)


_WHO = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Bob"), ("EMAIL", "bob@example.org"))
}
"""Whoever types the commands, to git."""

_PYTEST = {"PYTEST_ADDOPTS": "-p no:pytest_alembic"}
"""A reader has no plugin that is at odds with the pytest of this environment."""


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
class Story:
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

    def _like(self, one: Step) -> None:
        """`like: PAGE FILE…` writes files that another page shows, where the reader was sent there."""
        page, *files = one.argument.split()
        for file in files:
            self._file(step(page, "file", file))

    def _patch(self, one: Step) -> None:
        """`patch: PATH` is an edit of a file, shown as a diff without places."""
        path = self.root / one.argument
        text = path.read_text("utf-8")
        old, new = (
            "".join(line[1:] for line in one.body.splitlines(True) if line[0] in f" {sign}") for sign in "-+"
        )
        assert text.count(old) == 1, f"{one.argument} has not once:\n{old}"
        path.write_text(text.replace(old, new), "utf-8")

    def _do(self, one: Step) -> None:
        """`do: COMMAND` is what others have done before the reader comes, and no reader sees."""
        self.sh(one.argument)

    def _done(self, one: Step) -> None:
        """`done: SQL` is what people have written before the reader comes."""
        assert self.database.execute(one.argument) == 1, one.argument

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
        typed = {"PATH": self._path(), "PYTHONPATH": self.path, "PYTHONUNBUFFERED": "1"}
        return {**kept, **_WHO, **_PYTEST, **typed}

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


def embedded(database: Database, file: Path) -> Database:
    """The same kind of database, where SQLite is the file that is used without any setting."""
    if database.kind != "sqlite":
        return database
    return Database("sqlite", f"sqlite:///{file}", [*database.client[:-1], str(file)], file)


def tracked() -> list[Path]:
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
