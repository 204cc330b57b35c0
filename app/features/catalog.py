"""Everything that migrates: the models' metadata and the seed sets with their documents."""

from app.core.config import ROOT
from app.core.database import Base
from app.features import users
from app.features.machines.seed import machines_seed_set
from app.features.simulations.seed import simulations_seed_set
from app.seeding import SeedCatalog

DOCUMENTS = ROOT / "app" / "scripts" / "db"

# Importing a feature registers its tables; users have no seed set that would do it.
METADATA = users.User.metadata
assert METADATA is Base.metadata


def seed_catalog() -> SeedCatalog:
    """The seed sets that ship, machines first: simulations refer to them."""
    return SeedCatalog(
        [
            machines_seed_set(DOCUMENTS / "machines.json"),
            simulations_seed_set(DOCUMENTS / "simulations.json"),
        ]
    )
