"""What people do instead: hand-written migrations and seed scripts, and the fixtures of other tools.

The first two begin with finished Python values in memory. The others begin with their own file, as this
project does, and read it while the clock runs.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from benchmarks import loaddata, rows, seeder
from benchmarks.contender import Contender, Task, Work


def bulk_insert(task: Task) -> Work:
    """`op.bulk_insert` for each table, in the transaction of a migration."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    engine, tables = _engine(task), _tables()
    finished = rows.mappings(task.seeded)

    def run() -> None:
        with engine.begin() as connection:
            op = Operations(MigrationContext.configure(connection))
            for name, values in finished.items():
                op.bulk_insert(tables[name], values)

    return run


def core(task: Task) -> Work:
    """Core's insert of many rows; RETURNING is what makes it use insertmanyvalues on both databases."""
    engine, tables = _engine(task), _tables()
    finished = rows.mappings(task.seeded)

    def run() -> None:
        with engine.begin() as connection:
            for name, values in finished.items():
                table = tables[name]
                connection.execute(sa.insert(table).returning(table.c.id), values)

    return run


def orm_flush(task: Task) -> Work:
    """The usual seed script: for each simulation, add it, flush for its id, add what belongs to it."""
    engine = _engine(task)

    def run() -> None:
        with Session(engine) as session:
            script = _Script(session)
            for element in script.elements():
                simulation = script.simulation(element)
                session.add(simulation)
                session.flush()
                script.known[_key(element)] = simulation.id
                session.add_all(script.children(element, simulation.id))
            session.commit()

    return run


def orm_commit(task: Task) -> Work:
    """The same with ids of its own, one flush a kind, and a single commit."""
    engine = _engine(task)

    def run() -> None:
        with Session(engine) as session:
            script = _Script(session)
            children: list[Any] = []
            for element in script.elements():
                simulation = script.simulation(element)
                simulation.id = script.known[_key(element)] = uuid4()
                session.add(simulation)
                children += script.children(element, simulation.id)
            session.flush()
            session.add_all(children)
            session.commit()

    return run


class _Script:
    """What a seed script knows: the documents, and how an element becomes objects."""

    def __init__(self, session: Session) -> None:
        from app.features.catalog import DOCUMENTS
        from app.features.machines import Machine

        self.folder = Path(DOCUMENTS)
        self.known: dict[tuple[str, ...], UUID] = {}
        machines = [Machine(**element) for element in self._read("machines")]
        session.add_all(machines)
        session.flush()
        self.machines = {machine.name: machine.id for machine in machines}

    def _read(self, name: str) -> list[dict[str, Any]]:
        elements: list[dict[str, Any]] = json.loads((self.folder / f"{name}.json").read_text("utf-8"))
        return elements

    def elements(self) -> list[dict[str, Any]]:
        """The simulations' elements."""
        return self._read("simulations")

    def simulation(self, element: dict[str, Any]) -> Any:
        """The simulation of an element."""
        from app.features.simulations import Simulation

        values = {_snake(key): value for key, value in element.items() if key not in _NOT_COLUMNS}
        for name in _DATES & set(values):
            values[name] = datetime.fromisoformat(values[name])
        parent = element.get("parent")
        return Simulation(
            machine_id=self.machines[element["machine"]["name"]],
            parent_id=self.known[_key(parent)] if parent else None,
            **values,
        )

    def children(self, element: dict[str, Any], simulation_id: UUID) -> Iterator[Any]:
        """Its artifacts and links."""
        from app.features.simulations import Artifact, ExternalLink

        for model, entries in ((Artifact, element["artifacts"]), (ExternalLink, element["links"])):
            for entry in entries:
                yield model(simulation_id=simulation_id, **{_snake(k): v for k, v in entry.items()})


_NOT_COLUMNS = {"machine", "parent", "artifacts", "links"}
_DATES = {"simulation_start_date", "simulation_end_date", "run_start_date", "run_end_date"}


def _key(element: dict[str, Any]) -> tuple[str, ...]:
    return element["caseName"], element["machine"]["name"], element["simulationStartDate"]


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _engine(task: Task) -> sa.Engine:
    from app.core.config import Settings
    from app.core.database import new_engine

    return new_engine(Settings(DATABASE_URL=task.url))


def _tables() -> dict[str, sa.Table]:
    from app.features.catalog import METADATA

    return {name: METADATA.tables[name] for name in rows.TABLES}


def _instead(name: str, title: str, prepare: Any, **options: Any) -> Contender:
    return Contender(name, "instead", title, prepare, after="seeded", limit="limit", **options)


INSTEAD = (
    _instead("bulk-insert", "op.bulk_insert", bulk_insert),
    _instead("core", "Core insertmanyvalues", core, largest=20_000),
    _instead("orm-flush", "ORM script, a flush each", orm_flush, largest=20_000),
    _instead("orm-commit", "ORM script, one commit", orm_commit, largest=20_000),
    _instead("sqlalchemyseed", "sqlalchemyseed", seeder.prepare, largest=20_000, needs=("sqlalchemyseed",)),
    _instead("loaddata", "Django loaddata", loaddata.prepare, largest=20_000, needs=("django",)),
)
