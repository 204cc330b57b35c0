"""Runs Python modules in processes forked from this one, which has imported the libraries already.

A program, started by `tests.support.processes`, which sends it one request after the other through the socket
that it inherits as standard input. It never imports the application: each run does, from its own folder.
"""

import gc
import importlib
import json
import os
import runpy
import socket
import sys
import time
from typing import Any

LIBRARIES = (
    "aiosqlite",
    "alembic.autogenerate",
    "alembic.command",
    "alembic.config",
    "alembic.context",
    "alembic.op",
    "email_validator",
    "gzip",
    "msgspec",
    "passlib.context",
    "psycopg",
    "pydantic.types",
    "pydantic_settings",
    "rich.console",
    "rich.progress",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "sqlalchemy.ext.asyncio",
    "sqlalchemy.orm",
    "typer",
)
"""What the application's processes spend most of their start on."""


def serve(requests: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Fork for every request: returns it in the process that is to run it, and None when no more come."""
    children: set[int] = set()
    while True:
        message, files, _, _ = socket.recv_fds(requests, 1 << 20, 3)
        children -= {child for child in children if os.waitpid(child, os.WNOHANG)[0]}
        if not message:
            return None
        if child := os.fork():
            children.add(child)
            for file in files:
                os.close(file)
        else:
            requests.close()
            return json.loads(message), files


def watch(child: int, told: int) -> None:
    """Tell who asked the process id now and the way it ended later."""
    os.write(told, b"%d\n" % child)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.write(told, b"%d\n" % code)


def become(request: dict[str, Any], output: int, errors: int) -> None:
    """Be as `python -m MODULE …` finds itself, in a process group of its own."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for file, standard in ((nothing, 0), (output, 1), (errors, 2)):
        os.dup2(file, standard)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    os.chdir(request["folder"])
    sys.path[0] = request["folder"]
    sys.argv = request["arguments"]


def main() -> None:
    """Serve; and run what was asked for, in the processes that were forked for it."""
    for library in LIBRARIES:
        importlib.import_module(library)
    # What is here stays: to look through it for garbage costs a child more than all that it does.
    gc.freeze()
    asked = serve(socket.socket(fileno=os.dup(0)))
    if asked is None:
        return
    request, (output, errors, told) = asked
    if child := os.fork():
        os.close(output)
        os.close(errors)
        watch(child, told)
        os._exit(0)
    os.close(told)
    become(request, output, errors)
    # What it raises, and how it exits, is the interpreter's business, as it always is.
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
