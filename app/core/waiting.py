"""Waiting for a database that starts at the same time as the command that needs it."""

import math
import time
from typing import Any

from sqlalchemy import Engine, event

from app.core.config import LONGEST_WAIT, get_settings
from app.core.engines import connected, new_engine
from app.core.errors import ConfigurationError, DatabaseUnavailable
from app.core.streams import say
from app.core.urls import libpq_options
from seedrail import DatabaseFailure, failures

_LONGEST_PAUSE = 1.0
_SHORTEST_TIMEOUT = 2
"""Seconds: PostgreSQL's client library takes no shorter one."""

_FULL = ("too many clients", "too many connections", "remaining connection slots")
"""What a server that is up says when it has no place left; before a login its code cannot be had."""


def wait_for_database(seconds: float | None = None, *, quiet: bool = False) -> None:
    """Return when the database answers; DatabaseUnavailable after `seconds`, None for those of the setting.

    Waits for a server that is not there yet, or is starting up, or has no place left. What waiting does not
    mend, such as a wrong password or a name that no database has, is raised at once. A file is there or made.
    """
    settings = get_settings()
    seconds = settings.database_wait if seconds is None else seconds
    if not 0 <= seconds <= LONGEST_WAIT:
        raise ConfigurationError(f"a wait lasts up to {LONGEST_WAIT} seconds, not {seconds:g}")
    if not seconds or settings.url().get_backend_name() == "sqlite":
        return
    # Each of its connections ends with its attempt.
    engine = new_engine(settings, migrating=True)
    try:
        _wait(engine, seconds, quiet=quiet)
    finally:
        engine.dispose()


def _wait(engine: Engine, seconds: float, *, quiet: bool) -> None:
    deadline = time.monotonic() + seconds
    _connect_until(engine, deadline)
    pause, answers, said = 0.1, 0, quiet
    while True:
        try:
            with connected(engine):
                return
        except DatabaseUnavailable as error:
            # Between the attempt and the question it may have come up: once more, before it is final.
            answers = 0 if _may_come(engine, error) else answers + 1
            if answers > 1:
                raise
            left = deadline - time.monotonic()
            if left <= 0:
                raise _gave_up(engine, error, seconds) from error.__cause__
            if not said and not answers:
                say(f"waiting up to {seconds:g} s for the database {error.url}: {error.reason}")
                said = True
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE)


def _connect_until(engine: Engine, deadline: float) -> None:
    """Let no attempt last longer than there is time."""

    @event.listens_for(engine, "do_connect")
    def _on_do_connect(dialect: object, record: object, arguments: object, named: dict[str, Any]) -> None:
        left = max(_SHORTEST_TIMEOUT, math.ceil(deadline - time.monotonic()))
        given = str(named.get("connect_timeout", left))
        # What is no number is the driver's to refuse.
        if given.isdecimal():
            named["connect_timeout"] = min(int(given) or left, left)


def _may_come(engine: Engine, error: DatabaseUnavailable) -> bool:
    """Whether time alone may mend it, as the client library itself sees it."""
    from psycopg import conninfo, errors
    from psycopg.pq import PGconn, Ping

    if isinstance(getattr(error.__cause__, "orig", None), errors.ConnectionTimeout):
        # To ask again would take as long, and no Ctrl-C would end it.
        return True
    if any(words in error.reason for words in _FULL):
        return True
    _, named = engine.dialect.create_connect_args(engine.url)
    known = libpq_options()
    asked = {key: value for key, value in named.items() if key in known}
    asked["connect_timeout"] = _SHORTEST_TIMEOUT
    answer = PGconn.ping(conninfo.make_conninfo(**asked).encode())
    return answer in (Ping.REJECT, Ping.NO_RESPONSE)


def _gave_up(engine: Engine, error: DatabaseUnavailable, seconds: float) -> DatabaseUnavailable:
    reason = f"{error.reason}; waited {seconds:g} s for it"
    return DatabaseUnavailable(engine.url, DatabaseFailure(failures.UNREACHED, reason))
