"""The seed set `simulations`: the demo catalog with its artifacts and links."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from app.features.machines.seed import machine_seed_id
from app.features.simulations.models import Artifact, ExternalLink, Simulation
from app.features.simulations.schemas import SimulationDocument
from seedrail import SeedRow, SeedSet, SeedTable, canonical_timestamp, seed_id

_NOT_COLUMNS = {"machine", "parent", "artifacts", "links"}
_PATHS = {"machine_id": ("machine", "name"), "parent_id": ("parent",)}


def simulation_seed_id(case_name: str, machine: str, start: datetime) -> str:
    """The seed id of the simulation with that natural key; `start` is aware."""
    return seed_id("simulations", case_name, machine_seed_id(machine), canonical_timestamp(start))


def _rows(document: SimulationDocument) -> Iterator[SeedRow]:
    start, parent = document.simulation_start_date, document.parent
    id_ = simulation_seed_id(document.case_name, document.machine.name, start)
    values = dict(vars(document))
    for name in _NOT_COLUMNS:
        del values[name]
    values["machine_id"] = machine_seed_id(document.machine.name)
    if parent is not None:
        values["parent_id"] = simulation_seed_id(
            parent.case_name, parent.machine.name, parent.simulation_start_date
        )
    yield SeedRow("simulations", values, paths=_PATHS)
    for index, artifact in enumerate(document.artifacts or ()):
        values = {**vars(artifact), "simulation_id": id_}
        yield SeedRow("artifacts", values, path=("artifacts", index))
    for index, link in enumerate(document.links or ()):
        values = {**vars(link), "simulation_id": id_}
        yield SeedRow("external_links", values, path=("links", index))


def simulations_seed_set(document: Path) -> SeedSet:
    """The set, read from a document."""
    return SeedSet(
        name="simulations",
        document=document,
        schema=SimulationDocument,
        flatten=_rows,
        refused_in=frozenset({"production"}),
        tables=(
            SeedTable.of(
                Simulation,
                key=("case_name", "machine_id", "simulation_start_date"),
                missing_as_null=("created_by", "last_updated_by"),
            ),
            SeedTable.of(Artifact, key=("simulation_id", "kind", "uri")),
            SeedTable.of(ExternalLink, key=("simulation_id", "kind", "url")),
        ),
    )
