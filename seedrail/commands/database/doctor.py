"""`seedrail doctor`: asks all that can be asked, and says it as text and as JSON."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from alembic.config import Config
from alembic.util import CommandError

from seedrail.commands.database.environment import in_environment, in_script
from seedrail.errors import SetupError
from seedrail.integration.health import (
    FAULT,
    Column,
    Finding,
    Seedable,
    examiner,
    fault,
    of_files,
    tables_teller,
)
from seedrail.quoting import numbered, one_line, shown

_MARKS = {"ok": " ", "warning": "!", "fault": "-"}
_LINES = "seedrail init shows the lines that env.py needs"


def examined(config: Config) -> list[Finding]:
    """What the project's files say, its env.py, and its database; an env.py that fails is a finding too."""
    found = [*of_files(config)]
    try:
        in_environment(config, examiner(found))
    except SetupError as error:
        one = fault("environment", error)
        found.append(Finding(one.question, one.state, one.told, one.mend or _LINES))
    except CommandError as error:
        found.append(fault("environment", error))
    except SystemExit as ended:
        # The application's env.py has said why.
        found.append(Finding("environment", FAULT, f"env.py ended with {ended.code} and a message"))
    except Exception as error:  # a program of the application's, which may fail in any way
        told = f"env.py fails: {type(error).__name__}: {one_line(error)}"
        found.append(Finding("environment", FAULT, told, "alembic current shows where"))
    if not any(one.question == "tables" for one in found):
        # The database was out of reach; the models are not. What else fails was said.
        with suppress(Exception, SystemExit):
            in_script(config, tables_teller(found))
    return found


def as_text(findings: Sequence[Finding]) -> Iterator[str]:
    """A line a question, what to do below it; then how many are not as they should be."""
    width = max(len(one.question) for one in findings)
    for one in findings:
        yield f"{_MARKS[one.state]} {one.question:{width}}  {one.told}"
        if one.mend:
            yield f"  {'':{width}}  → {one.mend}"
        for line in _tables(one.tables):
            yield f"  {'':{width}}    {line}"
    yield ""
    yield ", ".join(
        numbered(sum(one.state == state for one in findings), state) for state in ("fault", "warning")
    )


def _tables(tables: Sequence[Seedable]) -> Iterator[str]:
    width = max((len(shown(one.name)) for one in tables), default=0)
    for one in tables:
        keys = " or ".join(f"({', '.join(map(shown, key))})" for key in one.keys)
        by = f", by {keys}" if keys and one.state != "cannot be seeded" else ""
        where = f" in {shown(one.set)}" if one.set else ""
        yield f"{shown(one.name):{width}}  {one.state}{where}{by}"
        for reason in one.reasons:
            yield from _reason(reason)
        if one.state != "seeded":
            for column in one.volatile:
                yield f"  declare {shown(column.name)} volatile: {column.told}"


def _reason(one: Column) -> Iterator[str]:
    yield f"  {shown(one.name) + ': ' if one.name else ''}{one.told}"
    if one.mend:
        yield f"  → {one.mend}"


def as_json(findings: Sequence[Finding]) -> Iterator[str]:
    """A list of objects; that of the tables has them by name, each with its keys and what is in its way."""
    yield json.dumps([_object(one) for one in findings], ensure_ascii=False, indent=2)


def _object(one: Finding) -> dict[str, Any]:
    entry = asdict(one)
    return entry if one.question == "tables" else {k: v for k, v in entry.items() if k != "tables"}


def exit_code(findings: Sequence[Finding]) -> int:
    """1 where a run would fail."""
    return int(any(one.state == "fault" for one in findings))
