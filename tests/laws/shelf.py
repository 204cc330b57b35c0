"""A small application whose documents are written in many styles: for edits that go back into them.

Places and works are two seed sets; a work stands in a place, may have a parent, and holds its parts. Each
kind of column is there, and a schema in camelCase, as the catalog's.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from sqlalchemy.dialects.postgresql import JSONB

from seedrail import RunOptions, SeedCatalog, SeedRow, SeedSet, SeedTable, seed_id
from seedrail.commands.database.environment import in_environment
from seedrail.integration.export.edited import Export, edits_exporter
from seedrail.integration.export.rows import TableRows, rows_exporter
from seedrail.integration.look import Verified, verifier
from tests.support.databases import Database
from tests.support.items import BASE, ENV, SCHEMA, TEMPLATE

METADATA = sa.MetaData()

USERS = sa.Table("users", METADATA, sa.Column("id", sa.Uuid(), primary_key=True))
PLACES = sa.Table(
    "places",
    METADATA,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("name", sa.String(50), nullable=False, unique=True),
    sa.Column("room_count", sa.Integer()),
    sa.Column("is_open", sa.Boolean(), nullable=False, server_default=sa.true()),
    sa.Column("open_since", sa.DateTime(timezone=True)),
    sa.Column("price", sa.Numeric(8, 2)),
    sa.Column("tags", sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")),
    sa.Column("owner_id", sa.ForeignKey("users.id", ondelete="SET NULL")),
)
WORKS = sa.Table(
    "works",
    METADATA,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("name", sa.String(50), nullable=False),
    sa.Column("place_id", sa.ForeignKey("places.id"), nullable=False),
    sa.Column("parent_id", sa.ForeignKey("works.id", ondelete="SET NULL")),
    sa.Column("other_place_id", sa.ForeignKey("places.id")),
    sa.Column("due", sa.Date()),
    sa.Column("weight", sa.Float()),
    sa.Column("notes", sa.Text()),
    sa.UniqueConstraint("name", "place_id"),
)
PARTS = sa.Table(
    "parts",
    METADATA,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("work_id", sa.ForeignKey("works.id", ondelete="CASCADE"), nullable=False),
    sa.Column("name", sa.String(50), nullable=False),
    sa.Column("amount", sa.Integer()),
    sa.Column("label", sa.String(50)),
    sa.UniqueConstraint("work_id", "name"),
)
TABLES = (PLACES, WORKS, PARTS)


class _Document(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", validate_by_name=False)


class PlaceDocument(_Document):
    """An element of places.json."""

    name: str
    room_count: int | None = None
    is_open: bool = True
    open_since: datetime | None = None
    price: Decimal | None = None
    tags: Any = None
    owner_id: UUID | None = None


class PlaceReference(_Document):
    """A place by its name."""

    name: str


class WorkReference(_Document):
    """A work by its natural key."""

    name: str
    place: PlaceReference


class PartDocument(_Document):
    """An element of a work's parts."""

    name: str
    amount: int | None = None
    label: str | None = None


class WorkDocument(_Document):
    """An element of works.json."""

    name: str
    place: PlaceReference
    parent: WorkReference | None = None
    other_place: PlaceReference | None = None
    due: date | None = None
    weight: float | None = None
    notes: str | None = None
    parts: list[PartDocument] = []


def place_id(name: str) -> str:
    return seed_id("places", name)


def work_id(name: str, place: str) -> str:
    return seed_id("works", name, place_id(place))


def _places(place: PlaceDocument) -> Iterator[SeedRow]:
    yield SeedRow("places", vars(place))


def _works(work: WorkDocument) -> Iterator[SeedRow]:
    parent, other = work.parent, work.other_place
    values = {name: getattr(work, name) for name in ("name", "due", "weight", "notes")}
    values["place_id"] = place_id(work.place.name)
    values["parent_id"] = work_id(parent.name, parent.place.name) if parent else None
    values["other_place_id"] = place_id(other.name) if other else None
    places = {
        "place_id": ("place", "name"),
        "parent_id": ("parent",),
        "other_place_id": ("otherPlace", "name"),
    }
    yield SeedRow("works", values, paths=places)
    for index, part in enumerate(work.parts):
        values = {**vars(part), "work_id": work_id(work.name, work.place.name)}
        yield SeedRow("parts", values, path=("parts", index))


