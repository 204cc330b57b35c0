"""Pointing into documents: the line of any path, against a writer that knows where it put each value."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedrail.documents.faults import Fault, Text, line_of, line_too_deep, show_path, show_value

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5) | st.sampled_from(['a"b', "\\", "]", "{", ",", ":", "\n", "\ud800"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=25,
)  # fmt: skip


class Writer:
    """Writes JSON with spaces of any kind between the tokens, and notes the line of every value."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.text = ""
        self.lines: dict[tuple, int] = {}

    def space(self) -> None:
        self.text += self.data.draw(st.text(" \t\r\n", max_size=3))

    def write(self, value: Any, path: tuple = ()) -> None:
        self.space()
        self.lines[path] = self.text.count("\n") + 1
        if isinstance(value, dict):
            self._members("{}", ((key, member) for key, member in value.items()), path)
        elif isinstance(value, list):
            self._members("[]", enumerate(value), path)
        else:
            # A lone surrogate is always escaped: a document is UTF-8, which has none.
            escaped = value == "\ud800" or self.data.draw(st.booleans())
            self.text += json.dumps(value, ensure_ascii=escaped)
        self.space()

    def _members(self, brackets: str, members: Iterator[tuple], path: tuple) -> None:
        self.text += brackets[0]
        self.space()
        for number, (key, member) in enumerate(members):
            if number:
                self.text += ","
            if brackets == "{}":
                self.space()
                self.text += json.dumps(key)
                self.space()
                self.text += ":"
            self.write(member, (*path, key))
        self.text += brackets[1]


@given(VALUES, st.data())
def test_the_line_of_every_value_is_where_the_writer_put_it(value: Any, data: st.DataObject) -> None:
    writer = Writer(data)
    writer.write(value)
    text = Text(writer.text.encode())
    for path, line in writer.lines.items():
        assert line_of(writer.text, path) == line
        assert text.line(path) == line


@given(VALUES, st.data())
def test_a_path_that_is_not_there_points_at_its_nearest_parent(value: Any, data: st.DataObject) -> None:
    writer = Writer(data)
    writer.write(value)
    path = data.draw(st.sampled_from(sorted(writer.lines, key=repr)))
    for missing in ("no such key", 99):
        assert line_of(writer.text, (*path, missing, "below")) == writer.lines[path]
        assert Text(writer.text.encode()).line((*path, missing, "below")) == writer.lines[path]


@pytest.mark.parametrize("indent", [None, 0, 1, 2, "\t"])
def test_the_lines_of_the_shipped_documents_are_those_of_an_editor(indent: Any) -> None:
    from app.features.catalog import DOCUMENTS

    value = json.loads((DOCUMENTS / "machines.json").read_text("utf-8"))
    text = json.dumps(value, indent=indent)
    for index in range(0, len(value), 7):
        marked = json.dumps([*value[:index], "MARK", *value[index + 1 :]], indent=indent)
        expected = marked[: marked.index('"MARK"')].count("\n") + 1
        assert line_of(text, (index,)) == Text(text.encode()).line((index,)) == expected


def test_a_repeated_key_means_its_last_occurrence() -> None:
    text = '{"a": 1,\n"b": [\n1],\n"a": {\n"c": 2}}'
    assert line_of(text, ("a",)) == 4
    assert line_of(text, ("a", "c")) == 5


@pytest.mark.parametrize(
    "value", ["9" * 10_000, "1e999", "NaN", "-Infinity", '"\\ud800"', '"\\u0000"', '"]}\\""']
)
def test_what_python_would_not_read_is_passed_over(value: str) -> None:
    text = f'[{value}, {{"a": {value},\n"b":\n{value}}}]'
    assert line_of(text, (1, "b")) == Text(text.encode()).line((1, "b")) == 3


@pytest.mark.parametrize("depth", range(100, 1_100, 50))
def test_a_neighbour_nested_too_deep_to_pass_over_is_no_crash(depth: int) -> None:
    text = '[\n{"deep":\n' + "[" * depth + "]" * depth + ',\n"a":\n1},\n2]'
    assert line_of(text, (0, "a")) in (2, 5)
    assert Text(text.encode()).line((0, "a")) in (1, 2, 5)
    assert Text(text.encode()).line((1,)) in (1, 6)


def test_brackets_in_strings_do_not_nest() -> None:
    assert line_too_deep('["[[[[", "\\"[[[[",\n[\n[]]]', 2) == 3
    assert line_too_deep('["[[[["]', 2) is None
    assert line_too_deep('[[[ "unterminated', 2) == 1
    assert line_too_deep("[]" * 1_000, 2) is None


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ((), ""),
        ((3, "artifacts", 0, "kind"), "[3].artifacts[0].kind"),
        (("name",), "name"),
        ((0, "_a1"), "[0]._a1"),
        ((0, "1a"), '[0]["1a"]'),
        ((0, "a.b", ""), '[0]["a.b"][""]'),
        ((0, "é"), '[0]["\\u00e9"]'),
        ((0, 'a"]'), '[0]["a\\"]"]'),
        ((0, "\ud800\0"), '[0]["\\ud800\\u0000"]'),
        ((0, "x" * 81), f'[0]["{"x" * 79}\\u2026"]'),
        ((0, "x" * 80), f"[0].{'x' * 80}"),
    ],
)
def test_a_path_is_shown_as_one_would_write_it(path: tuple, shown: str) -> None:
    assert show_path(path) == shown


@given(st.lists(st.integers(0, 99) | st.text(max_size=10)))
def test_a_path_is_always_plain_ascii(path: list) -> None:
    shown = show_path(path)
    assert shown.isascii()
    assert shown.isprintable()


@given(VALUES)
def test_a_value_is_shown_on_one_line_and_not_too_long(value: Any) -> None:
    for whole in (False, True):
        shown = show_value(value, whole=whole)
        assert "\n" not in shown
        assert len(shown) <= 6 * (320 if whole else 80)
        shown.encode()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (-0.5, "-0.5"),
        (float("nan"), "NaN"),
        ({"a": 1}, "an object"),
        ([1], "a list"),
        ("é", '"é"'),
        ("a\nb\x1b\x7f", '"a\\nb\\u001b\\u007f"'),
        ("\ud800", '"\\ud800"'),
        ("x" * 79, '"' + "x" * 78 + "…"),
        ("x" * 77 + "\n" * 9, '"' + "x" * 77 + "…"),
        ("x" * 76 + "\\" * 9, '"' + "x" * 76 + "\\\\…"),
        ("x" * 77 + "\\" * 9, '"' + "x" * 77 + "…"),
        ("x" * 74 + "\x1b" * 9, '"' + "x" * 74 + "…"),
        ("\u3164", '"\\u3164"'),
    ],
)
def test_scalars_are_shown_as_json(value: Any, shown: str) -> None:
    assert show_value(value) == shown


def test_a_fault_says_file_line_path_and_message() -> None:
    text = Text(b'[\n{"a":\n1}]')
    fault = Fault("x.json", (0, "a"), "is bad", text)
    assert (fault.line, str(fault)) == (3, "x.json:3: [0].a: is bad")
    assert str(Fault("x.json", (), "is bad", 7)) == "x.json:7: is bad"
    assert str(Fault("x.json", (), "is bad")) == "x.json: is bad"
    twin = Fault("x.json", (0, "a"), "is double", text, twin=(0,))
    assert str(twin) == "x.json:3: [0].a: is double: the same as [0] on line 2"
