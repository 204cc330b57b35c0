"""A TCP proxy before the tests' PostgreSQL that cuts a connection at its COMMIT."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum

from sqlalchemy.engine import URL, make_url


class Cut(Enum):
    """Where the connection of the first COMMIT is cut."""

    ANSWER = "the server commits, and its answer is lost"
    REQUEST = "the server loses the client before it hears of the commit"
    SILENCE = "the server commits, and its answer never comes, on a connection that stays"
    ORPHAN = "the server hears nothing, and waits for its client"


@dataclass
class Proxy:
    """Passes everything on until a COMMIT, and after it only where the server `returns`."""

    behind: URL
    cut: Cut
    returns: bool
    happened: bool = False
    _sockets: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]

    @property
    def url(self) -> str:
        """The database's URL through the proxy, which has to read along."""
        through = self.behind.difference_update_query(["host", "port"]).set(host="127.0.0.1", port=self.port)
        plain = through.update_query_dict({"sslmode": "disable", "gssencmode": "disable"})
        return plain.render_as_string(hide_password=False)

    def serve(self) -> None:
        """Take connections until the end."""
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                if self.happened and not self.returns:
                    client.close()
                    continue
                server, asked = self._connect(), threading.Event()
                self._sockets += [client, server]
                self._start(self._pass, client, server, asked)
                self._start(self._answer, server, client, asked)

    def close(self) -> None:
        """Let go of everything."""
        _end(self._listening, *self._sockets)
        for thread in self._threads:
            thread.join(10)
        for one in (self._listening, *self._sockets):
            one.close()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        self._threads.append(threading.Thread(target=target, args=args, daemon=True))
        self._threads[-1].start()

    def _connect(self) -> socket.socket:
        host = self.behind.host or self.behind.query.get("host", "127.0.0.1")
        port = int(str(self.behind.port or self.behind.query.get("port", 5432)))
        assert isinstance(host, str)
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def _pass(self, client: socket.socket, server: socket.socket, asked: threading.Event) -> None:
        wrote = False
        with suppress(OSError):
            while data := client.recv(65_536):
                # The driver commits too, when it has asked for types.
                wrote = wrote or b"INSERT INTO" in data or b"UPDATE " in data
                if not wrote or b"COMMIT" not in data or self.happened:
                    server.sendall(data)
                elif self.cut in (Cut.ANSWER, Cut.SILENCE):
                    asked.set()
                    server.sendall(data)
                else:
                    self.happened = True
                    _end(client, *([server] if self.cut is Cut.REQUEST else []))
                    return
        _end(client, server)

    def _answer(self, server: socket.socket, client: socket.socket, asked: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(65_536):
                if asked.is_set():
                    self.happened = True
                    if self.cut is Cut.SILENCE:
                        return
                    break
                client.sendall(data)
        _end(client, server)


def _end(*sockets: socket.socket) -> None:
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


@contextmanager
def cut_at_commit(url: str, cut: Cut, *, returns: bool = True) -> Iterator[Proxy]:
    """A PostgreSQL database behind a proxy that cuts the first connection that writes at its COMMIT."""
    proxy = Proxy(make_url(url), cut, returns)
    serving = threading.Thread(target=proxy.serve, daemon=True)
    serving.start()
    try:
        yield proxy
    finally:
        proxy.close()
        serving.join(10)
