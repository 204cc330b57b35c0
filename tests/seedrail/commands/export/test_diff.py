"""Diffs of documents: what `patch` makes of them is the document, whatever its line ends are."""

import subprocess
from pathlib import Path
from random import Random

import pytest

from seedrail.commands.export.diff import unified

LINES = ["{", "},", "a", "b", "c\r", "é\u2028x", ""]


def patched(folder: Path, before: bytes, after: bytes) -> bytes:
    file = folder / "doc.json"
    file.write_bytes(before)
    diff = "".join(f"{line}\n" for line in unified("doc.json", before, after))
    subprocess.run(["git", "apply", "-"], input=diff.encode(), cwd=folder, check=bool(diff))
    return file.read_bytes()


@pytest.mark.parametrize("seed", range(40))
def test_a_diff_makes_one_document_of_the_other(tmp_path: Path, seed: int) -> None:
    rnd = Random(seed)
    before = [rnd.choice(LINES) for _ in range(rnd.randint(1, 400))]
    after = [line for line in before if rnd.random() < 0.97]
    for _ in range(rnd.randint(0, 5)):
        after.insert(rnd.randint(0, len(after)), rnd.choice(LINES))
    ends = [rnd.choice(["", "\n"]) for _ in range(2)]
    texts = [("\n".join(one) + end).encode() or b"x" for one, end in zip((before, after), ends, strict=True)]
    assert patched(tmp_path, texts[0], texts[1]) == texts[1]


def test_equal_documents_have_no_diff() -> None:
    assert list(unified("a", b"x\n", b"x\n")) == []


def test_lines_that_repeat_are_no_part_of_a_change() -> None:
    before = ["{", "  x", "},"] * 300
    after = [*before[:500], "{", "  y", "},", *before[503:]]
    marked = list(unified("a", *("\n".join(one).encode() for one in (before, after))))
    changed = [line for line in marked if line[0] in "+-" and line[:3] not in ("+++", "---")]
    assert len(changed) <= 6
