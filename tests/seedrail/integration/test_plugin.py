"""An application of one's own: Alembic's stock templates, its own hooks, and what env.py may forget."""

import logging
import os
import re
from argparse import Namespace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate.rewriter import Rewriter
from alembic.config import Config
from alembic.operations import ops
from sqlalchemy.engine import make_url

from seedrail import SetupError
from tests.support.databases import Database
from tests.support.processes import start
from tests.support.project import ROOT, end
from tests.support.workshop import Workshop


class Shop:
    """A folder that `alembic init` made, with the three lines that the guide adds to its env.py."""

    def __init__(self, root: Path, database: Database, template: str = "generic") -> None:
        self.root, self.database, self.template = root, database, template
        root.mkdir()
        self.workshop = Workshop(database, root)
        fresh = Config(str(root / "alembic.ini"), toml_file=root / "pyproject.toml", stdout=StringIO())
        command.init(fresh, str(root / "migrations"), template=template)
        self.env = root / "migrations" / "env.py"
        self.edit("target_metadata = None", 'target_metadata = config.attributes["metadata"]')
        self.edit("from alembic import context\n", "from alembic import context\n\nimport seedrail\n")
        self.edit(
            "target_metadata=target_metadata",
            'target_metadata=target_metadata, **seedrail.options(config.attributes["catalog"])',
        )
        self.edit("with context.begin_transaction():", "with seedrail.begin(context):")

    def edit(self, old: str, new: str) -> None:
        text = self.env.read_text()
        assert old in text, text
        self.env.write_text(text.replace(old, new))

    def config(self) -> Config:
        config = Config(stdout=StringIO(), output_buffer=StringIO())
        config.set_main_option("script_location", str(self.root / "migrations"))
        config.set_main_option("path_separator", "os")
        config.set_main_option("revision_environment", "true")
        url = make_url(self.database.url)
        if self.template.endswith("async") and self.database.kind == "sqlite":
            url = url.set(drivername="sqlite+aiosqlite")
        config.set_main_option("sqlalchemy.url", url.render_as_string(hide_password=False).replace("%", "%%"))
        config.attributes.update(metadata=self.workshop.metadata, catalog=self.workshop.catalog)
        return config

    def run(self, name: str, *arguments: Any, **options: Any) -> str:
        config = self.config()
        getattr(command, name)(config, *arguments, **options)
        assert isinstance(config.output_buffer, StringIO)
        return config.output_buffer.getvalue()

    def ship(self, message: str, revision: str | None = None) -> None:
        self.run("revision", message, autogenerate=True, rev_id=revision)

    def begin_history(self) -> None:
        """The schema by autogenerate, seed_base by hand."""
        self.ship("tables", "0001")
        base = self.root / "migrations/versions/seed_base_.py"
        base.write_text(
            "from alembic import op\n"
            'revision, down_revision, branch_labels, depends_on = "seed_base", "0001", None, None\n'
            "def upgrade(): op.create_seed_ledger(version=1)\n"
            "def downgrade(): op.drop_seed_ledger(version=1)\n"
        )
        self.run("upgrade", "head")
        self.workshop.seeds({"name": "lumi", "site": "CSC"})


