"""A process before a PostgreSQL server, or instead of one: it refuses as many connections as it is told.

    python refusing.py PORT CODE MESSAGE REFUSALS [HOST SERVER_PORT]

Not a thread of the tests: the client library asks what a server is without letting other threads run.
"""

import socket
import socketserver
import struct
import sys
import threading

ENCRYPTION = (struct.pack("!I", 80877103), struct.pack("!I", 80877104))


class Server(socketserver.ThreadingTCPServer):
    """Says a line for each connection that got as far as its name."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, port: int, error: tuple[str, str], refusals: int, behind: list[str]) -> None:
        self.error, self.refusals, self.behind = error, refusals, behind
        super().__init__(("127.0.0.1", port), Answer)


class Answer(socketserver.BaseRequestHandler):
    """One connection."""

    server: Server

    def handle(self) -> None:
        packet = self._packet()
        while packet[4:8] in ENCRYPTION:
            self.request.sendall(b"N")
            packet = self._packet()
        if not packet:
            return
        print("asked", flush=True)
        if self.server.refusals:
            self.server.refusals -= 1
            code, message = self.server.error
            fields = f"SFATAL\0VFATAL\0C{code}\0M{message}\0\0".encode()
            self.request.sendall(b"E" + struct.pack("!I", len(fields) + 4) + fields)
            return
        with connected(*self.server.behind) as real:
            real.sendall(packet)
            threading.Thread(target=copy, args=(real, self.request), daemon=True).start()
            copy(self.request, real)

    def _packet(self) -> bytes:
        head: bytes = self.request.recv(4, socket.MSG_WAITALL)
        if len(head) < 4:
            return b""
        return head + bytes(self.request.recv(struct.unpack("!I", head)[0] - 4, socket.MSG_WAITALL))


def connected(host: str, port: str) -> socket.socket:
    if not host.startswith("/"):
        return socket.create_connection((host, int(port)))
    real = socket.socket(socket.AF_UNIX)
    real.connect(f"{host}/.s.PGSQL.{port}")
    return real


def copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


if __name__ == "__main__":
    port, code, message, refusals, *behind = sys.argv[1:]
    with Server(int(port), (code, message), int(refusals), behind) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever(0.02)
