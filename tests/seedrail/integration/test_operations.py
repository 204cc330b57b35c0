"""Pending changes as `alembic check` tells them: a sentence for each table, and one name for each row."""

from seedrail.history.changes import Change
from seedrail.integration.operations import PendingSeedsOp
from seedrail.quoting import harmless
from tests.laws.world import catalog, group_id


def summary(*names: str) -> list[str]:
    changes = [Change("groups", group_id(name), None, {"name": name, "size": 1}) for name in names]
    return PendingSeedsOp(changes, dict(catalog().tables), {}).summary()


def test_ordinary_rows_are_named_as_they_are() -> None:
    assert summary("a", "é") == ["groups: 2 inserts (insert a, insert é)"]


def test_a_name_that_could_be_read_as_two_or_as_more_is_quoted() -> None:
    (line,) = summary("a, insert b", "two words", "x\n\x1b[2K\u202e")
    for shown in ("insert 'a, insert b'", "insert 'two words'", "insert 'x\\n\\u001b[2K\\u202e'"):
        assert shown in line
    assert harmless(line)


def test_a_long_name_is_cut_behind_its_quotes() -> None:
    assert summary("n" * 50 + "\n" * 50) == [
        "groups: 1 insert (insert '" + "n" * 50 + "\\n" * 9 + "'…)",
    ]
