"""A project whose seeded tables change all the time: each step changes models and documents, and ships both.

Its history is made by the real `alembic revision --autogenerate`, on a database that follows each step; hands
edit a schema revision where Alembic cannot know better: a column that is renamed, or must have a value.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from pydantic import BaseModel, ConfigDict

from seedrail import RunOptions, SeedCatalog, SeedRow, SeedSet, SeedTable, seed_id
from tests.support.databases import Database
from tests.support.project import ROOT
from tests.support.workshop import ENV, SCHEMA

PLAIN, REQUIRED, DEFAULT = "plain", "required", "default"
"""What columns are: may be empty, must have a value, have a server default."""

Rows = Mapping[str, Mapping[str, str | None]]
"""Values of the columns by row."""


class Element(BaseModel):
    """A parent with its columns, and its children."""

    model_config = ConfigDict(extra="allow")

    name: str
    children: list[str] = []


@dataclass
class Step:
    """What the models and the document are from now on.

    `columns` are those of the parents, and what they are; `renamed` was one of them (new name, old name).
    There may be a `table` of children, by the name `child` and with the natural key `key`, and it may be
    `seeded`.
    """

    columns: Mapping[str, str]
    rows: Rows
    children: Mapping[str, Sequence[str]] = field(default_factory=dict)
    table: bool = True
    seeded: bool = True
    release: bool = False
    renamed: tuple[str, str] | None = None
    child: str = "children"
    key: tuple[str, ...] = ("parent_id", "name")
    set: str = "parents"
    apart: bool = False
    """Whether the children are a set of their own."""


@dataclass
class Evolving:
    """The project, and the step at which it is."""

    root: Path
    kind: str
    step: Step = field(default_factory=lambda: Step({}, {}))

    @classmethod
    def opened(cls, database: Database, root: Path) -> "Evolving":
        """A history of a schema revision 0001 and seed_base, and a database that is there."""
        (root / "versions").mkdir(parents=True)
        (root / "env.py").write_text(ENV)
        shutil.copy(ROOT / "migrations/script.py.mako", root)
        made = cls(root, database.kind)
        made._write("0001", None, *_tables())
        made._write("seed_base", "0001", "op.create_seed_ledger()", "op.drop_seed_ledger()")
        made.run(database, "upgrade", "head")
        return made

    def _write(self, revision: str, down: str | None, up: str, down_: str) -> None:
        text = SCHEMA.format(
            message="by hand", revision=revision, down=down, up=up, down_=down_, depends_on=None
        )
        (self.root / "versions" / f"{revision}_by_hand.py").write_text(text)

    def ship(self, database: Database, step: Step, **options: str) -> None:
        """Change models and document, make the revisions that it takes, and apply them with `options`."""
        before, self.step = self.step, step
        elements = [
            {"name": name, **values, "children": list(step.children.get(name, ()))}
            for name, values in step.rows.items()
        ]
        (self.root / "parents.json").write_text(json.dumps(elements))
        files = set((self.root / "versions").iterdir())
        removed = {"seed_removed": "release"} if step.release else {}
        self.run(database, "revision", "more", options=removed, autogenerate=True)
        made = set((self.root / "versions").iterdir()) - files
        for file in made:
            if not file.name.startswith("seed_"):
                self._by_hand(file, before)
        self.run(database, "upgrade", "head", options=options)

    def _by_hand(self, file: Path, before: Step) -> None:
        text, step = file.read_text(), self.step
        if step.renamed is not None:
            new, old = step.renamed
            start = text.index("def upgrade")
            text = text[:start] + _RENAME.format(old=old, new=new)
        for name, kind in step.columns.items():
            if kind == REQUIRED and name not in before.columns and step.renamed is None:
                # As people do: let it come empty, fill it, and close it.
                open_ = f"sa.Column('{name}', sa.String(length=20), nullable=True)"
                text = text.replace(f"sa.Column('{name}', sa.String(length=20), nullable=False)", open_)
                start = text.index("\ndef downgrade")
                text = text[:start].rstrip() + _FILL.format(name=name) + "\n" + text[start:]
        file.write_text(text)

    def run(
        self,
        database: Database,
        name: str,
        *arguments: Any,
        options: Mapping[str, str] | None = None,
        **others: Any,
    ) -> None:
        """A command of Alembic."""
        config = Config(stdout=StringIO(), output_buffer=StringIO())
        config.set_main_option("script_location", str(self.root).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
        config.set_main_option("revision_environment", "true")
        config.attributes.update(
            engine=database.migrating,
            dialect=database.kind,
            metadata=self.metadata,
            catalog=self.catalog,
            options=RunOptions.parse(dict(options or {}), {}, "test"),
        )
        getattr(command, name)(config, *arguments, **others)

    @property
    def metadata(self) -> sa.MetaData:
        """The models."""
        metadata = sa.MetaData()
        made = {
            PLAIN: {"nullable": True},
            REQUIRED: {"nullable": False},
            DEFAULT: {"nullable": False, "server_default": "given"},
        }
        sa.Table(
            "parents",
            metadata,
            sa.Column("id", sa.Uuid(), primary_key=True),
            sa.Column("name", sa.String(20), nullable=False),
            *(sa.Column(name, sa.String(20), **made[kind]) for name, kind in self.step.columns.items()),
            sa.UniqueConstraint("name", name="uq_parents_name"),
        )
        if self.step.table:
            _children(metadata, self.step.child, self.step.key)
        return metadata

    @property
    def catalog(self) -> SeedCatalog:
        """The seed set."""
        step, metadata = self.step, self.metadata

        def flatten(element: Element) -> Any:
            values = {name: (element.model_extra or {}).get(name) for name in step.columns}
            yield SeedRow("parents", {"name": element.name, **values})
            if not step.apart:
                yield from children(element)

        def children(element: Element) -> Any:
            for index, child in enumerate(element.children if step.table and step.seeded else ()):
                link = {"parent_id": seed_id("parents", element.name), "name": child}
                yield SeedRow(step.child, link, path=("children", index))

        document = self.root / "parents.json"
        tables = [SeedTable(metadata.tables["parents"], ("name",))]
        kids = []
        if step.table and step.seeded:
            (kids if step.apart else tables).append(SeedTable(metadata.tables[step.child], step.key))
        sets = [SeedSet(step.set, document, Element, flatten, tuple(tables))]
        if kids:
            refused = frozenset({"test"})
            sets.append(SeedSet("kids", document, Element, children, tuple(kids), refused))
        return SeedCatalog(sets)

    def rows(self, database: Database) -> dict[str, set[tuple[Any, ...]]]:
        """What is in the tables that there are."""
        columns = sorted(self.step.columns)
        names = ", ".join(["name", *columns])
        found = {"parents": {tuple(row) for row in database.rows(f"SELECT {names} FROM parents")}}
        if self.step.table:
            found["children"] = {tuple(row) for row in database.rows("SELECT name FROM children")}
        return found

    @property
    def seeds(self) -> list[str]:
        """The seed revisions, in order, from seed_base on."""
        return ["seed_base", *sorted(file.name[:9] for file in (self.root / "versions").glob("seed_0*"))]


def _children(metadata: sa.MetaData, name: str, key: tuple[str, ...]) -> None:
    sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("parent_id", sa.ForeignKey("parents.id", name="fk_children_parents"), nullable=False),
        sa.Column("name", sa.String(20), nullable=False),
        sa.UniqueConstraint("parent_id", "name", name="uq_children_name"),
        *(sa.UniqueConstraint(one, name=f"uq_{name}_{one}") for one in key if len(key) == 1),
    )


def _tables() -> tuple[str, str]:
    up = (
        "op.create_table('parents', sa.Column('id', sa.Uuid(), primary_key=True),"
        " sa.Column('name', sa.String(20), nullable=False),"
        " sa.UniqueConstraint('name', name='uq_parents_name'))\n"
        "    op.create_table('children', sa.Column('id', sa.Uuid(), primary_key=True),"
        " sa.Column('parent_id', sa.Uuid(),"
        " sa.ForeignKey('parents.id', name='fk_children_parents'), nullable=False),"
        " sa.Column('name', sa.String(20), nullable=False),"
        " sa.UniqueConstraint('parent_id', 'name', name='uq_children_name'))"
    )
    return up, "op.execute('DROP TABLE IF EXISTS children')\n    op.drop_table('parents')"


_RENAME = """def upgrade() -> None:
    with op.batch_alter_table("parents") as batch:
        batch.alter_column("{old}", new_column_name="{new}")


def downgrade() -> None:
    with op.batch_alter_table("parents") as batch:
        batch.alter_column("{new}", new_column_name="{old}")
"""

_FILL = """
    op.execute("UPDATE parents SET {name} = 'filled'")
    with op.batch_alter_table("parents") as batch:
        batch.alter_column("{name}", existing_type=sa.String(length=20), nullable=False)
"""
