"""Errors of Alembic's own command line, once: it logs each, and prints it to standard output as well.

What it prints is one paragraph at a terminal, which makes nothing of a report with many lines, and a part of
the script with `--sql`.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import command
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError

_LOGGER = "alembic.util.messaging"


@contextmanager
def said_once(context: MigrationContext) -> Iterator[None]:
    """Around a run: what it fails with is logged alone, if the log is read where the command was typed."""
    try:
        yield
    except CommandError:
        _leave_to_the_log(context)
        raise
    if _will_fail(context):
        _leave_to_the_log(context)


def _leave_to_the_log(context: MigrationContext) -> None:
    """Keep Alembic from printing what it logs; a program that runs its commands gets an exception anyway."""
    config = context.config
    if config is not None and hasattr(config.cmd_opts, "cmd") and _is_logged_to_a_stream():
        config.__dict__["messaging_opts"] = {"quiet": True}


def _is_logged_to_a_stream() -> bool:
    logger: logging.Logger | None = logging.getLogger(_LOGGER)
    if logger is None or not logger.isEnabledFor(logging.ERROR):
        return False
    while logger is not None:
        for handler in logger.handlers:
            stream: Any = getattr(handler, "stream", None)
            if handler.level <= logging.ERROR and stream in (sys.stderr, sys.stdout):
                return True
        logger = logger.parent if logger.propagate else None
    return False


def _will_fail(context: MigrationContext) -> bool:
    """Whether `alembic check` has found what no revision has: it says so when env.py has ended."""
    revision, options = context.opts.get("revision_context"), getattr(context.config, "cmd_opts", None)
    if revision is None or getattr(options, "cmd", (None,))[0] is not command.check:
        return False
    return any(
        one.as_diffs() for script in revision.generated_revisions[-1:] for one in script.upgrade_ops_list
    )
