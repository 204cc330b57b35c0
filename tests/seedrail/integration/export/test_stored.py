"""Stored values in canonical form: as each database gives them, or a sentence of why they have none."""

from typing import Any

import pytest

from seedrail.dialects import dialect_named
from seedrail.integration.export.stored import canonical_of, refuse_other_form
from seedrail.schema.types import ColumnType


@pytest.mark.parametrize(
    ("kind", "raw", "canonical"),
    [
        ("uuid", "c47019c7bce95eeeaee3c53acdf46094", "c47019c7-bce9-5eee-aee3-c53acdf46094"),
        ("uuid", "c47019c7-bce9-5eee-aee3-c53acdf46094", "c47019c7-bce9-5eee-aee3-c53acdf46094"),
        ("text", "", ""),
        ("integer", "12", 12),
        ("integer", 12, 12),
        ("boolean", "true", True),
        ("boolean", 0, False),
        ("float", "0.1", 0.1),
        ("float", 3, 3.0),
        ("decimal(8,2)", "1.50", "1.5"),
        ("decimal(8,2)", 1.5, "1.5"),
        ("timestamp", "2020-01-01 00:00:00.000000", "2020-01-01T00:00:00Z"),
        ("timestamp", "2020-01-01 01:00:00.5+01", "2020-01-01T00:00:00.500000Z"),
        ("date", "2020-02-29", "2020-02-29"),
        ("json", '{"b": [1, null]}', {"b": [1, None]}),
        ("text", None, None),
    ],
)
def test_a_stored_value_has_its_canonical_form(kind: str, raw: Any, canonical: Any) -> None:
    found = canonical_of(ColumnType.parse(kind), raw)
    assert (found, type(found)) == (canonical, type(canonical))


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("uuid", "x"),
        ("text", 5),
        ("text", b"x"),
        ("string(3)", "long"),
        ("integer", 1.5),
        ("integer", "x"),
        ("boolean", 2),
        ("float", "Infinity"),
        ("decimal(8,2)", "NaN"),
        ("decimal(8,2)", "1.555"),
        ("timestamp", "infinity"),
        ("timestamp", "0044-03-15 00:00:00+00 BC"),
        ("date", "soon"),
        ("json", "{"),
        ("json", "[NaN]"),
    ],
)
def test_what_has_no_canonical_form_is_said_with_its_value(kind: str, raw: Any) -> None:
    with pytest.raises(ValueError, match=r"holds .*, which as "):
        canonical_of(ColumnType.parse(kind), raw)


@pytest.mark.parametrize(
    ("kind", "raw", "fits"),
    [
        ("json", '{"a":1}', True),
        ("json", '{"a": 1}', False),
        ("timestamp", "2020-01-01 00:00:00.000000", True),
        ("timestamp", "2020-01-01 00:00:00", False),
        ("uuid", "c47019c7-bce9-5eee-aee3-c53acdf46094", False),
        ("decimal(8,2)", 2, True),
        ("boolean", 1, True),
        ("text", "x", True),
    ],
)
def test_sqlite_tells_what_a_seed_would_store_otherwise(kind: str, raw: Any, fits: bool) -> None:
    type_ = ColumnType.parse(kind)
    value = canonical_of(type_, raw)
    refuse_other_form(dialect_named("postgresql"), type_, raw, value)
    if fits:
        refuse_other_form(dialect_named("sqlite"), type_, raw, value)
        return
    with pytest.raises(ValueError, match="an upgrade would find another value there"):
        refuse_other_form(dialect_named("sqlite"), type_, raw, value)
