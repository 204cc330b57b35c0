"""Seed documents to read in this process: small valid elements, and what is said of faulty ones."""

import json
from pathlib import Path
from typing import Any

from app.features import catalog as registered_models
from app.features.machines.seed import machines_seed_set
from app.features.simulations.seed import simulations_seed_set
from seedrail import DocumentError, SeedCatalog
from seedrail.documents.documents import read_rows
from seedrail.documents.faults import Fault
from seedrail.documents.integrity import Rows

assert registered_models.MODELS  # foreign keys name tables of models that something must import

START = "2015-01-01T00:00:00Z"


def machine(name: str = "lumi", **values: Any) -> dict[str, Any]:
    """A valid element of machines.json."""
    return {"name": name, "site": "CSC", "architecture": "AMD", "scheduler": "slurm", **values}


def simulation(case: str = "case", **values: Any) -> dict[str, Any]:
    """A valid element of simulations.json, on the machine `lumi`."""
    return {
        "name": case,
        "caseName": case,
        "compset": "c",
        "compsetAlias": "ca",
        "gridName": "g",
        "gridResolution": "gr",
        "simulationType": "production",
        "status": "completed",
        "initializationType": "hybrid",
        "machine": {"name": "lumi"},
        "simulationStartDate": START,
        **values,
    }


def parent(case: str, machine: str = "lumi", start: str = START) -> dict[str, Any]:
    """A reference to another simulation."""
    return {"caseName": case, "machine": {"name": machine}, "simulationStartDate": start}


def artifact(uri: str = "/a", **values: Any) -> dict[str, Any]:
    """A valid element of `artifacts`."""
    return {"kind": "output", "uri": uri, **values}


class Documents:
    """The two documents in a folder; each is given as elements, as text, or as bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.catalog = SeedCatalog(
            [machines_seed_set(self.path("machines")), simulations_seed_set(self.path("simulations"))]
        )
        self.write(machines=[machine()], simulations=[])

    def path(self, name: str) -> Path:
        """Where a document lies."""
        return self.folder / f"{name}.json"

    def write(self, **documents: Any) -> "Documents":
        """Write one of them or both."""
        for name, content in documents.items():
            if not isinstance(content, str | bytes):
                # Escaped, so that lone surrogates can be written.
                content = json.dumps(content, indent=2)
            raw = content if isinstance(content, bytes) else content.encode()
            self.path(name).write_bytes(raw)
        return self

    def rows(self, **documents: Any) -> Rows:
        """The rows that the documents ask for."""
        return read_rows(self.write(**documents).catalog)

    def error(self, **documents: Any) -> DocumentError:
        """What is said of documents that have faults."""
        try:
            self.rows(**documents)
        except DocumentError as error:
            return error
        raise AssertionError("the documents have no faults")

    def faults(self, **documents: Any) -> tuple[Fault, ...]:
        """The faults of documents that have some."""
        return self.error(**documents).faults

    def fault(self, **documents: Any) -> Fault:
        """The only fault of the documents."""
        faults = self.faults(**documents)
        assert len(faults) == 1, "\n".join(map(str, faults))
        return faults[0]
