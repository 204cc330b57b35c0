"""Simulations with their artifacts and links: the catalog itself."""

from app.features.simulations.models import (
    Artifact,
    ArtifactKind,
    ExternalLink,
    LinkKind,
    Simulation,
    SimulationStatus,
    SimulationType,
)

__all__ = [
    "Artifact",
    "ArtifactKind",
    "ExternalLink",
    "LinkKind",
    "Simulation",
    "SimulationStatus",
    "SimulationType",
]
