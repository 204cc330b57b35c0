"""A document before and after as a unified diff, which takes no longer than what changed in it."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

CONTEXT = 3
"""Lines around a change."""

Opcode = tuple[str, int, int, int, int]


def unified(name: str, pieces: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The diff as `git apply` and `patch -p1` take it, line by line; none of equal texts.

    `pieces` of the text stand in their order, each before and after: only those that differ are compared.
    """
    old, new = (_lines("".join(side)) for side in zip(*pieces, strict=True))
    for number, group in enumerate(_Lines(pieces, old, new).get_grouped_opcodes(CONTEXT)):
        if not number:
            yield from (f"--- a/{name.lstrip('/')}", f"+++ b/{name.lstrip('/')}")
        yield from _hunk(group, old, new)


class _Lines(SequenceMatcher[str]):
    """The lines of two texts, of which it is known where they differ."""

    def __init__(self, pieces: Sequence[tuple[str, str]], old: Sequence[str], new: Sequence[str]) -> None:
        super().__init__()
        self.pieces, self.old, self.new = pieces, old, new

    def get_opcodes(self) -> list[Opcode]:  # type: ignore[override] # of literals, which nobody asks for
        """What is equal and what is not, from the first line to the last."""
        codes: list[Opcode] = []
        for code in self._codes():
            if codes and codes[-1][0] == code[0]:
                # A hunk begins and ends in one such piece, however many there are.
                tag, i, _, j, _ = codes.pop()
                code = tag, i, code[2], j, code[4]
            codes.append(code)
        return codes

    def _codes(self) -> Iterator[Opcode]:
        i = j = 0
        for start, end, new_start, new_end in self._differing():
            if i < start:
                yield "equal", i, start, j, new_start
            inner = SequenceMatcher(None, self.old[start:end], self.new[new_start:new_end], autojunk=False)
            for tag, a, a_end, b, b_end in inner.get_opcodes():
                yield tag, start + a, start + a_end, new_start + b, new_start + b_end
            i, j = end, new_end
        if i < len(self.old):
            yield "equal", i, len(self.old), j, len(self.new)

    def _differing(self) -> list[tuple[int, int, int, int]]:
        """Lines from and to which the texts differ: those that pieces which differ begin and end in."""
        found: list[tuple[int, int, int, int]] = []
        i = j = 0
        for before, after in self.pieces:
            i_end, j_end = i + before.count("\n"), j + after.count("\n")
            if before != after:
                span = i, min(i_end + 1, len(self.old)), j, min(j_end + 1, len(self.new))
                if found and i < found[-1][1]:
                    span = found[-1][0], span[1], found[-1][2], span[3]
                    found.pop()
                found.append(span)
            i, j = i_end, j_end
        return found


def _hunk(group: Sequence[Opcode], old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    (_, i, _, j, _), (_, _, i_end, _, j_end) = group[0], group[-1]
    yield f"@@ -{_span(i, i_end)} +{_span(j, j_end)} @@"
    for tag, a, a_end, b, b_end in group:
        if tag == "equal":
            yield from (shown for line in old[a:a_end] for shown in _marked(" ", line))
            continue
        yield from (shown for line in old[a:a_end] for shown in _marked("-", line))
        yield from (shown for line in new[b:b_end] for shown in _marked("+", line))


def _span(start: int, end: int) -> str:
    count = end - start
    return f"{start + 1 if count else start},{count}"


def _marked(mark: str, line: str) -> Iterator[str]:
    yield mark + line.removesuffix("\n")
    if not line.endswith("\n"):
        yield "\\ No newline at end of file"


def _lines(text: str) -> list[str]:
    """The lines of a document; not by str.splitlines(), which ends them at other characters too."""
    lines = [line + "\n" for line in text.split("\n")]
    last = lines.pop().removesuffix("\n")
    return [*lines, last] if last else lines
