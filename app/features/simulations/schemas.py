"""The contract of `simulations.json`."""

from typing import Annotated, Any

from pydantic import StringConstraints

from app.features.documents import (
    Bytes,
    Document,
    Identifier,
    Line,
    Locator,
    Name,
    RequiredLocator,
    Timestamp,
    by_value,
)
from app.features.simulations.models import (
    ArtifactKind,
    LinkKind,
    SimulationStatus,
    SimulationType,
)


class MachineReference(Document):
    """A machine by its name."""

    name: Name


class ParentReference(Document):
    """Another simulation by its natural key."""

    case_name: Name
    machine: MachineReference
    simulation_start_date: Timestamp


class ArtifactDocument(Document):
    """An element of a simulation's `artifacts`."""

    kind: Annotated[ArtifactKind, by_value(ArtifactKind)]
    uri: RequiredLocator
    label: Line | None = None
    checksum: Line | None = None
    size_bytes: Bytes | None = None


class LinkDocument(Document):
    """An element of a simulation's `links`."""

    kind: Annotated[LinkKind, by_value(LinkKind)]
    url: RequiredLocator
    label: Line | None = None


class SimulationDocument(Document):
    """One element of `simulations.json`."""

    name: Name
    case_name: Name
    compset: Line
    compset_alias: Line
    grid_name: Line
    grid_resolution: Line
    simulation_type: Annotated[SimulationType, by_value(SimulationType)]
    status: Annotated[SimulationStatus, by_value(SimulationStatus)]
    initialization_type: Line
    machine: MachineReference
    simulation_start_date: Timestamp
    parent: ParentReference | None = None
    description: str | None = None
    campaign: Line | None = None
    experiment_type: Line | None = None
    group_name: Line | None = None
    simulation_end_date: Timestamp | None = None
    run_start_date: Timestamp | None = None
    run_end_date: Timestamp | None = None
    compiler: Line | None = None
    key_features: str | None = None
    known_issues: str | None = None
    notes_markdown: str | None = None
    git_repository_url: Locator | None = None
    git_branch: Line | None = None
    git_tag: Line | None = None
    git_commit_hash: Annotated[str, StringConstraints(max_length=64)] | None = None
    hpc_username: Line | None = None
    created_by: Identifier | None = None
    last_updated_by: Identifier | None = None
    extra: dict[str, Any] | None = None
    artifacts: list[ArtifactDocument] | None = None
    links: list[LinkDocument] | None = None
