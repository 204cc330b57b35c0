"""A small application for the laws: its tables, its history written without autogenerate, and its users.

Three seeded tables (two of them one seed set): `groups` with an owner who may be missing; `nodes` with a
parent among themselves, a group, and a unique second column; `items`, which cascade with their node. And two
that nobody seeds: `users`, who own groups, and `notes`, an operator's table that no model knows, which points
at nodes.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from pydantic import BaseModel
from sqlalchemy.dialects.postgresql import JSONB

from seedrail import RunOptions, SeedCatalog, SeedSet, SeedTable, seed_id
from seedrail.commands.database.environment import in_environment
from seedrail.history.changefile import Header, encode, sha256, write
from seedrail.history.changes import Change, diff
from seedrail.history.rail import Rail
from seedrail.history.squash.squashing import squashed
from seedrail.history.squash.writing import finish, left_over, write_squash
from seedrail.integration.look import Way, looker
from seedrail.merge.database.standins import StandIn
from tests.support.changefiles import in_format_1
from tests.support.databases import Database

METADATA = sa.MetaData()
JSON = sa.JSON().with_variant(JSONB(), "postgresql")

USERS = sa.Table(
    "users",
    METADATA,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("name", sa.String(50), nullable=False),
)
GROUPS = sa.Table(
    "groups",
    METADATA,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("name", sa.String(50), nullable=False, unique=True),
    sa.Column("size", sa.Integer()),
    sa.Column("owner_id", sa.ForeignKey("users.id", ondelete="SET NULL")),
    sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
)
NODES = sa.Table(
    "nodes",
    METADATA,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("name", sa.String(50), nullable=False),
    sa.Column("group_id", sa.ForeignKey("groups.id"), nullable=False),
    sa.Column("parent_id", sa.ForeignKey("nodes.id")),
    sa.Column("slot", sa.String(50), unique=True),
    sa.Column("body", JSON),
    sa.Column("extra", sa.Text()),
    sa.Column("hits", sa.Integer(), server_default="0", nullable=False),
    sa.UniqueConstraint("name", "group_id"),
)
ITEMS = sa.Table(
    "items",
    METADATA,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("node_id", sa.ForeignKey("nodes.id", ondelete="CASCADE"), nullable=False),
    sa.Column("name", sa.String(50), nullable=False),
    sa.Column("amount", sa.Float()),
    sa.UniqueConstraint("node_id", "name"),
)

ENV = """
from alembic import context
import seedrail

def run(**options):
    attributes = context.config.attributes
    context.configure(target_metadata=None, **seedrail.options(lambda: attributes["catalog"]), **options)
    with seedrail.begin(context, attributes["options"], lock_timeout=10):
        context.run_migrations()

if context.is_offline_mode():
    run(dialect_name=context.config.attributes["dialect"], literal_binds=True,
        dialect_opts={"paramstyle": "named"})
else:
    run(connection=context.config.attributes["connection"])
"""

SCHEMA = """
import sqlalchemy as sa
from alembic import op
from tests.laws.world import METADATA, without_extra
revision, down_revision, branch_labels, depends_on = "s1", None, None, None
def upgrade():
    for statement in without_extra(op.get_context().dialect):
        op.execute(statement)
def downgrade():
    op.execute("DROP TABLE IF EXISTS notes")
    for name in ("items", "nodes", "groups", "users"):
        op.drop_table(name)
"""

LATER = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "s2", "s1", None, None
def upgrade():
    op.add_column("nodes", sa.Column("extra", sa.Text()))
def downgrade():
    op.drop_column("nodes", "extra")
"""

BASE = """
from alembic import op
revision, down_revision, branch_labels, depends_on = "seed_base", "s1", None, None
def upgrade():
    op.create_seed_ledger(version=1)
def downgrade():
    op.drop_seed_ledger(version=1)
"""

SEED = """
from alembic import op
revision, down_revision, branch_labels, depends_on = {revision!r}, {down!r}, None, None
seed_changes, seed_sha256 = {changes!r}, {sha256!r}
def upgrade():
    op.upgrade_seeds(revision)
def downgrade():
    op.downgrade_seeds(revision)
"""

TEMPLATE = """from alembic import op
${imports if imports else ""}
revision, branch_labels, depends_on = ${repr(up_revision)}, ${repr(branch_labels)}, ${repr(depends_on)}
down_revision = ${repr(down_revision)}
def upgrade():
    ${upgrades if upgrades else "pass"}
def downgrade():
    ${downgrades if downgrades else "pass"}
"""

State = Mapping[str, Mapping[str, Mapping[str, Any]]]


