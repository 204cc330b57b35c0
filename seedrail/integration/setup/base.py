"""`seed_base`, the revision below every seed: on top of today's schema, by the project's own template."""

import shutil
import sys
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from alembic.script import Script, ScriptDirectory

from seedrail.errors import RailError, SetupError
from seedrail.history.history import SEED_BASE, revision_files
from seedrail.history.rail import Rail
from seedrail.history.rail.placement import operations_of
from seedrail.integration.setup.edits import Undo
from seedrail.merge.ledger import LEDGER_VERSION
from seedrail.quoting import shown

MESSAGE = "create the seed ledger"
IMPORT = "from seedrail import operations"
CREATES = f"op.create_seed_ledger(version={LEDGER_VERSION})"
DROPS = f"op.drop_seed_ledger(version={LEDGER_VERSION})"


def schema_head(rail: Rail) -> str:
    """The revision that `seed_base` is to follow; SetupError or RailError where there is not one."""
    heads = rail.schema_heads()
    if not heads:
        raise SetupError(
            f"this history has no revision yet that {SEED_BASE} could follow; nothing was written\n"
            '  make the schema\'s first one: alembic revision --autogenerate -m "…"; then run this again'
        )
    if len(heads) > 1:
        raise RailError(
            f"the schema has {len(heads)} heads, {', '.join(map(shown, heads))}, and {SEED_BASE} follows one;"
            f' nothing was written\n  make them one: alembic merge -m "…" {" ".join(map(shown, heads))}'
        )
    return heads[0]


def preview(scripts: ScriptDirectory, head: str) -> tuple[Path, str]:
    """Where the revision's file will be, and its text, but for what the project's hooks make of it."""
    target = version_path(scripts, head)
    with TemporaryDirectory() as name:
        folder = Path(name)
        versions = folder / "versions"
        versions.mkdir()
        (versions / "head.py").write_text(f"revision = {head!r}\ndown_revision = None\n")
        template = Path(scripts.dir) / "script.py.mako"
        if not template.is_file():
            raise SetupError(f"there is no {shown(template)}, which revisions are made from; restore it")
        shutil.copy(template, folder)
        shadow = ScriptDirectory(
            name,
            file_template=scripts.file_template,
            truncate_slug_length=scripts.truncate_slug_length,
            output_encoding=scripts.output_encoding,
            timezone=scripts.timezone,
        )
        made = Path(generated(shadow, head, versions).path)
        text = made.read_bytes().decode(scripts.output_encoding)
        place = made.resolve().relative_to(versions.resolve())
    _refuse_template(text)
    return target / place, text


def generated(scripts: ScriptDirectory, head: str, where: Path) -> Script:
    """Make the revision as `alembic revision` would, its hooks included, without a word."""
    scripts.messaging_opts = _QUIET
    imports = f"{IMPORT}  # noqa: F401 - op.create_seed_ledger, whatever env.py imports"
    # What hooks say are words, and no result.
    with redirect_stdout(sys.stderr):
        script = scripts.generate_revision(
            SEED_BASE, MESSAGE, head=head, version_path=where,
            imports=imports, upgrades=CREATES, downgrades=DROPS,
        )  # fmt: skip
    if script is None:
        raise SetupError(f"script.py.mako makes a file that is no revision of the name {SEED_BASE}")
    return script


def make(scripts: ScriptDirectory, head: str, undo: Undo) -> None:
    """Make the revision's file; whatever becomes of it, `undo` knows of it."""
    before = {*revision_files(scripts)}
    try:
        generated(scripts, head, version_path(scripts, head))
    finally:
        for path in {*revision_files(scripts)} - before:
            undo.made(path)


_QUIET: Any = {"quiet": True}


def version_path(scripts: ScriptDirectory, head: str) -> Path:
    """The folder of revisions: of several, the one where the schema's newest is."""
    folders = [Path(one) for one in scripts._version_locations]
    file = Path(Rail(scripts).history.by_id[head].path).resolve()
    inside = [one for one in folders if file.is_relative_to(one.resolve())]
    return max(inside or folders, key=lambda one: len(one.resolve().parts))


def called(script: Script) -> set[str]:
    """The operations that the revision's upgrade() calls."""
    return operations_of(script, "upgrade")


def template_lacks(text: str) -> str:
    """What a template leaves out of what revisions with seeds say, as a mend; nothing where it is whole."""
    for name, place in _PLACES.items():
        if f"{{{name}" not in text.replace(" ", ""):
            otherwise = '""' if name == "imports" else '"pass"'
            return (
                f"add `${{{name} if {name} else {otherwise}}}` {place} in script.py.mako, as in Alembic's own"
            )
    return ""


_PLACES = {"imports": "below its imports", "upgrades": "in upgrade()", "downgrades": "in downgrade()"}


def _refuse_template(text: str) -> None:
    if not all(part in text for part in (IMPORT, CREATES, DROPS)):
        raise SetupError(
            "script.py.mako leaves out what a revision says; nothing was written\n"
            '  add `${imports if imports else ""}` below its imports, and in its functions'
            ' `${upgrades if upgrades else "pass"}` and the same of downgrades, as in Alembic\'s own'
        )
