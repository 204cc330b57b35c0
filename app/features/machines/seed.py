"""The seed set `machines`: reference data, wanted in every environment."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from app.features.machines.models import Machine
from app.features.machines.schemas import MachineDocument
from seedrail import SeedRow, SeedSet, SeedTable, seed_id


@lru_cache(maxsize=1024)
def machine_seed_id(name: str) -> str:
    """The seed id of the machine of that name."""
    return seed_id("machines", name)


def _rows(machine: MachineDocument) -> Iterator[SeedRow]:
    yield SeedRow("machines", vars(machine))


def machines_seed_set(document: Path) -> SeedSet:
    """The set, read from a document."""
    return SeedSet(
        name="machines",
        document=document,
        schema=MachineDocument,
        flatten=_rows,
        tables=(SeedTable.of(Machine, key=("name",)),),
    )
