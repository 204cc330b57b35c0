"""A small project of one seeded table in a folder of its own, and Alembic's commands on it in this process.

Its history is written the way people write one: the commands make most files, and hands make or edit some.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from pydantic import BaseModel

from seedrail import RunOptions, SeedCatalog, SeedRow, SeedSet, SeedTable
from tests.support.databases import Database
from tests.support.project import ROOT

ENV = """
from alembic import context
import seedrail

def run(**options):
    attributes = context.config.attributes
    context.configure(target_metadata=attributes["metadata"], render_as_batch=True,
                      **seedrail.options(attributes["catalog"]), **options)
    with seedrail.begin(context, attributes["options"], lock_timeout=10):
        context.run_migrations()

if context.is_offline_mode():
    run(dialect_name=context.config.attributes["dialect"], literal_binds=True,
        dialect_opts={"paramstyle": "named"})
else:
    with context.config.attributes["engine"].connect() as connection:
        run(connection=connection)
"""

SCHEMA = '''"""{message}"""

import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {down!r}
branch_labels = None
depends_on = {depends_on!r}


def upgrade() -> None:
    {up}


def downgrade() -> None:
    {down_}
'''

MACHINES = (
    "op.create_table('machines', sa.Column('id', sa.Uuid(), primary_key=True),"
    " sa.Column('name', sa.String(50), nullable=False, unique=True), sa.Column('site', sa.String(50)))"
)


class Machine(BaseModel):
    """An element of the document."""

    name: str
    site: str | None = None
    room: str | None = None


@dataclass
class Workshop:
    """The project; `columns` are those that its model has beyond the first ones."""

    database: Database
    root: Path
    columns: list[str] = field(default_factory=list)
    others: set[str] = field(default_factory=set)
    """The models' other tables, of one column each."""
    environment: bool = True
    """The setting `revision_environment`."""

    @classmethod
    def opened(cls, database: Database, root: Path) -> "Workshop":
        """A history of a schema revision 0001 and seed_base, both written by hand, and no database yet."""
        (root / "versions").mkdir(parents=True)
        (root / "env.py").write_text(ENV)
        shutil.copy(ROOT / "migrations/script.py.mako", root)
        workshop = cls(database, root)
        workshop.schema("0001", None, MACHINES, "op.drop_table('machines')")
        workshop.schema("seed_base", "0001", "op.create_seed_ledger()", "op.drop_seed_ledger()")
        workshop.seeds({"name": "lumi", "site": "CSC"}, {"name": "levante", "site": "DKRZ"})
        return workshop

    # -- what people write

    def schema(
        self,
        revision: str,
        down: str | tuple[str, ...] | None,
        up: str = "pass",
        down_: str = "pass",
        depends_on: str | None = None,
    ) -> Path:
        """A revision file by hand."""
        path = self.file(revision)
        path.write_text(
            SCHEMA.format(
                message="by hand", revision=revision, down=down, up=up, down_=down_, depends_on=depends_on
            )
        )
        return path

    def room(self, revision: str, down: str | tuple[str, ...], column: str = "room") -> Path:
        """A schema revision by hand that brings a column, which the model has from now on."""
        self.columns.append(column)
        up = f"op.add_column('machines', sa.Column({column!r}, sa.String(50)))"
        return self.schema(revision, down, up, f"op.drop_column('machines', {column!r})")

    def diary(self, revision: str, down: str | tuple[str, ...], depends_on: str | None = None) -> Path:
        """A schema revision by hand that brings a table of people's rows, which no seed fills."""
        self.others.add("diary")
        up = "op.create_table('diary', sa.Column('text', sa.Text()))"
        return self.schema(revision, down, up, "op.drop_table('diary')", depends_on)

    def seeds(self, *machines: dict[str, Any]) -> None:
        """The document."""
        (self.root / "machines.json").write_text(json.dumps(machines))

    def file(self, revision: str) -> Path:
        """The file of a revision: the one there is, or the one that a hand would make."""
        found = [*(self.root / "versions").glob(f"{revision}_*.py")]
        return found[0] if found else self.root / "versions" / f"{revision}_by_hand.py"

    def edit(self, revision: str, old: str, new: str) -> None:
        """Change a revision file by hand."""
        text = self.file(revision).read_text()
        assert old in text, text
        self.file(revision).write_text(text.replace(old, new))

    def replace_down(self, revision: str, down: Any) -> None:
        """Give a revision other parents."""
        lines = self.file(revision).read_text().splitlines()
        lines = [f"down_revision = {down!r}" if x.startswith("down_revision") else x for x in lines]
        self.file(revision).write_text("\n".join(lines) + "\n")

    # -- what people run

    def run(self, name: str, *arguments: Any, **options: Any) -> str:
        """A command of Alembic; returns its standard output."""
        config = self.config()
        getattr(command, name)(config, *arguments, **options)
        assert isinstance(config.stdout, StringIO)
        output = config.output_buffer
        assert isinstance(output, StringIO)
        return config.stdout.getvalue() + output.getvalue()

    def ship(self, message: str = "more", **options: Any) -> None:
        """`alembic revision --autogenerate`."""
        self.run("revision", message, autogenerate=True, **options)

    def config(self) -> Config:
        """The settings of a command."""
        config = Config(stdout=StringIO(), output_buffer=StringIO())
        config.set_main_option("script_location", str(self.root).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
        config.set_main_option("revision_environment", str(self.environment))
        config.attributes.update(
            engine=self.database.migrating,
            dialect=self.database.kind,
            metadata=self.metadata,
            catalog=self.catalog,
            options=RunOptions.parse({}, {}, "test"),
        )
        return config

    @property
    def metadata(self) -> sa.MetaData:
        """The models."""
        metadata = sa.MetaData()
        sa.Table(
            "machines",
            metadata,
            sa.Column("id", sa.Uuid(), primary_key=True),
            sa.Column("name", sa.String(50), nullable=False, unique=True),
            sa.Column("site", sa.String(50)),
            *(sa.Column(name, sa.String(50)) for name in self.columns),
        )
        for other in self.others:
            sa.Table(other, metadata, sa.Column("text", sa.Text()))
        return metadata

    @property
    def catalog(self) -> SeedCatalog:
        """The seed set."""
        table = self.metadata.tables["machines"]

        def flatten(machine: Machine) -> Any:
            yield SeedRow("machines", {k: v for k, v in machine.model_dump().items() if k in table.c})

        declared = (SeedTable(table, ("name",)),)
        return SeedCatalog([SeedSet("machines", self.root / "machines.json", Machine, flatten, declared)])

    # -- what there is

    def files(self) -> set[str]:
        """The names of all revision files and change files."""
        folders = (self.root / "versions", self.root / "seeds")
        return {file.name for folder in folders for file in folder.glob("*.*") if file.is_file()}

    def down(self, revision: str) -> Sequence[str]:
        """The parents that a revision file names."""
        found: dict[str, Any] = {}
        exec(self.file(revision).read_text(), found)
        down = found["down_revision"]
        return (down,) if isinstance(down, str) else down

    def heads(self) -> set[str]:
        """The revisions that the database is at."""
        return {row[0] for row in self.database.rows("SELECT version_num FROM alembic_version")}
