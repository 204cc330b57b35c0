"""A document before and after as a unified diff: of as few lines as there are, in documents of any size."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

CONTEXT = 3
"""Lines around a change."""

Opcode = tuple[str, int, int, int, int]


def unified(name: str, before: bytes, after: bytes) -> Iterator[str]:
    """The diff as `git apply` and `patch -p1` take it, line by line; none of equal texts."""
    old, new = _lines(before), _lines(after)
    for number, group in enumerate(_Lines(old, new).get_grouped_opcodes(CONTEXT)):
        if not number:
            yield from (f"--- a/{name.lstrip('/')}", f"+++ b/{name.lstrip('/')}")
        yield from _hunk(group, old, new)


class _Lines(SequenceMatcher[str]):
    """Compares lines quickly, passing over those that repeat; then all of what it takes to be replaced."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        self.old, self.new = old, new
        super().__init__(None, old, new)

    def get_opcodes(self) -> list[Opcode]:  # type: ignore[override] # of literals, which nobody asks for
        return [part for one in super().get_opcodes() for part in self._refined(*one)]

    def _refined(self, tag: str, i: int, i_end: int, j: int, j_end: int) -> Iterator[Opcode]:
        if tag != "replace":
            yield tag, i, i_end, j, j_end
            return
        inner = SequenceMatcher(None, self.old[i:i_end], self.new[j:j_end], autojunk=False)
        for part, a, a_end, b, b_end in inner.get_opcodes():
            yield part, i + a, i + a_end, j + b, j + b_end


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


def _lines(raw: bytes) -> list[str]:
    """The lines of a document; not by str.splitlines(), which ends them at other characters too."""
    lines = [line + "\n" for line in raw.decode().split("\n")]
    last = lines.pop().removesuffix("\n")
    return [*lines, last] if last else lines