@dataclass
class Shelf:
    """The project in a folder, on a database that has its tables."""

    database: Database
    directory: Path
    documents: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        versions = self.directory / "versions"
        versions.mkdir(parents=True)
        (self.directory / "env.py").write_text(ENV)
        (self.directory / "script.py.mako").write_text(TEMPLATE)
        (versions / "s1.py").write_text(SCHEMA)
        (versions / "seed_base.py").write_text(BASE)
        METADATA.create_all(self.database.engine)
        self.documents = {name: self.directory / f"{name}.json" for name in ("places", "works")}

    def catalog(self) -> SeedCatalog:
        """The two sets."""
        return SeedCatalog(
            [
                SeedSet(
                    "places",
                    self.documents["places"],
                    PlaceDocument,
                    _places,
                    (SeedTable(PLACES, ("name",), missing_as_null=("owner_id",)),),
                ),
                SeedSet(
                    "works",
                    self.documents["works"],
                    WorkDocument,
                    _works,
                    (SeedTable(WORKS, ("name", "place_id")), SeedTable(PARTS, ("work_id", "name"))),
                ),
            ]
        )

    def write(self, places: str, works: str) -> None:
        """The documents, as texts."""
        self.documents["places"].write_bytes(places.encode())
        self.documents["works"].write_bytes(works.encode())

    def texts(self) -> dict[str, str]:
        """The same."""
        return {name: path.read_bytes().decode() for name, path in self.documents.items()}

    def ship(self, policy: str = "abort") -> None:
        """A revision of the documents, applied."""
        self.upgrade()
        with self._connected() as config:
            command.revision(config, message="seeds", autogenerate=True)
        self.upgrade(policy)

    def upgrade(self, policy: str = "abort") -> None:
        """`alembic upgrade head`; under `abort` it is refused where it meets a conflict."""
        with self._connected(policy) as config:
            command.upgrade(config, "head")

    def export(self, *, settled: bool = False) -> Export:
        """`seedrail export --edited`."""
        found: list[Export] = []
        with self._connected() as config:
            in_environment(config, edits_exporter("", found, settled=settled))
        return found[0]

    def rows(self, table: str) -> TableRows:
        """`seedrail export TABLE`."""
        found: list[TableRows] = []
        with self._connected() as config:
            in_environment(config, rows_exporter(table, (), found))
        return found[0]

    def verify(self) -> Verified:
        """`seedrail verify`."""
        found: list[Verified] = []
        with self._connected() as config:
            in_environment(config, verifier(found))
        return found[0]

    def content(self) -> dict[str, list[Any]]:
        """The rows of all tables, with Python's values."""
        with self.database.engine.connect() as connection:
            return {one.name: sorted(map(repr, connection.execute(sa.select(one)))) for one in TABLES}

    @contextmanager
    def _connected(self, policy: str = "abort") -> Iterator[Config]:
        config = Config(stdout=StringIO())
        config.set_main_option("script_location", str(self.directory))
        config.set_main_option("path_separator", "os")
        options = RunOptions.parse({"seed_conflict": policy}, {}, "test")
        config.attributes.update(catalog=self.catalog(), metadata=METADATA, options=options)
        with self.database.migrating.connect() as connection:
            config.attributes["connection"] = connection
            yield config


# -- documents of many styles

NAMES = ("a", "b", "ç", 'd "quoted"', "e\\f", "g, h", "日本")


@dataclass(frozen=True)
class Written:
    """How a document is written."""

    indent: Any
    escapes: bool
    newline: str

    @classmethod
    def any(cls, rnd: Random) -> "Written":
        """One of many styles."""
        indent = rnd.choice([2, 2, 4, "\t", None])
        return cls(indent, rnd.random() < 0.3, rnd.choice(["\n", "\n", "\r\n"]))

    def __call__(self, elements: list[Any]) -> str:
        text = json.dumps(elements, indent=self.indent, ensure_ascii=self.escapes)
        return (text + "\n").replace("\n", self.newline)


def shuffled(rnd: Random, members: dict[str, Any], keep: tuple[str, ...] = ("name",)) -> dict[str, Any]:
    """An object with its keys in any order; a null is written or left out."""
    kept = {key: one for key, one in members.items() if one is not None or rnd.random() < 0.4}
    names = [*(one for one in keep if one in kept), *(one for one in kept if one not in keep)]
    if rnd.random() < 0.5:
        rnd.shuffle(names)
    return {name: kept[name] for name in names}


def some_json(rnd: Random, depth: int = 0) -> Any:
    """A value of JSON."""
    kind = rnd.randint(0, 7 if depth < 2 else 4)
    if kind == 5:
        return {
            key: some_json(rnd, depth + 1) for key in rnd.sample(["x", "y", "zé", "w"], rnd.randint(0, 3))
        }
    if kind >= 6:
        return [some_json(rnd, depth + 1) for _ in range(rnd.randint(0, 3))]
    return [rnd.randint(-5, 5), "text", 'é "q" \\', True, 2.5][kind]


def some_tags(rnd: Random) -> Any:
    """An object or list of JSON, or none."""
    return rnd.choice([None, {"x": some_json(rnd), "y": some_json(rnd)}, [some_json(rnd), 1]])


def documents(rnd: Random) -> tuple[list[Any], list[Any]]:
    """Elements of both."""
    names = rnd.sample(NAMES, rnd.randint(2, 5))
    places = [
        shuffled(
            rnd,
            {
                "name": name,
                "roomCount": rnd.choice([None, 0, 12]),
                "isOpen": rnd.choice([True, False]),
                "openSince": rnd.choice([None, "2020-01-01T00:00:00Z", "2019-12-31T23:00:00-01:00"]),
                "price": rnd.choice([None, "1.50", 2.5, 3]),
                "tags": some_tags(rnd),
            },
        )
        for name in names
    ]
    works: list[Any] = []
    for number in range(rnd.randint(1, 5)):
        parent = rnd.choice(works) if works and rnd.random() < 0.5 else None
        reference = {"name": parent["name"], "place": parent["place"]} if parent else None
        other = rnd.choice([None, {"name": rnd.choice(names)}])
        parts = [
            shuffled(
                rnd,
                {"name": part, "amount": rnd.choice([None, 1]), "label": rnd.choice([None, "l"])},
            )
            for part in rnd.sample(NAMES, rnd.randint(0, 3))
        ]
        element = {
            "name": f"w{number}",
            "place": {"name": rnd.choice(names)},
            "parent": reference,
            "otherPlace": other,
            "due": rnd.choice([None, "2021-02-03"]),
            "weight": rnd.choice([None, 1, 2.0, 3.25]),
            "notes": rnd.choice([None, "é", "a\nb"]),
            "parts": parts or None,
        }
        element = shuffled(rnd, element)
        if element.get("parts", ()) is None:
            del element["parts"]
        works.append(element)
    return places, works
