"""What is found: the answer to one question, and what to do where it is not as it should be."""

from dataclasses import dataclass

from alembic.util import CommandError

from seedrail.integration.health.tables import Seedable

OK, WARNING, FAULT = "ok", "warning", "fault"
"""How a question ends: a warning stops nothing."""


@dataclass(frozen=True)
class Finding:
    """The answer to one question; `mend` says what to do where it is not `ok`.

    `tables` are those of the models, in the answer to the question for them.
    """

    question: str
    state: str
    told: str
    mend: str = ""
    tables: tuple[Seedable, ...] = ()


def fault(question: str, error: CommandError) -> Finding:
    """What an error says, its first line and its advice apart."""
    told, _, mend = str(error).partition("\n")
    return Finding(question, FAULT, told, " ".join(mend.split()))
