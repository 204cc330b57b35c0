"""The commands as their help has them: usage, arguments and options, examples."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer

from app.core.alembic_env import X_OPTIONS as OF_THE_APPLICATION
from app.scripts.db import rollback_seed, seed
from app.scripts.users import create_admin_account, provision_service_account
from scripts.reference import told
from scripts.reference.told import code
from seedrail.commands import cli
from seedrail.run_options import X_OPTIONS

SCRIPTS = (seed, rollback_seed, create_admin_account, provision_service_account)


def x_options() -> str:
    """What `alembic -x` takes."""
    rows = [(name, "any project", means) for name, means in X_OPTIONS.items()]
    rows += [(name, "the catalog", means) for name, means in OF_THE_APPLICATION.items()]
    return told.table(
        ("`-x` …`=`", "in", "means"), ((code(name), where, means) for name, where, means in rows)
    )


def of_the_library() -> str:
    """`seedrail` and its commands."""
    group: Any = typer.main.get_command(cli.app)
    shown = ["\n\n".join(_command("seedrail", group, level=2))]
    for name, command in group.commands.items():
        shown.append("\n\n".join(_command(f"seedrail {name}", command, level=2)))
    return "\n\n".join(shown)


def of_the_application() -> str:
    """The scripts, as modules."""
    return "\n\n".join(
        "\n\n".join(_command(f"python -m {script.__name__}", typer.main.get_command(script.app), level=2))
        for script in SCRIPTS
    )


def _command(name: str, command: Any, level: int) -> Iterator[str]:
    context = command.context_class(command, info_name=name)
    usage = " ".join(command.get_usage(context).removeprefix("Usage: ").split())
    yield f"{'#' * level} `{name}`"
    yield inspect.cleandoc(command.help)
    yield f"```text\n{usage}\n```"
    rows = [_row(one.get_help_record(context)) for one in command.params if not one.hidden]
    if rows:
        yield told.table(("argument or option", "means"), rows)
    if examples := re.search(r"Examples:\n(.*?)\n\n", command.epilog or "", re.S):
        yield f"```sh\n{inspect.cleandoc(examples[1])}\n```"


def _row(record: tuple[str, str]) -> tuple[str, str]:
    spelled, means = record
    return code(spelled), " ".join(means.split()).replace("|", "\\|").replace("<", "&lt;")
