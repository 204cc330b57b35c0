"""Which of a live column's defaults are the same for each row, so that a row that differs was edited."""

import pytest

from seedrail.dialects import dialect_named
from seedrail.schema.defaults import constant_default

CONSTANT = [
    "0", "-1", "+1", "- 1", "1e3", ".5", "1.", "0x10", "(7)", "(1 + 1)", "true", "NULL", "X'00'", "'it''s'",
    "'{}'::text[]", "'a'::character varying", "'01'::\"bit\"", "'x'::shop.\"odd kind\"", "'a\nb'::text",
    "'2020-01-01 00:00:00+00'::timestamp with time zone", "'1 day'::interval day to second(0)",
    "ARRAY[]::text[]", "ARRAY['a'::text, 'b'::text]", "(''::text || 'a'::text)", "'0'::numeric(10,2)",
    "'now()'::text", "('a'::character varying)::text", "(NOT true)",
]  # fmt: skip

COMPUTED = [
    "now()", "CURRENT_TIMESTAMP", "nextval('items_n_seq'::regclass)", "datetime('now')", "random()",
    "abs(-3)", "('now'::text)::date", "(1 + random())", "('a'::text || CURRENT_USER)", "not(random())",
    "'a'::text COLLATE \"C\"", "pg_catalog.\"current_date\"()", "(SELECT 1)", "1_000abc",
]  # fmt: skip


@pytest.mark.parametrize("default", CONSTANT)
def test_takes_what_no_row_can_change_for_a_constant(default: str) -> None:
    assert constant_default(default) == default


@pytest.mark.parametrize("default", COMPUTED)
def test_takes_what_may_differ_from_row_to_row_for_computed(default: str) -> None:
    assert constant_default(default) is None


def test_no_default_is_null() -> None:
    assert constant_default(None) == "NULL"


@pytest.mark.parametrize(
    ("told", "expression"),
    [('"it\'s"', "'it''s'"), ('"a""b"', "'a\"b'"), ("open", "'open'"), ("NULL", "NULL"), ("True", "True")],
)
def test_a_name_that_sqlite_takes_for_a_text_is_one(told: str, expression: str) -> None:
    assert dialect_named("sqlite").default(told) == expression
    assert dialect_named("postgresql").default(told) == told
