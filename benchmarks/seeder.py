"""The same rows through sqlalchemyseed, from a file of its format."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks import rows
from benchmarks.contender import Task, Work, scratch

_MODELS = {
    "machines": "app.features.machines.models.Machine",
    "simulations": "app.features.simulations.models.Simulation",
    "artifacts": "app.features.simulations.models.Artifact",
    "external_links": "app.features.simulations.models.ExternalLink",
}


def prepare(task: Task) -> Work:
    """Read the file, seed table after table, commit once.

    The tool converts nothing, so that a script around it turns text into dates and ids.
    """
    import sqlalchemy as sa
    from sqlalchemy.orm import Session
    from sqlalchemyseed import Seeder

    from app.core.config import Settings
    from app.core.database import new_engine
    from app.features.catalog import METADATA

    path = _write(task)
    engine = new_engine(Settings(DATABASE_URL=task.url))

    def typed(entity: dict[str, Any], table: sa.Table) -> dict[str, Any]:
        for name, column in table.columns.items():
            python = _python(column)
            if python is not None:
                for row in entity["data"]:
                    if row.get(name) is not None:
                        row[name] = python(row[name])
        return entity

    def run() -> None:
        with Session(engine) as session:
            seeder = Seeder(session)
            entities = json.loads(path.read_text("utf-8"))
            for table, entity in zip(rows.TABLES, entities, strict=True):
                seeder.seed(typed(entity, METADATA.tables[table]))
                # The models have no relationships, so that the order of the tables is ours to keep.
                session.flush()
            session.commit()

    return run


def _python(column: Any) -> Any:
    plain = getattr(column.type, "impl_instance", column.type)
    return {datetime: datetime.fromisoformat, UUID: UUID}.get(plain.python_type)


def _write(task: Task) -> Path:
    entities = [
        {"model": _MODELS[table], "data": values} for table, values in rows.mappings(task.seeded).items()
    ]
    path = scratch() / "entities.json"
    path.write_text(json.dumps(entities, default=str), "utf-8")
    return path
