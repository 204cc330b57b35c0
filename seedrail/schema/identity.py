"""Natural keys: the UUID of a seed row follows from its table and key, so that rows link without look-ups.

The words of a row are its key as text, with parents by theirs instead of by their ids. Each line of a change
file carries them, for people to read and for the file's order: children stand beside their siblings. A row
has the same words in every file, for its seed id is made of what its key holds.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha1
from typing import TYPE_CHECKING, Any
from uuid import UUID

from msgspec import Raw
from msgspec.json import Encoder

if TYPE_CHECKING:
    from seedrail.schema.tables import FrozenTable

SEED_NAMESPACE = UUID("7c1f5f0e-3a52-5d0b-9a53-6d1c2f0e8b41")
"""The UUIDv5 namespace of every seed id. Changing it would orphan every seeded row ever written."""


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, no escapes that are not needed."""
    return _encode(value)


# Made once: json.dumps() makes an encoder for each call that asks for anything but its defaults.
_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def as_text(value: Any) -> str | None:
    """A canonical value as text: a string, or NULL, as it is."""
    return value if value is None or isinstance(value, str) else canonical_json(value)


def canonical_object(members: Mapping[str, Any], *, nulls: bool = True) -> Raw:
    """The same of an object, as UTF-8 and faster; members that are Raw are written already."""
    written = {
        name: one if type(one) in _PLAIN else _encoded(one)
        for name, one in members.items()
        if nulls or one is not None
    }
    return Raw(_encode_plain(written))


def _encoded(value: Any) -> Raw:
    return Raw(canonical_json(value).encode())


_PLAIN = frozenset({str, int, bool, type(None), Raw})
"""What msgspec writes as Python does. Of floats it does not, and subclasses of `str` it refuses."""

_encode_plain = Encoder(order="sorted").encode


def seed_id(table: str, *key: Any) -> str:
    """The seed id of a row as canonical UUID text.

    `key` holds the natural key's values in the table's key order, in canonical form (see `types`);
    a key column that is a foreign key holds the parent's seed id.
    """
    return seed_id_of(table, key)


def seed_id_of(table: str, key: Sequence[Any]) -> str:
    """`seed_id` for a key that is already a sequence."""
    # uuid.uuid5() says the same in three times the time.
    name = _encode_plain([one if type(one) in _PLAIN else _encoded(one) for one in (str(table), *key)])
    digest = bytearray(sha1(_NAMESPACE + name, usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_NAMESPACE = SEED_NAMESPACE.bytes


Find = Callable[[str, str], Mapping[str, Any] | None]
"""A row's values by its table and seed id; None of a row that nobody knows."""


def words(tables: "Mapping[str, FrozenTable]", find: Find) -> Callable[[str, str], bytes]:
    """A function of table and seed id: the natural key as JSON by column, in the key's order.

    A row that cannot be found is its id.
    """
    parents = {name: _parents(table) for name, table in tables.items()}
    written: dict[str, Raw] = {}
    """Of parents: many rows have the same."""

    def text(table: str, id_: str) -> bytes:
        row = find(table, id_)
        if row is None or table not in parents:
            return _encode_in_order(id_)
        members = {}
        for column, parent in parents[table]:
            value = row.get(column)
            if parent is not None and value is not None:
                if value not in written:
                    written[value] = Raw(text(parent, value))
                value = written[value]
            elif type(value) not in _PLAIN:
                value = _encoded(value)
            members[column] = value
        return _encode_in_order(members)

    return text


def _parents(table: "FrozenTable") -> list[tuple[str, str | None]]:
    """A key's columns, with the tables that they lead to."""
    keys = table.foreign_keys
    return [(name, keys[name].table if name in keys else None) for name in table.key]


_encode_in_order = Encoder().encode
