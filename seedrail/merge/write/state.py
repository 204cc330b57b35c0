"""State: `seed_state` says what each seed set now holds."""

from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from seedrail.merge.ledger import seed_state
from seedrail.merge.plan import Statement


def record(
    sets: Iterable[str], revision: str, sha256: str, *, status: str = "applied", cleared: bool = False
) -> Iterator[Statement]:
    """The sets' rows anew; none where they were `cleared`."""
    names = sorted(sets)
    yield Statement(sa.delete(seed_state).where(seed_state.c.seed_set.in_(names)))
    if cleared:
        return
    for name in names:
        values = {"seed_set": name, "revision": revision, "sha256": sha256, "status": status}
        yield Statement(sa.insert(seed_state).values(values))


def recorded(
    sets: Iterable[str], revision: str, sha256: str, *, cleared: bool = False
) -> Iterator[Statement]:
    """Whether `record` was: as many rows as there are sets, or none."""
    names = sorted(sets)
    there = sa.select(sa.func.count()).select_from(seed_state).where(seed_state.c.seed_set.in_(names))
    if not cleared:
        right = there.where(seed_state.c.revision == revision, seed_state.c.sha256 == sha256)
        there = sa.select(sa.literal(len(names)) - right.scalar_subquery())
    yield Statement(there, missed=(seed_state.name, "update"))
