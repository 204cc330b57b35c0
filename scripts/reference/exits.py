"""The table of exit codes, of all commands."""

from collections.abc import Iterator

from app.scripts.exits import ACCOUNT_MEANINGS, MEANINGS
from scripts.reference import told
from seedrail.commands.output import MEANINGS as OF_SEEDRAIL

_WHO = {
    "`alembic` and the scripts of seeds": MEANINGS,
    "the account scripts": ACCOUNT_MEANINGS,
    "`seedrail`": OF_SEEDRAIL,
    "`alembic`": {255: "Alembic's own refusals behind the project's: `alembic check` found changes"},
}
_OF_ALL = len(_WHO) - 1
"""What everybody means is no code of Alembic's own."""


def table() -> str:
    """A line for each code and each of its meanings."""
    return told.table(("exit code", "of", "means"), _rows())


def _rows() -> Iterator[tuple[str, str, str]]:
    for exit_code in sorted({one for meanings in _WHO.values() for one in meanings}):
        by_meaning: dict[str, list[str]] = {}
        for who, meanings in _WHO.items():
            if exit_code in meanings:
                by_meaning.setdefault(meanings[exit_code], []).append(who)
        for means, whose in by_meaning.items():
            yield str(exit_code), "all" if len(whose) == _OF_ALL else ", ".join(whose), means
