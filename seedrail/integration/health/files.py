"""What the project's files say: the history, the template, the settings, and git."""

from collections.abc import Iterator
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from seedrail.errors import SeedError
from seedrail.history.history import SEED_BASE
from seedrail.history.rail import ORPHAN, RESTORE_OR_DELETE, Rail
from seedrail.integration.health.findings import FAULT, OK, WARNING, Finding, fault
from seedrail.integration.setup.base import CREATES, called, template_lacks
from seedrail.integration.setup.edits import text_of
from seedrail.integration.setup.git import keeps_bytes
from seedrail.integration.setup.settings import environment_runs
from seedrail.quoting import numbered, shown


def of_files(config: Config) -> Iterator[Finding]:
    """What is to be said of the project without its env.py and its database."""
    rail = Rail(ScriptDirectory.from_config(config))
    yield from _of_history(rail)
    yield _of_template(Path(rail.history.scripts.dir) / "script.py.mako")
    yield _of_settings(config)
    if (kept := keeps_bytes(rail.directory)) is not None:
        yield _of_git(rail.directory, kept=kept)


def _of_history(rail: Rail) -> Iterator[Finding]:
    """Revisions on their rails, change files with their digests."""
    try:
        rail.check()
        rail.verify(rail.revisions)
    except SeedError as error:
        yield fault("history", error)
        return
    if not rail.exists:
        yield Finding("history", FAULT, f"no revision is named {SEED_BASE}", "seedrail init makes it")
        return
    if "create_seed_ledger" not in called(rail.history.by_id[SEED_BASE]):
        yield Finding("history", FAULT, f"{SEED_BASE} makes no ledger", f"let its upgrade() call {CREATES}")
        return
    yield Finding(
        "history", OK, f"{numbered(len(rail.revisions), 'seed revision')}, each change file as it was pinned"
    )
    for name in rail.orphans():
        yield Finding("change files", WARNING, f"{shown(name)} {ORPHAN}", RESTORE_OR_DELETE)


def _of_template(path: Path) -> Finding:
    try:
        text = text_of(path)
    except SeedError as error:
        return fault("template", error)
    if text is None:
        return Finding(
            "template", FAULT, f"there is no {shown(path.name)}", "restore it: alembic init makes one"
        )
    if mend := template_lacks(text):
        return Finding("template", FAULT, "script.py.mako leaves out what a revision says", mend)
    return Finding("template", OK, "script.py.mako has all that a seed revision says")


def _of_settings(config: Config) -> Finding:
    if environment_runs(config):
        return Finding("settings", OK, "env.py runs for every `alembic revision`")
    return Finding(
        "settings", WARNING, "env.py does not run for `alembic revision`, and cannot put it on its rail",
        "revision_environment = true; seedrail init writes it",
    )  # fmt: skip


def _of_git(folder: Path, *, kept: bool) -> Finding:
    if kept:
        return Finding("git", OK, "leaves the bytes of change files as they are")
    return Finding(
        "git", WARNING, "may convert the line ends of change files, whose bytes are pinned",
        f"{shown(folder.name)}/* -text in .gitattributes; seedrail init writes it",
    )  # fmt: skip
