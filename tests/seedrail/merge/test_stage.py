"""Names of staging tables: what PostgreSQL keeps of them tells one table from another."""

import pytest

from seedrail.merge.stage import stage_name


def test_a_staging_table_has_the_name_of_its_table() -> None:
    assert stage_name("machines") == "seed_stage_machines"


@pytest.mark.parametrize("letter", ["a", "ä", "機"])
def test_long_names_that_begin_alike_are_told_apart(letter: str) -> None:
    names = {stage_name(letter * 20 + "x" * 40 + end) for end in ("", "1", "2")}
    assert len(names) == 3
    assert all(len(name.encode()) <= 63 for name in names)
