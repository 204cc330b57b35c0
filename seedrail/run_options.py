"""What a run may be told: the policy for conflicts, the seed sets, the fate of rows that left a document."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from seedrail.errors import OptionError

if TYPE_CHECKING:
    from seedrail.merge.database.standins import StandIn


class Policy(StrEnum):
    """What happens where live rows differ from what the seed expects."""

    ABORT = "abort"
    """Report every conflict and write nothing."""
    KEEP = "keep"
    """The live value wins, and the ledger remembers it."""
    OVERWRITE = "overwrite"
    """The seed wins. Rows that others point at still stay.

    The ledger keeps what was there, but on a way down to seed_base, where it ends: there only a report does.
    """


class Removed(StrEnum):
    """What a new seed revision does with rows that are no longer in their document."""

    DELETE = "delete"
    RELEASE = "release"


@dataclass(frozen=True)
class RunOptions:
    """The options of one run.

    `environment` is where it runs, as the seed sets' `refused_in` names it. `sets` are the seed sets asked
    for by name, or `all`; without any, the environment decides. `quiet` runs show no progress. `flags` are a
    program's own names for options, such as `--conflict`, where people do not say `-x seed_conflict=…`.
    `stand_ins` gives what optional links fall back to, when a move up needs to know. `report` and `decisions`
    are the files for conflicts: where all of them are written to, and where decisions of them are read from.
    """

    policy: Policy = Policy.ABORT
    environment: str = "development"
    sets: frozenset[str] = frozenset()
    removed: Removed = Removed.DELETE
    quiet: bool = False
    flags: Mapping[str, str] = field(default_factory=dict)
    stand_ins: Callable[[], Sequence["StandIn"]] = tuple
    report: str = ""
    decisions: str = ""

    @classmethod
    def parse(
        cls,
        arguments: Mapping[str, str],
        defaults: Mapping[str, str],
        environment: str,
        *,
        quiet: bool = False,
        flags: Mapping[str, str] | None = None,
        others: Collection[str] = (),
        stand_ins: Callable[[], Sequence["StandIn"]] = tuple,
    ) -> "RunOptions":
        """The options of `-x` arguments over defaults; OptionError for what does not exist.

        `others` are options of that kind that the application has of its own.
        """
        names = {*X_OPTIONS, *others}
        unknown = sorted(name for name in arguments if name.startswith("seed_") and name not in names)
        if unknown:
            raise OptionError(f"no such option: -x {unknown[0]}; there are {', '.join(sorted(names))}")
        given = {**defaults, **{k: v for k, v in arguments.items() if k in X_OPTIONS}}
        sets = given.get("seed_sets") or ""
        return cls(
            policy=_choice(Policy, "seed_conflict", given.get("seed_conflict") or Policy.ABORT),
            environment=environment,
            sets=frozenset(name.strip() for name in sets.split(",") if name.strip()),
            removed=_choice(Removed, "seed_removed", given.get("seed_removed") or Removed.DELETE),
            quiet=quiet,
            flags=flags or {},
            stand_ins=stand_ins,
            report=given.get("seed_report") or "",
            decisions=given.get("seed_decisions") or "",
        )

    def spelled(self, name: str, value: str) -> str:
        """How whoever started the run says an option; advice that names another way would be refused."""
        return f"{self.flags[name]} {value}" if name in self.flags else f"-x {name}={value}"

    def allows(self, seed_set: str, refused_in: frozenset[str]) -> bool:
        """Whether a seed set may go where the run happens."""
        if self.sets:
            return "all" in self.sets or seed_set in self.sets
        return self.environment not in refused_in


X_OPTIONS = {
    "seed_conflict": "the policy where live rows differ from the seed: abort, keep or overwrite",
    "seed_decisions": "a file of conflicts, each with a decision, which goes before the policy",
    "seed_removed": "what a new revision does with rows that left their document: delete or release",
    "seed_report": "a file to write every conflict to, with a place for a decision",
    "seed_sets": "the seed sets to apply, comma-separated, or all",
}
"""The options of `alembic -x` that a run of any project knows."""


E = TypeVar("E", bound=StrEnum)


def _choice(kind: type[E], name: str, value: str) -> E:
    try:
        return kind(value)
    except ValueError:
        choices = ", ".join(member.value for member in kind)
        raise OptionError(f"{name} must be one of {choices}, not {value!r}") from None
