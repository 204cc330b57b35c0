"""A project of one table of one's own, `items`, with its document: autogenerate and moves in this process."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from pydantic import BaseModel, ConfigDict

from seedrail import RunOptions, SeedCatalog, SeedRow, SeedSet, SeedTable
from tests.support.databases import Database

ENV = """
from alembic import context
import seedrail

attributes = context.config.attributes

def run(**options):
    # The seeds alone: the table is not Alembic's.
    wired = seedrail.options(attributes["catalog"], autogenerate_plugins=())
    context.configure(target_metadata=attributes["metadata"], **wired, **options)
    with seedrail.begin(context, attributes["options"], lock_timeout=10):
        context.run_migrations()

if context.is_offline_mode():
    run(dialect_name=attributes["dialect"], literal_binds=True, dialect_opts={"paramstyle": "named"})
else:
    run(connection=attributes["connection"])
"""

TEMPLATE = """
from alembic import op
revision, down_revision, branch_labels, depends_on = ${repr(up_revision)}, ${repr(down_revision)}, None, None
${imports}
def upgrade():
    ${upgrades}
def downgrade():
    ${downgrades}
"""

SCHEMA = """
revision, down_revision, branch_labels, depends_on = "s1", None, None, None
def upgrade(): pass
def downgrade(): pass
"""

BASE = """
from alembic import op
revision, down_revision, branch_labels, depends_on = "seed_base", "s1", None, None
def upgrade(): op.create_seed_ledger(version=1)
def downgrade(): op.drop_seed_ledger(version=1)
"""


class _Element(BaseModel):
    model_config = ConfigDict(extra="allow", strict=False)


_CONVERT: dict[type, Callable[[str], Any]] = {
    sa.Date: date.fromisoformat,
    sa.DateTime: datetime.fromisoformat,
}
"""What JSON has no form for."""


@dataclass
class Items:
    """A table `items` with the key `name`, whose further columns the test gives; `ddl` makes it otherwise."""

    database: Database
    directory: Path
    columns: Iterable[Any] = ()
    ddl: str | None = None
    metadata: sa.MetaData = field(default_factory=sa.MetaData)

    def __post_init__(self) -> None:
        self.table = sa.Table(
            "items",
            self.metadata,
            sa.Column("id", sa.Uuid(), primary_key=True),
            sa.Column("name", sa.String(50), nullable=False),
            *self.columns,
            sa.UniqueConstraint("name", name="uq_items_name"),
        )
        versions = self.directory / "versions"
        versions.mkdir(parents=True)
        (self.directory / "env.py").write_text(ENV)
        (self.directory / "script.py.mako").write_text(TEMPLATE)
        (versions / "s1.py").write_text(SCHEMA)
        (versions / "seed_base.py").write_text(BASE)
        if self.ddl:
            self.database.execute(self.ddl)
        self.metadata.create_all(self.database.engine)

    def catalog(self) -> SeedCatalog:
        """The one seed set."""

        def rows(element: Any) -> Iterator[SeedRow]:
            yield SeedRow(
                "items", {name: self._value(name, one) for name, one in element.model_extra.items()}
            )

        document = self.directory / "items.json"
        return SeedCatalog([SeedSet("items", document, _Element, rows, (SeedTable(self.table, ("name",)),))])

    def _value(self, column: str, given: Any) -> Any:
        convert = _CONVERT.get(type(self.table.c[column].type))
        return convert(given) if convert and given is not None else given

    def ship(self, *elements: dict[str, Any], removed: str = "delete", policy: str = "abort") -> None:
        """A revision of a document with these elements, applied."""
        (self.directory / "items.json").write_text(json.dumps(elements, default=str))
        self.upgrade()
        with self._connected(removed=removed) as config:
            command.revision(config, message="seeds", autogenerate=True)
        self.upgrade(policy=policy)

    def check(self) -> None:
        """`alembic check`."""
        with self._connected() as config:
            command.check(config)

    def upgrade(self, target: str = "head", policy: str = "abort") -> None:
        """`alembic upgrade`."""
        with self._connected(policy) as config:
            command.upgrade(config, target)

    def downgrade(self, target: str = "seed_base", policy: str = "abort") -> None:
        """`alembic downgrade`."""
        with self._connected(policy) as config:
            command.downgrade(config, target)

    def run_script(self, direction: str, span: str, policy: str = "abort") -> bool:
        """Whether the native client ran the script of a command to its end."""
        config = self._config(policy)
        config.output_buffer = StringIO()
        getattr(command, direction)(config, span, sql=True)
        self.database.close()
        return self.database.run_script(config.output_buffer.getvalue()).returncode == 0

    def values(self, column: str) -> dict[str, Any]:
        """A column's values by name, as the database has them."""
        return dict(map(tuple, self.database.rows(f"SELECT name, {column} FROM items")))

    @contextmanager
    def _connected(self, policy: str = "abort", removed: str = "delete") -> Iterator[Config]:
        config = self._config(policy, removed)
        with self.database.migrating.connect() as connection:
            config.attributes["connection"] = connection
            yield config

    def _config(self, policy: str, removed: str = "delete") -> Config:
        config = Config(stdout=StringIO())
        config.set_main_option("script_location", str(self.directory))
        config.set_main_option("path_separator", "os")
        config.attributes.update(
            catalog=self.catalog(),
            metadata=self.metadata,
            dialect=self.database.kind,
            options=RunOptions.parse({"seed_conflict": policy, "seed_removed": removed}, {}, "test"),
        )
        return config
