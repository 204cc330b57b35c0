"""Seed ids: the UUID of a seed row follows from its table and natural key, so rows link without look-ups."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid5

SEED_NAMESPACE = UUID("7c1f5f0e-3a52-5d0b-9a53-6d1c2f0e8b41")
"""The UUIDv5 namespace of every seed id. Changing it would orphan every seeded row ever written."""


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, no escapes that are not needed."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def seed_id(table: str, *key: Any) -> str:
    """The seed id of a row as canonical UUID text.

    `key` holds the natural key's values in the table's key order, in canonical form (see `types`);
    a key column that is a foreign key holds the parent's seed id.
    """
    return seed_id_of(table, key)


def seed_id_of(table: str, key: Sequence[Any]) -> str:
    """`seed_id` for a key that is already a sequence."""
    return str(uuid5(SEED_NAMESPACE, canonical_json([table, *key])))
