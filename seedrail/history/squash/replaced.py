"""The revisions that a squashed one stands for, as the header of its change file names them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedrail.quoting import harmless


@dataclass(frozen=True)
class Replaced:
    """A seed revision that was there: its change file with the digest, and what its own file said.

    One that was a squashed one itself has what it stood for in `replaces`.
    """

    revision: str
    changes: str
    sha256: str
    down_revision: tuple[str, ...]
    depends_on: tuple[str, ...] = ()
    branch_labels: tuple[str, ...] = ()
    message: str = ""
    replaces: tuple["Replaced", ...] = ()

    @property
    def identity(self) -> str:
        """The digest that ledgers and later change files know the state by: that of the file made first."""
        return identity(self.sha256, self.replaces)

    @property
    def every(self) -> tuple[str, ...]:
        """The ids of the revisions that it is, or stands for, one a position."""
        return every(self.revision, self.replaces)

    def to_json(self) -> dict[str, Any]:
        """Its entry in a header, without what it does not have."""
        entry: dict[str, Any] = {
            "revision": self.revision,
            "changes": self.changes,
            "sha256": self.sha256,
            "down_revision": list(self.down_revision),
            "depends_on": list(self.depends_on),
            "branch_labels": list(self.branch_labels),
            "message": self.message,
            "replaces": [one.to_json() for one in self.replaces],
        }
        return {name: value for name, value in entry.items() if value}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "Replaced":
        """The revision of an entry; ValueError, TypeError or KeyError where it is none."""
        changes, replaces = entry["changes"], entry.get("replaces", [])
        texts = [entry["revision"], changes, entry["sha256"], entry.get("message", "")]
        lists = [entry["down_revision"], entry.get("depends_on", []), entry.get("branch_labels", [])]
        # A name in the folder of the change files, and no way to anywhere else.
        if changes != Path(changes).name or not harmless(changes):
            raise ValueError
        if not all(isinstance(one, str) for one in (*texts, *(name for some in lists for name in some))):
            raise TypeError
        revision, changes, sha256, message = texts
        down, needs, labels = map(tuple, lists)
        return cls(
            revision, changes, sha256, down, needs, labels, message, tuple(map(cls.from_json, replaces))
        )


def identity(sha256: str, replaces: tuple[Replaced, ...]) -> str:
    """The digest by which a state is known: that of its change file, or of the last that this stands for."""
    return replaces[-1].identity if replaces else sha256


def every(revision: str, replaces: tuple[Replaced, ...]) -> tuple[str, ...]:
    """The ids of the revisions that one stands for, in their order; itself, if it stands for no other."""
    return tuple(_every(replaces)) if replaces else (revision,)


def _every(replaces: tuple[Replaced, ...]) -> Iterator[str]:
    for one in replaces:
        yield from one.every
