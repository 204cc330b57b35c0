"""`seedrail squash`: what it writes and deletes, in words, and what git does not have of it yet."""

import json
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from seedrail.errors import SetupError
from seedrail.history.squash.squashing import Squashing
from seedrail.integration.setup.edits import near
from seedrail.quoting import shown

CHANGES = 10


def message_of(squashing: Squashing) -> str:
    """The message of a squashed revision that is given none."""
    names = squashing.every
    return f"squash {names[0]} to {names[-1]}"


def as_text(squashing: Squashing, revision: Path | None) -> Iterator[str]:
    """What a squash is, and a line a file; nothing is written yet where there is no path of its revision."""
    names = squashing.every
    released = f", {squashing.released} of them released" if squashing.released else ""
    yield (
        f"{squashing.revision} stands for {len(names)} revisions, {names[0]} to {names[-1]}:"
        f" {squashing.rows} row{'s' * (squashing.rows != 1)}{released}"
    )
    schema = f", behind schema {', '.join(squashing.schema)}" if squashing.schema else ""
    yield f"new databases go from seed_base to {squashing.revision} at once{schema}"
    yield ""
    if revision is not None:
        yield f"+ {near(revision)}"
    else:
        yield f"+ the revision file of {squashing.revision}"
    yield f"+ {near(squashing.change_file)}"
    for path in squashing.going:
        if revision is None or path.resolve() != revision.resolve():
            yield f"- {near(path)}"
    kept = [path for path in squashing.kept if path.exists()]
    yield ""
    yield (
        f"{len(kept)} change file{'s stay' if len(kept) != 1 else ' stays'}: databases below"
        f" {squashing.revision} go by them; seedrail squash --finish deletes them, when there is none left"
    )
    if revision is None:
        yield "nothing was written"


def as_json(squashing: Squashing, revision: Path | None) -> Iterator[str]:
    """The same as one object."""
    said = {
        "revision": squashing.revision,
        "replaces": list(squashing.every),
        "rows": squashing.rows,
        "released": squashing.released,
        "schema": list(squashing.schema),
        "written": [near(one) for one in (revision, squashing.change_file) if one and revision],
        "deleted": [near(one) for one in squashing.going if revision and one.resolve() != revision.resolve()],
        "kept": [near(one) for one in squashing.kept if one.exists()],
    }
    yield json.dumps(said, ensure_ascii=False, indent=2)


def finished_text(revision: str, files: Iterable[Path], *, dry: bool) -> Iterator[str]:
    """What `--finish` deletes, and whom that concerns."""
    yield from (f"- {near(path)}" for path in files)
    yield ""
    yield (
        f"databases below {revision}, and rollbacks past it that met people's rows there, need these files:"
        " who asks for one is told to restore it"
    )
    if dry:
        yield "nothing was deleted"


def finished_json(revision: str, files: Iterable[Path], *, dry: bool) -> Iterator[str]:
    """The same as one object."""
    said = {
        "revision": revision,
        "deleted": [] if dry else list(map(near, files)),
        "found": list(map(near, files)),
    }
    yield json.dumps(said, ensure_ascii=False, indent=2)


def refuse_uncommitted(files: Sequence[Path]) -> None:
    """Raise SetupError where git does not have files that go as they are; without git, all may go."""
    by_folder: dict[Path, list[str]] = {}
    for path in files:
        if path.exists():
            by_folder.setdefault(path.parent, []).append(path.name)
    for folder, names in by_folder.items():
        command = ["git", "status", "--porcelain", "-z", "--ignored", "--", *names]
        try:
            found = subprocess.run(  # noqa: S603 -- git, with names from the history
                command, cwd=folder, capture_output=True, text=True, check=False, timeout=30
            )
        except (OSError, subprocess.SubprocessError):
            return
        changed = [entry[3:] for entry in found.stdout.split("\0") if entry]
        if found.returncode == 0 and changed:
            more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
            raise SetupError(
                f"git does not have {shown(changed[0])} as it is{more}, and it would be deleted; nothing was"
                " written\n  commit first: what a squash deletes is in git then"
            )
