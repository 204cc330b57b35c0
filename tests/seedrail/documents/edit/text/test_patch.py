"""One value set or removed in a JSON text: all else stays as it was written."""

import json
from typing import Any

import pytest

from seedrail.documents.edit.text.patch import remove, set_value
from seedrail.documents.edit.text.style import Literal, Style

LINES = '{\n    "a": 1,\n    "b": {"c": [1, 2]},\n    "d": "x"\n}'


def put(text: str, path: list[Any], value: Any, order: tuple[str, ...] = (), *, lines: bool = True) -> str:
    found = set_value(text, path, value, Style.of(text), order, lines=lines)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "path", "value", "then"),
    [
        ('{"a": 1}', ["a"], 2, '{"a": 2}'),
        ('{ "a" :1 , "b":2}', ["b"], None, '{ "a" :1 , "b":null}'),
        ('{"a": "x"}', ["a"], "é\n", '{"a": "é\\n"}'),
        ('{"a": "\\u00e9"}', ["a"], "ß", '{"a": "\\u00df"}'),
        ('{"a": 1.50}', ["a"], Literal("2.0"), '{"a": 2.0}'),
        ('{"a": [1, 2, 3]}', ["a"], [1, 5, 3], '{"a": [1, 5, 3]}'),
        ('{"a": [1, 2]}', ["a"], [1], '{"a": [1]}'),
        ('{"a":[1]}', ["a"], {"b": 1, "c": 2}, '{"a":{"b":1,"c":2}}'),
        ('{"a": {"b": 1, "c": 2}}', ["a"], {"c": 3}, '{"a": {"c": 3}}'),
        ('{"a": {"b": 1}}', ["a"], {"b": 1, "c": 3}, '{"a": {"b": 1, "c": 3}}'),
        ('{"a": null}', ["a", "b", "c"], 1, '{"a": {"b": {"c": 1}}}'),
        ('{"a": true}', ["a"], 1, '{"a": 1}'),
        ('{"a": 1, "a": 2}', ["a"], 3, '{"a": 1, "a": 3}'),
    ],
)
def test_only_the_value_is_written_anew(text: str, path: list[Any], value: Any, then: str) -> None:
    assert put(text, path, value) == then


def test_a_value_that_is_there_already_is_not_spelled_anew() -> None:
    text = '{"a": {"b": 1.0e1, "c": "\\u00e9"}}'
    assert put(text, ["a"], {"b": 10.0, "c": "é"}) == text


@pytest.mark.parametrize(
    ("order", "then"),
    [
        ((), '"d": "x",\n    "new": 5\n}'),
        (("a", "new", "b"), '{\n    "a": 1,\n    "new": 5,\n    "b"'),
        (("new", "a"), '{\n    "new": 5,\n    "a": 1,'),
        (("z", "new"), '"d": "x",\n    "new": 5\n}'),
    ],
)
def test_a_key_is_added_where_its_neighbours_stand(order: tuple[str, ...], then: str) -> None:
    found = put(LINES, ["new"], 5, order)
    assert then in found
    assert json.loads(found) == {**json.loads(LINES), "new": 5}


def test_an_object_is_added_in_lines_or_in_one_as_its_like_is() -> None:
    assert '"new": {\n        "x": [\n            1\n        ]\n    }\n}' in put(LINES, ["new"], {"x": [1]})
    assert '"new": {"x": [1]}\n}' in put(LINES, ["new"], {"x": [1]}, lines=False)
    assert put('{"a":1,"b":2}', ["c"], {"x": 1}) == '{"a":1,"b":2,"c":{"x":1}}'
    assert put("{}", ["c"], 1) == '{"c": 1}'


def test_tabs_and_line_ends_are_kept() -> None:
    text = '{\r\n\t"a": 1\r\n}'
    assert put(text, ["b"], {"c": 1}) == '{\r\n\t"a": 1,\r\n\t"b": {\r\n\t\t"c": 1\r\n\t}\r\n}'


def test_a_path_through_what_is_no_object_leads_nowhere() -> None:
    assert set_value('{"a": 1}', ["a", "b"], 2, Style()) is None
    assert set_value('{"a": [1]}', ["a", 3], 2, Style()) is None
    assert remove('{"a": 1}', ["b"]) is None


@pytest.mark.parametrize(
    ("text", "path", "then"),
    [
        ('{"a": [1, 2, 3]}', ["a", 0], '{"a": [2, 3]}'),
        ('{"a": [1, 2, 3]}', ["a", 1], '{"a": [1, 3]}'),
        ('{"a": [1, 2, 3]}', ["a", 2], '{"a": [1, 2]}'),
        ('{"a": [\n  1\n]}', ["a", 0], '{"a": []}'),
        ('{"a": 1 , "b": 2}', ["a"], '{"b": 2}'),
        ('{\n  "a": 1,\n  "b": 2\n}', ["b"], '{\n  "a": 1\n}'),
    ],
)
def test_what_is_removed_takes_its_comma_along(text: str, path: list[Any], then: str) -> None:
    assert remove(text, path) == then