def without_extra(dialect: Any) -> Iterator[str]:
    """The tables as the first schema revision makes them: without the column that the second adds."""
    for table in (USERS, GROUPS, NODES, ITEMS):
        ddl = str(sa.schema.CreateTable(table).compile(dialect=dialect))
        yield ddl.replace("\textra TEXT, \n", "")
    uuid = "UUID" if dialect.name == "postgresql" else "CHAR(32)"
    yield f"CREATE TABLE notes (text TEXT, node {uuid} REFERENCES nodes (id) ON DELETE CASCADE)"


class _Nothing(BaseModel):
    pass


@cache
def catalog() -> SeedCatalog:
    """The world's seed sets; their documents are never read."""

    def one(name: str, *tables: SeedTable) -> SeedSet:
        return SeedSet(name, Path("unused.json"), _Nothing, lambda _: iter(()), tables)

    return SeedCatalog(
        [
            one("groups", SeedTable(GROUPS, ("name",), missing_as_null=("owner_id",))),
            one("nodes", SeedTable(NODES, ("name", "group_id")), SeedTable(ITEMS, ("node_id", "name"))),
        ]
    )


def user_id(name: str) -> str:
    """The id of a user: nobody seeds users, but seeds may name them."""
    return seed_id("users", name)


def group_id(name: str) -> str:
    return seed_id("groups", name)


def node_id(name: str, group: str) -> str:
    return seed_id("nodes", name, group_id(group))


def item_id(node: str, name: str) -> str:
    return seed_id("items", node, name)


