"""The whole of it: what a project lacks for seeds, planned as edits, and written at once or not at all."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from alembic.config import Config
from alembic.script import Script, ScriptDirectory

from seedrail.errors import OptionError, SetupError
from seedrail.history.history import SEED_BASE
from seedrail.history.rail import Rail
from seedrail.integration.setup import base
from seedrail.integration.setup.edits import BY_HAND, MADE, THERE, Edit, Piece, all_or_nothing, near, text_of
from seedrail.integration.setup.environment import wired
from seedrail.integration.setup.git import attributes
from seedrail.integration.setup.settings import settings
from seedrail.integration.setup.stock import is_stock
from seedrail.quoting import shown


@dataclass(frozen=True)
class Setup:
    """The pieces of a project in their order; `head` is what a `seed_base` that is to be made follows."""

    config: Config
    pieces: Sequence[Piece]
    folder: Path
    head: str | None

    @property
    def edits(self) -> list[Edit]:
        """What is to be written, but for what people do by hand."""
        return _last_of_each([one.edit for one in self.pieces if one.edit and one.state == MADE])

    @property
    def by_hand(self) -> list[Piece]:
        """What is left to people."""
        return [one for one in self.pieces if one.state == BY_HAND]

    @property
    def complete(self) -> bool:
        """Whether nothing is to be written."""
        return not self.edits and self.folder.is_dir()


def planned(config: Config, *, env: bool = False, seeds: str | None = None) -> Setup:
    """What a project has and lacks; with `env`, its env.py is to be written too, else it is only shown.

    `seeds` is where its seed sets are, as `module:name`. SetupError, RailError or HistoryError where
    the project cannot get a `seed_base`, OptionError where there is no such module.
    """
    scripts = ScriptDirectory.from_config(config)
    _check_seeds(seeds)
    rail = Rail(scripts)
    rail.check()
    head = None if rail.exists else base.schema_head(rail)
    environment = _environment(Path(scripts.dir) / "env.py", seeds, env=env)
    pieces = [
        _base(rail, head),
        _folder(rail.directory),
        attributes(rail.directory, _root(config)),
        *settings(config),
        environment,
    ]
    return Setup(config, pieces, rail.directory, head)


def write(setup: Setup) -> None:
    """Make what is planned; SeedError, or Alembic's own, where one step fails, and nothing was written."""
    preview = setup.pieces[0].edit
    with all_or_nothing() as undo:
        undo.folder(setup.folder)
        for edit in setup.edits:
            if preview is None or edit.path != preview.path:
                undo.write(edit)
        if setup.head is not None and preview is not None:
            undo.folder(preview.path.parent)
            base.make(ScriptDirectory.from_config(setup.config), setup.head, undo)
        Rail(ScriptDirectory.from_config(setup.config)).check()


def _base(rail: Rail, head: str | None) -> Piece:
    if head is None:
        return _there(rail.history.by_id[SEED_BASE])
    path, text = base.preview(rail.history.scripts, head)
    return Piece(SEED_BASE, MADE, f"{near(path)}, on top of {shown(head)}", Edit(path, None, text))


def _there(script: Script) -> Piece:
    """One that is there; people may have made it, and its ledger is made by nothing else."""
    if "create_seed_ledger" in base.called(script):
        return Piece(SEED_BASE, THERE, near(script.path))
    return Piece(SEED_BASE, BY_HAND, f"{near(script.path)}: let its upgrade() call {base.CREATES}")


def _folder(folder: Path) -> Piece:
    return Piece("change files", THERE if folder.is_dir() else MADE, near(folder))


def _root(config: Config) -> Path:
    """The folder of the project: where its configuration is."""
    file = config.config_file_name or config.toml_file_name
    return Path(file).absolute().parent if file else Path.cwd()


def _environment(path: Path, seeds: str | None, *, env: bool) -> Piece:
    source = text_of(path)
    if source is None:
        raise SetupError(f"there is no {near(path)}; restore it, or make one with alembic init")
    found = wired(source, seeds)
    edit = Edit(path, source, found.after)
    left = "; ".join(found.missing)
    if found.after == found.before and not left:
        return Piece("env.py", THERE, "gives its seeds to Alembic, and begins its runs with them")
    if left or not is_stock(source):
        told = left or "is to be given its seeds by hand: see the lines below"
        return Piece("env.py", BY_HAND, told, edit)
    if not env:
        told = "is to be given its seeds: see the lines below, or let --write-env write them"
        return Piece("env.py", BY_HAND, told, edit)
    return Piece("env.py", MADE, "gives its seeds to Alembic, and begins its runs with them", edit)


def _check_seeds(seeds: str | None) -> None:
    if seeds is None:
        return
    match = re.fullmatch(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)", seeds)
    if match is None:
        raise OptionError(
            f"{shown(seeds)} does not name seeds: say MODULE:NAME, as in myapp.seeds:seed_catalog"
        )
    try:
        found = find_spec(match[1]) is not None
    except Exception:  # the packages above it are programs, which may fail in any way
        found = False
    if not found:
        raise OptionError(
            f"there is no module {shown(match[1])} to import; is its folder in prepend_sys_path?"
        )


def _last_of_each(edits: Sequence[Edit]) -> list[Edit]:
    """One edit a file: a later one goes on from the one before it."""
    found: dict[Path, Edit] = {}
    for edit in edits:
        first = found.get(edit.path)
        found[edit.path] = Edit(edit.path, first.before if first else edit.before, edit.after)
    return list(found.values())
