"""docs/explanation/merge.md tells a row's life as the model lives it."""

from collections.abc import Iterator
from pathlib import Path

from tests.laws.model import EXISTS, Base, move
from tests.laws.test_model import MACHINE, begin, edited, machine, somebodys

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "merge.md"


def life() -> Iterator[str]:
    """The lines of the table, step by step."""
    rail, base = begin(machine(a=1), machine(a=2), machine(a=2), {}, machine(a=4))
    base = somebodys(base, a=7)
    yield line("it is somebody's", base)
    base = move(rail, base, 1, "overwrite")
    yield line("up to 1: the seed adopts it, and wants 1", base)
    base = edited(base, ("machine", 1), a=8)
    yield line("its owner sets 8", base)
    base = move(rail, base, 2, "overwrite")
    yield line("up to 2: the seed wants 2", base)
    base = edited(base, ("machine", 1), a=9)
    yield line("its owner sets 9", base)
    base = move(rail, base, 3, "overwrite")
    yield line("up to 3: its document releases it", base)
    base = move(rail, base, 4, "overwrite")
    yield line("up to 4: it leaves the seed, and has back what it came with", base)
    base = move(rail, base, 5, "overwrite")
    yield line("up to 5: it is taken back, and the seed wants 4", base)
    for target in (4, 3, 2, 1, 0):
        base = move(rail, base, target, "keep")
        yield line(f"down to {target}, under `keep`", base)


def line(step: str, base: Base) -> str:
    """One step: the value, and the claims as "position: value, who stands on top"."""
    [row] = base.rows["machine"].values()
    told = [
        "; ".join(
            f"{one.position}: {one.value}, {one.stands}" for one in base.claims.get(MACHINE, {}).get(name, ())
        )
        for name in (EXISTS, "a")
    ]
    return f"| {' | '.join([step, str(row['a']), *told])} |".replace("|  |", "| |").replace("|  |", "| |")


def test_the_page_tells_a_life_as_the_model_lives_it() -> None:
    assert "\n".join(life()) in PAGE.read_text()