@pytest.fixture
def shop(sqlite: Database, tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop", sqlite)


def ships_and_rolls_back(shop: Shop) -> None:
    shop.begin_history()
    shop.ship("first")
    shop.run("upgrade", "head")
    assert shop.database.rows("SELECT name, site FROM machines") == [("lumi", "CSC")]
    shop.run("check")
    shop.workshop.seeds({"name": "lumi", "site": "Kajaani"})
    shop.workshop.columns.append("room")
    shop.ship("both rails")
    shop.run("upgrade", "head")
    assert shop.database.rows("SELECT site, room FROM machines") == [("Kajaani", None)]
    assert "Kajaani" in shop.run("upgrade", "seed_base:head", sql=True)
    shop.run("downgrade", "seed_base")
    assert shop.database.rows("SELECT * FROM machines") == []
    shop.run("downgrade", "base")


@pytest.mark.long_on("postgresql")
@pytest.mark.parametrize("template", ["generic", "async"])
def test_the_stock_templates_ship_seeds_and_roll_back(
    database: Database, tmp_path: Path, template: str
) -> None:
    ships_and_rolls_back(Shop(tmp_path / "shop", database, template))


@pytest.mark.long
@pytest.mark.parametrize("template", ["pyproject", "pyproject_async"])
def test_so_do_those_of_a_pyproject(database: Database, tmp_path: Path, template: str) -> None:
    ships_and_rolls_back(Shop(tmp_path / "shop", database, template))


def test_a_run_that_fails_leaves_sqlite_as_it_was_without_a_tamed_driver(shop: Shop) -> None:
    shop.begin_history()
    shop.workshop.columns.append("room")
    shop.ship("both rails")
    [later] = (shop.root / "migrations/versions").glob("seed_0001_*.py")
    later.write_text(
        later.read_text().replace(
            "op.upgrade_seeds(revision)", "op.upgrade_seeds(revision); raise OSError('disk')"
        )
    )
    with pytest.raises(OSError, match="disk"):
        shop.run("upgrade", "head")
    assert "room" not in str(shop.database.rows("SELECT sql FROM sqlite_master WHERE name = 'machines'"))


# -- hooks of the application ----------------------------------------------------------------------


def test_hooks_of_the_application_are_called_beside_the_seeds(shop: Shop) -> None:
    calls: list[str] = []
    rewriter = Rewriter()

    @rewriter.rewrites(ops.CreateTableOp)
    def rename(context: Any, revision: Any, op: ops.CreateTableOp) -> ops.CreateTableOp:
        calls.append(f"rewrites {op.table_name}")
        return op

    def include_name(name: str | None, kind: str, parents: Any) -> bool:
        calls.append(f"{kind} {name}")
        return name != "diary"

    def number(context: Any, revision: Any, directives: list[ops.MigrationScript]) -> None:
        calls.append(f"directives {len(directives)}")
        directives[0].rev_id = "0042"

    def applied(*, step: Any, **_: Any) -> None:
        calls.append(f"applied {step.up_revision_id}")

    hooks = {
        "include_name": include_name,
        "process_revision_directives": [rewriter, number],
        "on_version_apply": applied,
    }
    shop.begin_history()
    shop.database.execute("CREATE TABLE diary (text TEXT)")
    shop.edit('config.attributes["catalog"])', 'config.attributes["catalog"], **config.attributes["hooks"])')
    config = shop.config
    shop.config = lambda: _with(config(), hooks=hooks)  # type: ignore[method-assign]
    shop.workshop.others.add("shelves")
    shop.ship("shelves")
    assert {"table diary", "table seed_claims", "rewrites shelves", "directives 1"} <= {*calls}
    shop.run("upgrade", "head")
    assert calls[-2:] == ["applied 0042", "applied seed_0001"]
    written = "".join(path.read_text() for path in (shop.root / "migrations/versions").glob("*.py"))
    assert "drop_table('seed_" not in written
    assert "diary" not in written


def _with(config: Config, **attributes: Any) -> Config:
    config.attributes.update(attributes)
    return config


def test_other_plugins_stay(sqlite: Database, tmp_path: Path) -> None:
    from seedrail import options

    assert options(lambda: None, autogenerate_plugins=["alembic.autogenerate.*", "mine"])[  # type: ignore
        "autogenerate_plugins"
    ] == ["alembic.autogenerate.*", "mine", "seedrail"]


# -- what env.py forgets ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lacking", "instead", "sentence"),
    [
        (
            ', **seedrail.options(config.attributes["catalog"])',
            "",
            r"add `\*\*seedrail.options\(seeds\)` to context.configure",
        ),
        (
            "with seedrail.begin(context):",
            "with context.begin_transaction():",
            r"write `with seedrail.begin\(context\):`",
        ),
        (
            "target_metadata=target_metadata, **",
            "target_metadata=target_metadata, transaction_per_migration=True, **",
            "take transaction_per_migration",
        ),
    ],
)
@pytest.mark.parametrize("name", ["upgrade", "revision"])
def test_what_env_py_forgets_is_said_at_the_first_command(
    shop: Shop, lacking: str, instead: str, sentence: str, name: str
) -> None:
    whole = shop.env.read_text()
    shop.ship("tables", "0001")
    shop.edit(lacking, instead)
    if "options" in lacking:
        shop.edit("import seedrail", "import seedrail.integration.plugin")
    if name == "revision":
        forgetful = shop.env.read_text()
        shop.env.write_text(whole)
        shop.run("upgrade", "head")
        shop.env.write_text(forgetful)
    with pytest.raises(SetupError, match=sentence):
        shop.ship("more") if name == "revision" else shop.run("upgrade", "head")
    assert len([*(shop.root / "migrations/versions").glob("*.py")]) == 1


