"""This project: its own commands, run as a user runs them, in a copy of its tree."""

import os
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from alembic import command
from alembic.config import CommandLine, Config
from alembic.script import ScriptDirectory

from benchmarks.contender import FILES, Contender, Task, Work, scratch
from seedrail.commands.database.environment import Function, in_environment, told


def import_everything(task: Task) -> None:
    """What a run imports in the end, so that its time and memory are its work's."""
    for name in (
        "app.core.migration",
        "app.features.catalog",
        "seedrail.merge.move",
        *_DRIVERS[task.kind],
        "mako.template",
        "logging.config",
    ):
        import_module(name)


def document(task: Task) -> Work:
    """The documents to a change file: read, validate, flatten, compare with nothing, encode, write."""
    from app.features.catalog import seed_catalog
    from seedrail import SEED_BASE
    from seedrail.documents.documents import read_rows
    from seedrail.history.changefile import Header, encode, sha256, write
    from seedrail.history.changes import diff

    catalog = seed_catalog()
    path = scratch() / "seed_0001.jsonl"

    def run() -> str:
        changes = diff({name: {} for name in catalog.tables}, read_rows(catalog))
        content, _ = encode(Header("seed_0001", SEED_BASE, "", catalog.tables), changes, {})
        write(path, content)
        return sha256(content)

    return run


def revision(task: Task) -> Work:
    """The whole command that makes a seed revision, with Alembic's own comparison of the schema."""
    config = _config(task)
    for made in (*Path("migrations/versions").glob("seed_0*.py"), *Path("migrations/seeds").glob("seed_0*")):
        # The round before left it.
        made.unlink()
    return lambda: command.revision(config, "measured", autogenerate=True)


def upgrade(task: Task) -> Work:
    """Read, verify the digest, stage, check, apply, record, commit."""
    return _command(task, "--raiseerr", "upgrade", "head")


def downgrade(task: Task) -> Work:
    """The whole seed back, each row compared before it is deleted."""
    return _command(task, "--raiseerr", "downgrade", "seed_base")


def overwriting(task: Task) -> Work:
    """The whole seed back where people edited: each edit is looked at, and the seed's values win."""
    return _command(task, "--raiseerr", "-x", "seed_conflict=overwrite", "downgrade", "seed_base")


def keeping(task: Task) -> Work:
    """The whole seed where some of its rows are somebody's: these are adopted, and stay as they are."""
    return _command(task, "--raiseerr", "-x", "seed_conflict=keep", "upgrade", "head")


def verify(task: Task) -> Work:
    """The digests of all change files, and the headers' parents."""
    from seedrail import Rail

    config = _config(task)

    def run() -> None:
        rail = Rail(ScriptDirectory.from_config(config))
        rail.verify(rail.revisions)

    return run


def check(task: Task) -> Work:
    """What a downgrade does before it writes: its plan, by which nothing is written."""
    from seedrail.integration.look import Way, looker

    found: list[Way] = []
    return _look(task, looker("seed_base", rows=False, found=found), lambda: not found[0].undecided)


def compare(task: Task) -> Work:
    """Every seeded row with what the seed left, and people's rows beside them."""
    from seedrail.integration.look import Verified, verifier

    found: list[Verified] = []
    return _look(task, verifier(found), lambda: not found[0].rows)


def glance(task: Task) -> Work:
    """The same, counted by table."""
    from seedrail.integration.look import Glance, glancer

    found: list[Glance] = []
    return _look(task, glancer(found), lambda: not any(one.differ for one in found[0].tables))


def _look(task: Task, look: Function, is_clean: Callable[[], bool]) -> Work:
    config = told(_config(task), [], quiet=True)

    def run() -> None:
        in_environment(config, look, "seed_base")
        if not is_clean():
            raise SystemExit("rows differ that nobody has touched")

    return run


def offline(task: Task) -> Work:
    """The script for the native client, from the empty tables to the head."""
    config = _config(task)

    def run() -> None:
        with tempfile.TemporaryFile("w", dir=os.curdir, encoding="utf-8") as script:
            config.output_buffer = script
            command.upgrade(config, "seed_base:head", sql=True)

    return run


def _config(task: Task) -> Config:
    import_everything(task)
    from app.core.migration import alembic_config

    return alembic_config()


def _command(task: Task, *arguments: str) -> Work:
    """What the command line does, without the process around it."""
    import_everything(task)
    line = CommandLine()
    options = line.parser.parse_args(arguments)
    config = Config(options.config or "alembic.ini", cmd_opts=options)
    return lambda: line.run_cmd(config, options)


_DRIVERS = {
    "sqlite": ("sqlalchemy.dialects.sqlite", "sqlite3"),
    "postgresql": ("sqlalchemy.dialects.postgresql", "psycopg"),
    "files": ("sqlalchemy.dialects.sqlite", "sqlite3"),
}

_ALEMBIC = ("-m", "alembic")

OURS = (
    Contender("document", "ours", "document to change file", document, limit="limit-document", kinds=FILES),
    Contender(
        "revision",
        "ours",
        "alembic revision",
        revision,
        limit="limit-document",
        tree="unmade",
        kinds=FILES,
        largest=20_000,
        plotted=False,
    ),
    Contender("upgrade", "ours", "alembic upgrade", upgrade, after="seeded", limit="limit"),
    Contender(
        "downgrade",
        "ours",
        "alembic downgrade",
        downgrade,
        start="seeded",
        after="empty",
        limit="limit-delete",
    ),
    *(
        Contender(
            f"downgrade-{share}",
            "ours",
            f"downgrade, {share} % of rows edited",
            overwriting,
            start=f"edited-{share}",
            after="empty",
            limit="downgrade",
            plotted=False,
        )
        for share in (1, 10)
    ),
    Contender(
        "upgrade-10",
        "ours",
        "upgrade, 10 % of rows there",
        keeping,
        start="left-10",
        after="seeded",
        limit="upgrade",
        plotted=False,
    ),
    Contender(
        "edit",
        "ours",
        "upgrade, 1 % edited",
        upgrade,
        start="seeded",
        after="edited",
        tree="edited",
    ),
    Contender(
        "nothing",
        "ours",
        "upgrade, nothing to do",
        start="seeded",
        command=(*_ALEMBIC, "upgrade", "head"),
        limit="limit-nothing",
        repeats=3,
    ),
    Contender(
        "current",
        "ours",
        "alembic current",
        start="seeded",
        command=(*_ALEMBIC, "current"),
        limit="limit-current",
        repeats=3,
        plotted=False,
    ),
    Contender("verify", "ours", "verify", verify, kinds=FILES),
    Contender("check", "ours", "a downgrade's check", check, start="seeded", plotted=False),
    Contender("compare", "ours", "seedrail verify", compare, start="seeded", limit="check", plotted=False),
    Contender(
        "glance", "ours", "seedrail verify --fast", glance, start="seeded", limit="check", plotted=False
    ),
    Contender("offline", "ours", "offline script", offline),
)
