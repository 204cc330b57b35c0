"""Reading text through psycopg that is not in its encoding: the server checks it, but not as SQL_ASCII."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format

_TYPES = ("text", "varchar")


class _SpelledOut(Loader):
    def load(self, data: Buffer) -> str:
        return bytes(data).decode("utf-8", "backslashreplace")


@contextmanager
def spelled_out(driver: Connection[Any]) -> Iterator[None]:
    """Within it, bytes of a text that are none are spelled out instead of an error."""
    adapters = driver.adapters
    usual = {oid: adapters.get_loader(oid, Format.TEXT) for oid in (adapters.types[n].oid for n in _TYPES)}
    for oid in usual:
        adapters.register_loader(oid, _SpelledOut)
    try:
        yield
    finally:
        for oid, loader in usual.items():
            if loader is not None:
                adapters.register_loader(oid, loader)
