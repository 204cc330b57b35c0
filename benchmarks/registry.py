"""All contenders by name, in the order of the report."""

from benchmarks.contender import Contender
from benchmarks.instead import INSTEAD
from benchmarks.limits import LIMITS
from benchmarks.ours import OURS

GROUPS = {
    "limit": "the database's own limit",
    "ours": "this project",
    "instead": "instead of it",
}

CONTENDERS: dict[str, Contender] = {one.name: one for one in (*LIMITS, *OURS, *INSTEAD)}


def chosen(names: list[str]) -> list[Contender]:
    """The contenders of those names or groups, with the limits that their ratios need; all for no name."""
    if not names:
        return list(CONTENDERS.values())
    unknown = sorted(set(names) - set(CONTENDERS) - set(GROUPS))
    if unknown:
        raise ValueError(
            f"no contender or group {unknown[0]!r}; there are {', '.join([*GROUPS, *CONTENDERS])}"
        )
    wanted = {one.name for one in CONTENDERS.values() if one.name in names or one.group in names}
    wanted |= {CONTENDERS[name].limit or name for name in wanted}
    if any(CONTENDERS[name].group == "ours" for name in wanted):
        # Memory is told over that of an idle process.
        wanted.add("idle")
    return [one for one in CONTENDERS.values() if one.name in wanted]
