"""Commands that look at the database: through the project's own env.py, as `alembic` reaches it."""

import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

from seedrail.errors import SetupError
from seedrail.failures import named_failures

Function = Callable[[Sequence[str], Any], list[Any]]
"""What Alembic calls in the environment, with the heads and the context; it returns the steps to make."""


def told(config: Config, options: Sequence[str], *, quiet: bool) -> Config:
    """The configuration with what the command line said, where env.py looks for it."""
    config.cmd_opts = Namespace(x=list(options), quiet=quiet)
    return config


def in_script(config: Config, look: Function) -> None:
    """Run env.py as for a script, which needs no database: for what it says of the project, in silence."""
    scripts = ScriptDirectory.from_config(config)
    config.output_buffer = StringIO()
    with (
        redirect_stdout(StringIO()),
        redirect_stderr(StringIO()),
        EnvironmentContext(config, scripts, fn=look, as_sql=True, dont_mutate=True),
    ):
        scripts.run_env()


def in_environment(config: Config, look: Function, target: str | None = None) -> None:
    """Run env.py for a function that makes no step; an error of the database is one sentence."""
    scripts = ScriptDirectory.from_config(config)
    stdout, ran = sys.stdout, False

    def seen(heads: Sequence[str], context: Any) -> list[Any]:
        nonlocal ran
        ran = True
        return look(heads, context)

    # What it says of itself is asked of the function that runs.
    seen.__dict__.update(look.__dict__)
    try:
        with (
            named_failures(),
            EnvironmentContext(config, scripts, fn=seen, dont_mutate=True, destination_rev=target),
        ):
            scripts.run_env()
    finally:
        # An env.py may have put something in its place for what Alembic prints.
        sys.stdout = stdout
    if not ran:
        raise SetupError("env.py ran no migrations: it ends with context.run_migrations()")