def test_an_env_py_that_never_heard_of_seeds_is_told_by_the_first_seed_revision(tmp_path: Path) -> None:
    """As Alembic writes it, in a process that has imported nothing of the seeds."""
    ini, history = tmp_path / "alembic.ini", tmp_path / "migrations"
    command.init(Config(str(ini), stdout=StringIO()), str(history))
    text = ini.read_text().replace("driver://user:pass@localhost/dbname", f"sqlite:///{tmp_path / 'a.db'}")
    ini.write_text(text)
    (history / "versions" / "seed_base.py").write_text(
        "from alembic import op\nfrom seedrail import operations\n"
        'revision, down_revision, branch_labels, depends_on = "seed_base", None, None, None\n'
        "def upgrade(): op.create_seed_ledger(version=1)\n"
        "def downgrade(): op.drop_seed_ledger(version=1)\n"
    )
    outcome = end(start(("alembic", "-c", str(ini), "upgrade", "head"), ROOT, os.environ))
    assert outcome.code == 255
    assert "write `with seedrail.begin(context):` where it says" in outcome.text
    assert "Traceback" not in outcome.text


def test_a_generated_revision_brings_the_operations_that_it_calls(shop: Shop) -> None:
    shop.begin_history()
    shop.ship("first")
    file = next(path for path in (shop.root / "migrations/versions").glob("*first*.py"))
    text = file.read_text()
    pins = r"\nimport sqlalchemy as sa\nfrom seedrail import operations  # .*\n\nseed_changes = .*\nseed_sha"
    assert re.search(pins, text)


@pytest.mark.parametrize(
    "lacking", ["if context.is_offline_mode():", "        literal_binds=True,\n", "paramstyle"]
)
def test_a_missing_offline_branch_is_said_by_the_first_script(
    postgresql: Database, tmp_path: Path, lacking: str
) -> None:
    shop = Shop(tmp_path / "shop", postgresql)
    shop.ship("tables", "0001")
    if lacking.startswith("if"):
        shop.edit(lacking, "if False:")
    elif lacking.endswith("\n"):
        shop.edit(lacking, "")
    else:
        shop.edit('        dialect_opts={"paramstyle": "named"},\n', "")
    with pytest.raises(SetupError, match=r"add `if context.is_offline_mode\(\): .*literal_binds=True"):
        shop.run("upgrade", "head", sql=True)


@pytest.mark.parametrize(
    ("level", "quiet", "said"),
    [(logging.NOTSET, False, True), (logging.NOTSET, True, False), (logging.WARNING, False, False)],
    ids=["nothing is set", "quiet", "somebody chose"],
)
def test_a_logger_without_a_level_is_said_on_the_command_line(
    shop: Shop, caplog: pytest.LogCaptureFixture, level: int, quiet: bool, said: bool
) -> None:
    log = logging.getLogger("seedrail")
    config = shop.config
    shop.config = lambda: _on_command_line(config(), quiet)  # type: ignore[method-assign]
    before, log.disabled = log.level, True
    log.setLevel(level)
    try:
        shop.run("upgrade", "head")
    finally:
        log.setLevel(before)
        log.disabled = False
    assert ("section [logger_seedrail]" in caplog.text) is said


def _on_command_line(config: Config, quiet: bool) -> Config:
    config.cmd_opts = Namespace(quiet=quiet, x=None)
    return config


def test_a_template_without_imports_is_said_and_leaves_no_file(shop: Shop) -> None:
    shop.begin_history()
    template = shop.root / "migrations" / "script.py.mako"
    template.write_text(template.read_text().replace('${imports if imports else ""}', ""))
    with pytest.raises(SetupError, match=r"script.py.mako leaves out .*\n.*imports if imports"):
        shop.ship("first")
    assert {path.name for path in (shop.root / "migrations/versions").glob("seed_*.py")} == {"seed_base_.py"}
    assert not [*(shop.root / "migrations").glob("seeds/*")]
