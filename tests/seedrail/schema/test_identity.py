"""The faster ways to canonical JSON and seed ids say what Python's own `json` and `uuid5` say."""

from typing import Any
from uuid import uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.sql import quoted_name

from app.features.simulations import LinkKind
from seedrail.schema.identity import SEED_NAMESPACE, canonical_json, canonical_object, seed_id

INTEGERS = st.integers() | st.integers(-(2**64) - 2, 2**64 + 2)
# SQLAlchemy's names are a subclass of `str`.
NAMES = st.text() | st.builds(quoted_name, st.text(), st.none())
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | NAMES
    | st.sampled_from(LinkKind),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=5)


@given(OBJECTS)
def test_an_object_is_written_as_python_writes_it(members: dict[str, Any]) -> None:
    assert bytes(canonical_object(members)) == canonical_json(members).encode()
    without = {name: value for name, value in members.items() if value is not None}
    assert bytes(canonical_object(members, nulls=False)) == canonical_json(without).encode()


@given(OBJECTS, OBJECTS)
def test_an_object_that_is_written_already_stands_as_it_is(outer: dict[str, Any], inner: Any) -> None:
    written = canonical_object({**outer, "inner": canonical_object(inner)})
    assert bytes(written) == canonical_json({**outer, "inner": inner}).encode()


def test_every_character_is_written_as_python_writes_it() -> None:
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    for members in ({"all": "".join(characters)}, dict.fromkeys(characters[::7], 0)):
        assert bytes(canonical_object(members)) == canonical_json(members).encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")]])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_object({"value": value})


@given(NAMES, st.lists(VALUES, min_size=1, max_size=3))
def test_a_seed_id_is_the_version_5_uuid_of_table_and_key(table: str, key: list[Any]) -> None:
    assert seed_id(table, *key) == str(uuid5(SEED_NAMESPACE, canonical_json([table, *key])))
