"""Everything that migrates: the models' metadata and the seed sets with their documents."""

from app.core.config import ROOT
from app.core.types import METADATA
from app.features.machines import Machine
from app.features.machines.seed import machines_seed_set
from app.features.simulations import Artifact, ExternalLink, Simulation
from app.features.simulations.seed import simulations_seed_set
from app.features.users import ApiToken, AuditEvent, User
from seedrail import SeedCatalog

DOCUMENTS = ROOT / "app" / "scripts" / "db"

MODELS = (Machine, Simulation, Artifact, ExternalLink, User, ApiToken, AuditEvent)
"""Every model: importing one registers its table."""


__all__ = ["METADATA", "MODELS", "seed_catalog"]


def seed_catalog() -> SeedCatalog:
    """The seed sets that ship, machines first: simulations refer to them."""
    return SeedCatalog(
        [
            machines_seed_set(DOCUMENTS / "machines.json"),
            simulations_seed_set(DOCUMENTS / "simulations.json"),
        ]
    )