@dataclass
class World:
    """A database and a history of seed states; `later` is the number of states made before schema s2.

    `releases` says of each state whether rows that left it are released instead of deleted. `owner` is the
    user whom the next runs give to groups whose owner is unknown.
    """

    database: Database
    directory: Path
    states: Sequence[State]
    later: int = 99
    releases: Sequence[bool] = ()
    owner: str | None = None
    given: dict[str, str] = field(default_factory=dict)
    """Other `-x` options of the next runs."""
    _revisions: list[str] = field(default_factory=list)

    @property
    def in_format_1(self) -> range:
        """The revisions with change files as old projects have them: in every other history the first."""
        return range(1, 1 + len(self.states) % 2)

    @property
    def head(self) -> str:
        return f"seed_{len(self.states):04d}"

    def revision(self, index: int) -> str:
        """The revision of the state with that number; 0 is seed_base."""
        return f"seed_{index:04d}" if index else "seed_base"

    def install_schema(self) -> None:
        """Everything but the seeds, so that a rollback ends in this very schema."""
        if self.later < len(self.states):
            self.upgrade("s2")
        self.upgrade("seed_base")

    def write_history(self) -> None:
        """The revision files and change files of all states."""
        shutil.rmtree(self.directory, ignore_errors=True)
        versions = self.directory / "versions"
        versions.mkdir(parents=True)
        (self.directory / "env.py").write_text(ENV)
        (self.directory / "script.py.mako").write_text(TEMPLATE)
        files = {"s1": SCHEMA, "s2": LATER, "seed_base": BASE}
        before: State = {}
        away: dict[str, dict[str, Any]] = {}
        parent, parent_sha256 = "seed_base", ""
        for number, state in enumerate(self.states, start=1):
            revision = self.revision(number)
            header = Header(revision, parent, parent_sha256, self._tables(number))
            content, suffix = self._encoded(header, number, before, state, away)
            write(self.directory / "seeds" / (revision + suffix), content)
            digest = sha256(content)
            down: Any = (parent, "s2") if number == self.later + 1 else parent
            files[revision] = SEED.format(
                revision=revision, down=down, changes=revision + suffix, sha256=digest
            )
            before, parent, parent_sha256 = state, revision, digest
        if self.later >= len(self.states):
            del files["s2"]
        for name, text in files.items():
            (versions / f"{name}.py").write_text(text)

    def _encoded(
        self, header: Header, number: int, before: State, state: State, away: dict[str, dict[str, Any]]
    ) -> tuple[bytes, str]:
        known = {name: {**away.get(name, {}), **before.get(name, {})} for name in header.tables}
        changes = list(self._changes(number, before, state, away))
        if number in self.in_format_1:
            return in_format_1(header, changes), ".jsonl"
        return encode(header, changes, known)

    def _changes(
        self, number: int, before: State, state: State, away: dict[str, dict[str, Any]]
    ) -> Iterator[Change]:
        """The changes to a state; `away` are the rows that were released, and is kept so."""
        for change in list(diff(before, state, away)):
            rows = away.setdefault(change.table, {})
            rows.pop(change.id, None)
            if self.releases and self.releases[number - 1] and change.kind == "delete":
                rows[change.id] = change.old
                yield change.release()
            else:
                yield change

    def live_ids(self, table: str) -> set[str]:
        """The seed ids that a database of nobody else holds at the head: seeded ones, and released ones."""
        there: set[str] = set()
        before: set[str] = set()
        for number, state in enumerate(self.states):
            now = set(state[table])
            there |= now
            if not (self.releases and self.releases[number]):
                there -= before - now
            before = now
        return there

    def _tables(self, number: int) -> Any:
        tables = dict(catalog().tables)
        if number <= self.later:
            nodes = tables["nodes"]
            columns = {name: column for name, column in nodes.columns.items() if name != "extra"}
            tables["nodes"] = type(nodes)(**{**nodes.__dict__, "columns": columns})
        return tables

    def upgrade(self, target: str = "head", policy: str = "abort") -> None:
        """`alembic upgrade` in this process."""
        self._run(command.upgrade, target, policy)

    def downgrade(self, target: str = "seed_base", policy: str = "abort") -> None:
        """`alembic downgrade` in this process."""
        self._run(command.downgrade, target, policy)

    def squash(self, before: str | None = None) -> None:
        """`seedrail squash` on the history's files."""
        config = self._config("abort")
        found = squashed(Rail(ScriptDirectory.from_config(config)), before)
        write_squash(config, found, "squash")

    def finish_squash(self) -> dict[Path, bytes]:
        """`seedrail squash --finish`: what it deletes."""
        rail = Rail(ScriptDirectory.from_config(self._config("abort")))
        files = {path: path.read_bytes() for path in left_over(rail)}
        finish(rail)
        return files

    def look(self, target: str = "head", policy: str = "abort") -> Way:
        """What a run to a target would do, as `seedrail plan` asks it, in this process."""
        found: list[Way] = []
        looker_ = looker(target, rows=True, found=found)
        self._run(lambda config, _: in_environment(config, looker_, target), target, policy)
        return found[0]

    def script(self, direction: str, span: str, policy: str = "abort") -> str:
        """The offline script of a command."""
        config = self._config(policy)
        config.output_buffer = StringIO()
        config.attributes["dialect"] = self.database.kind
        getattr(command, direction)(config, span, sql=True)
        return config.output_buffer.getvalue()

    def run_script(self, script: str) -> bool:
        """Whether the native client ran it to its end."""
        self.database.close()
        return self.database.run_script(script).returncode == 0

    def _run(self, what: Any, target: str, policy: str) -> None:
        config = self._config(policy)
        with self.migrating.connect() as connection:
            config.attributes["connection"] = connection
            what(config, target)

    def _config(self, policy: str) -> Config:
        config = Config(stdout=StringIO())
        config.set_main_option("script_location", str(self.directory))
        config.set_main_option("path_separator", "os")
        config.attributes["catalog"] = catalog()
        options = RunOptions.parse({"seed_conflict": policy, **self.given}, {}, "test")
        if self.owner is not None:
            ids = sa.select(USERS.c.id).where(USERS.c.name == self.owner)
            stand_in = StandIn("groups", "owner_id", ids, f"no user is called {self.owner!r}")
            options = replace(options, stand_ins=lambda: [stand_in])
        config.attributes["options"] = options
        return config

    @property
    def migrating(self) -> sa.Engine:
        return self.database.migrating

    @contextmanager
    def user(self) -> Iterator[sa.Connection]:
        """A user's transaction."""
        with self.database.engine.begin() as connection:
            yield connection

    def rows(self) -> dict[tuple[str, Any], dict[str, Any]]:
        """Every row of the seeded tables by table and id."""
        found = {}
        with self.database.engine.connect() as connection:
            for table in (GROUPS, NODES, ITEMS):
                there = {c["name"] for c in sa.inspect(connection).get_columns(table.name)}
                names = [c for c in table.c if c.name in there and c.name != "created_at"]
                for row in connection.execute(sa.select(*names)).mappings():
                    found[table.name, row["id"]] = dict(row)
        return found

    def dangling(self) -> list[Any]:
        """Links that lead nowhere; PostgreSQL never has any."""
        return self.database.rows("PRAGMA foreign_key_check") if self.database.kind == "sqlite" else []

    def typed_content(self) -> dict[str, list[Any]]:
        """The seeded tables with Python's values, which every database gives alike."""
        content = {}
        with self.database.engine.connect() as connection:
            columns = {c["name"] for c in sa.inspect(connection).get_columns("nodes")}
            for table in (GROUPS, NODES, ITEMS):
                names = [c for c in table.c if c.name in columns or table is not NODES]
                names = [c for c in names if c.name != "created_at"]
                content[table.name] = sorted(map(tuple, connection.execute(sa.select(*names))), key=repr)
        return content

    def content(self) -> dict[str, list[Any]]:
        """Every table of the application, whole."""
        return {k: v for k, v in self.database.content().items() if k != "alembic_version"}


Make = Callable[[Any], World]
"""Makes a fresh world of a history: its states, and what else World has of one."""
