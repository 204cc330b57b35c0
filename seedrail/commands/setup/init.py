"""`seedrail init`, as text: what is there, what is made, and a diff of what is not written."""

from collections.abc import Iterator
from difflib import unified_diff

from seedrail.errors import SetupError
from seedrail.integration.setup import BY_HAND, MADE, THERE, Edit, Setup
from seedrail.integration.setup.edits import near
from seedrail.quoting import escaped

CHANGES = 10
_MARKS = {THERE: " ", MADE: "+", BY_HAND: "!"}
_NEXT = (
    "alembic upgrade head makes the ledger, alembic revision --autogenerate ships what the documents say;"
    " seedrail doctor says what is missing"
)
_BY_HAND = "do what is marked with !; "


def as_text(setup: Setup, *, dry: bool) -> Iterator[str]:
    """A line a piece, then the lines that are left to people, or all of them where nothing is written."""
    width = max(len(one.name) for one in setup.pieces)
    for one in setup.pieces:
        yield f"{_MARKS[one.state]} {one.name:{width}}  {one.told}"
    shown = [one.edit for one in setup.by_hand if one.edit]
    for edit in [*(setup.edits if dry else []), *shown]:
        yield from _diff(edit)
    yield ""
    if setup.complete and not setup.by_hand:
        yield "everything is there"
    elif dry:
        yield "nothing was written"
    else:
        yield f"then: {_BY_HAND if setup.by_hand else ''}{_NEXT}"


def refusal(setup: Setup) -> SetupError | None:
    """What is said where env.py was to be written, and cannot be."""
    if not any(one.name == "env.py" and one.state == BY_HAND for one in setup.pieces):
        return None
    return SetupError(
        "env.py is not written, for it is none of Alembic's own templates; nothing was written\n"
        "  run seedrail init without --write-env, and put the lines that it shows into env.py by hand"
    )


def exit_code(setup: Setup, *, dry: bool) -> int:
    """10 where nothing was written, and something would be."""
    return CHANGES if dry and not setup.complete else 0


def _diff(edit: Edit) -> Iterator[str]:
    """As `git apply` and `patch -p1` take it."""
    name = near(edit.path)
    before = edit.before or ""
    old = "/dev/null" if edit.before is None else f"a/{name}"
    lines = [*unified_diff(before.splitlines(), edit.after.splitlines(), old, f"b/{name}", lineterm="")]
    if lines:
        yield ""
        yield from map(escaped, lines)
