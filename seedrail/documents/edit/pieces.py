"""A document as pieces of its text, each before and after its edits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seedrail.documents.faults import Text

Piece = tuple[str, str]
"""A piece of a text before and after its edits."""


@dataclass(frozen=True)
class EditedFile:
    """A document and its edits: `pieces` of its text in their order, each before and after.

    `name` is as messages show it.
    """

    seed_set: str
    path: Path
    name: str
    pieces: Sequence[Piece]

    @property
    def before(self) -> bytes:
        """The document as it is."""
        return "".join(old for old, _ in self.pieces).encode()

    @property
    def after(self) -> bytes:
        """The document with its edits."""
        return "".join(new for _, new in self.pieces).encode()


def pieces_of(text: Text, count: int, elements: Mapping[int, str | None]) -> list[Piece]:
    """A document with some elements replaced, and without those that are None."""
    whole, spans = text.text, [text.element(index) for index in range(count)]
    kept = [index for index in range(count) if elements.get(index, "") is not None]
    if not kept:
        start, end = whole.index("[") + 1, whole.rindex("]")
        return [_same(whole[:start]), (whole[start:end], ""), _same(whole[end:])]
    pieces = [_same(whole[: spans[0][0]])]
    for index, (start, end) in enumerate(spans):
        stays = elements.get(index, "") is not None
        if index:
            # What stands before an element stays with it, but for the first one's, which goes.
            gap = whole[spans[index - 1][1] : start]
            pieces.append((gap, gap if stays and index > kept[0] else ""))
        old = whole[start:end]
        pieces.append((old, (elements.get(index) or old) if stays else ""))
    return [*pieces, _same(whole[spans[-1][1] :])]


def _same(text: str) -> Piece:
    return text, text
