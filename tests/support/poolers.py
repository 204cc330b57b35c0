"""A real PgBouncer in transaction mode before the tests' PostgreSQL, as Debian ships it."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import URL, make_url


@contextmanager
def pooled(url: str) -> Iterator[str]:
    """A PostgreSQL database's URL through a pooler, which gives each transaction another connection."""
    behind = make_url(url)
    account = _account(behind)
    directory = Path(tempfile.mkdtemp(prefix="srp-"))
    port = _free_port()
    configuration = directory / "pgbouncer.ini"
    configuration.write_text(_configuration(behind, port))
    if account:
        for path in (directory, configuration):
            os.chown(path, account["user"], account["group"])
    process = subprocess.Popen(
        [_program(), "-q", str(configuration)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        **account,
    )
    try:
        through = URL.create("postgresql", "anybody", host="127.0.0.1", port=port, database=behind.database)
        _wait_for(through, process)
        yield through.render_as_string(hide_password=False)
    finally:
        process.terminate()
        process.communicate(timeout=30)
        shutil.rmtree(directory)


def _program() -> str:
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        pytest.fail(
            "there is no pgbouncer on this machine: apt-get install pgbouncer (or your system's package)"
        )
    return found


def _account(behind: URL) -> dict[str, int | list[int]]:
    """Who the pooler is where the tests run as root, which it refuses to be: whoever may reach the server."""
    if os.getuid() != 0:
        return {}
    host = _host(behind)
    if host.startswith("/"):
        owner = Path(host).stat()
        if owner.st_uid:
            return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _host(url: URL) -> str:
    host = url.host or url.query.get("host", "127.0.0.1")
    return host if isinstance(host, str) else host[0]


def _configuration(behind: URL, port: int) -> str:
    server = {
        "host": _host(behind),
        "port": behind.port or behind.query.get("port", 5432),
        "user": behind.username or "postgres",
        **({"password": behind.password} if behind.password else {}),
    }
    return "\n".join(
        [
            "[databases]",
            "* = " + " ".join(f"{name}={value}" for name, value in server.items()),
            "[pgbouncer]",
            "listen_addr = 127.0.0.1",
            f"listen_port = {port}",
            "unix_socket_dir =",
            "auth_type = any",
            "pool_mode = transaction",
            # As in production, and unlike one client alone: connections change hands between transactions.
            "server_round_robin = 1",
            "default_pool_size = 3",
        ]
    )


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_for(through: URL, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(through.render_as_string(hide_password=False)).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                output = process.communicate(timeout=5)[0] if process.poll() is not None else b""
                pytest.fail(f"pgbouncer does not answer: {output.decode()}")
            time.sleep(0.05)
        else:
            return
