"""Diffs of documents: what `git apply` makes of them is the document, whatever its line ends are."""

import subprocess
from pathlib import Path
from random import Random

import pytest

from seedrail.commands.export.diff import unified

LINES = ["{\n", "},\n", "a\n", "b", "c\r\n", "é\u2028x", "\n", ""]

Pieces = list[tuple[str, str]]


def patched(folder: Path, pieces: Pieces) -> str:
    """What `git apply` makes of the text before."""
    file = folder / "doc.json"
    file.write_bytes("".join(old for old, _ in pieces).encode())
    diff = "".join(f"{line}\n" for line in unified("doc.json", pieces))
    subprocess.run(["git", "apply", "-"], input=diff.encode(), cwd=folder, check=bool(diff))
    return file.read_bytes().decode()


def some_text(rnd: Random) -> str:
    return "".join(rnd.choice(LINES) for _ in range(rnd.randint(0, 12)))


@pytest.mark.parametrize("seed", range(60))
def test_a_diff_makes_one_document_of_the_other(tmp_path: Path, seed: int) -> None:
    rnd = Random(seed)
    pieces: Pieces = [("x", "x")]
    for _ in range(rnd.randint(1, 20)):
        before = some_text(rnd)
        pieces.append((before, before if rnd.random() < 0.6 else some_text(rnd)))
    pieces.append(("y", "y"))
    assert patched(tmp_path, pieces) == "".join(new for _, new in pieces)


def test_equal_documents_have_no_diff() -> None:
    assert list(unified("a", [("x\n", "x\n"), ("y", "y")])) == []


def test_of_a_piece_that_differs_only_the_lines_that_do_are_shown() -> None:
    before = "{\n" + "  x\n" * 300 + "}"
    after = before.replace("  x\n", "  y\n", 1)
    marked = list(unified("a", [("[\n", "[\n"), (before, after), ("\n]\n", "\n]\n")]))
    assert [line for line in marked if line[0] in "+-"] == ["--- a/a", "+++ b/a", "-  x", "+  y"]
    assert marked[2] == "@@ -1,6 +1,6 @@"


def test_no_hunk_is_without_a_change() -> None:
    one = ("{\n  x\n  same\n}", "{\n  y\n  same\n}")
    gap = ("\n" * 20, "\n" * 20)
    marked = list(unified("a", [("[\n", "[\n"), one, gap, one, ("\n]\n", "\n]\n")]))
    hunks = "\n".join(marked).split("@@ -")[1:]
    assert len(hunks) == 2
    assert all("\n-" in hunk for hunk in hunks)
