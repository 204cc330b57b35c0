"""What git has to know of change files: that their bytes stay as they are, and how they are compared."""

import re
import subprocess
from pathlib import Path

from seedrail.integration.setup.edits import MADE, THERE, Edit, Piece, near, newline_of, text_of

_WHY = "# Change files are pinned by the digest of their bytes: no conversion of line ends."
_NAME = ".gitattributes"


def attributes(seeds: Path, root: Path) -> Piece:
    """The line in `.gitattributes` for the folder of change files; `root` is the project's own folder."""
    seeds, root = seeds.resolve(), root.resolve()
    folder = root if seeds.is_relative_to(root) else seeds.parent
    pattern = _pattern(seeds.relative_to(folder).as_posix() + "/")
    line = f"{pattern} -text diff=seeds"
    path = folder / _NAME
    before = text_of(path)
    if keeps_bytes(seeds) or _says(before or "", pattern):
        return Piece("git", THERE, "leaves the bytes of change files as they are")
    text = before or ""
    newline = newline_of(text)
    gap = "" if not text or text.endswith("\n") else newline
    return Piece(
        "git", MADE, f"{near(path)}: {line}", Edit(path, before, text + gap + _WHY + newline + line + newline)
    )


def keeps_bytes(seeds: Path) -> bool | None:
    """Whether git leaves the bytes of change files alone; None where there is no git, or no repository."""
    place = next((one for one in (seeds, *seeds.parents) if one.is_dir()), seeds)
    command = ["git", "check-attr", "-z", "text", "--", str(seeds / "seed_0001.jsonl")]
    try:
        found = subprocess.run(  # noqa: S603 -- git, with a name from the configuration
            command, cwd=place, capture_output=True, check=False, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if found.returncode:
        return None
    return found.stdout.split(b"\0")[2:3] == [b"unset"]


def _says(text: str, pattern: str) -> bool:
    """Whether a line of the file does, for a project that is no repository yet."""
    lines = (line.strip() for line in text.splitlines())
    return any(line.startswith(f"{pattern} ") and {"-text", "binary"} & {*line.split()} for line in lines)


def _pattern(folder: str) -> str:
    """All files of a folder, as git reads it."""
    plain = re.sub(r"([\\*?\[\]])", r"\\\1", folder) + "*"
    if plain[0] in "!#":
        plain = "\\" + plain
    if not re.search(r'[\s"]', plain):
        return plain
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
