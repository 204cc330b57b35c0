"""Where the parts stand: between two comments of a page, the first of which says what it is."""

import re
from collections.abc import Callable, Mapping

from app.core.config import ROOT
from scripts.reference import changefiles, commands, exits, settings

PAGES = sorted((ROOT / "docs").rglob("*.md"))
PARTS: Mapping[str, Callable[[], str]] = {
    "settings": settings.table,
    "exit codes": exits.table,
    "options of -x": commands.x_options,
    "seedrail": commands.of_the_library,
    "scripts": commands.of_the_application,
    "header of a change file": changefiles.header,
    "tables of a header": changefiles.tables,
    "lines of a change file": changefiles.lines,
    "types of columns": changefiles.types,
    "the job for pull requests": lambda: fenced("yaml", ".github/workflows/seeds.yml"),
    "the job in a cluster": lambda: fenced("yaml", "deploy/seed-job.yaml"),
}
"""What can be written, by the name that a page asks for it by."""


def fenced(language: str, path: str) -> str:
    """A file of the repository, whole."""
    return f"```{language}\n{(ROOT / path).read_text('utf-8')}```"


_PART = re.compile(r"(?<=^<!-- from code: )(.+?)( -->\n).*?(?=^<!-- end of code -->$)", re.M | re.S)


def written(text: str) -> str:
    """A page with each of its parts as the code has it; KeyError for a part that does not exist."""
    return _PART.sub(lambda part: f"{part[1]}{part[2]}\n{PARTS[part[1]]()}\n\n", text)


def parts_of(text: str) -> list[str]:
    """The names of a page's parts."""
    return [part[1] for part in _PART.finditer(text)]
