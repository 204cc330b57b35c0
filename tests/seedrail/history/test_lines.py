"""Lines of change files: many alike stay text together, one that is none is named."""

import pytest
from msgspec import Raw

from seedrail import ChangeFileError
from seedrail.history.changes import Change
from seedrail.history.lines import Line, Lone, lone_or_net

IDS = [f"00000000-0000-4000-8000-00000000000{number}" for number in range(6)]
ROW = Raw(b'{"name":"a"}')


def test_whole_rows_of_one_kind_stay_text_together() -> None:
    lines = [
        *(Line("groups", id_, new=ROW) for id_ in IDS[:3]),
        Line("groups", IDS[3], old=ROW),
        Line("groups", IDS[4], old=ROW, new=Raw(b'{"name":"b"}')),
        Line("groups", IDS[5], new=ROW),
    ]
    up = list(lone_or_net([(0, lines)], ["seed_0001"], upward=True))
    assert up[0] == Lone("groups", "insert", "seed_0001", [(id_, ROW) for id_ in IDS[:3]])
    assert up[1] == Lone("groups", "delete", "seed_0001", [(IDS[3], ROW)])
    assert isinstance(up[2], Change)
    assert up[2].effect == "update"
    assert up[3] == Lone("groups", "insert", "seed_0001", [(IDS[5], ROW)])
    down = list(lone_or_net([(0, lines)], ["seed_0001"], upward=False))
    assert [one.effect for one in down] == ["delete", "insert", "update", "delete"]


def test_a_row_that_two_revisions_touch_comes_to_one_change() -> None:
    first, then = Line("groups", IDS[0], new=ROW), Line("groups", IDS[0], old=ROW)
    assert list(lone_or_net([(0, [first]), (1, [then])], ["seed_0001", "seed_0002"], upward=True)) == []


def test_what_is_wanted_of_many_rows_is_told_by_table_and_id() -> None:
    rows = Lone("groups", "insert", "seed_0001", [(id_, ROW) for id_ in IDS])
    assert rows.only({("groups", IDS[2]), ("nodes", IDS[3])}).rows == [(IDS[2], ROW)]


def test_a_change_of_something_that_is_no_row_is_named() -> None:
    line = Line("groups", IDS[0], old=Raw(b"5"), new=Raw(b"6"))
    with pytest.raises(ChangeFileError, match=f"seed_0001: groups {IDS[0]} is not a row change"):
        list(lone_or_net([(0, [line])], ["seed_0001"], upward=True))
