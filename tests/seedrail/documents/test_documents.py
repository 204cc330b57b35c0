"""Reading seed documents: good ones become canonical rows, bad ones one report of all that is wrong."""

import json
import locale
import os
import time
from pathlib import Path

import pytest
from pydantic import BaseModel

from app.features.simulations.models import Simulation
from app.features.simulations.seed import simulation_seed_id
from seedrail import DocumentError, SeedCatalog, SeedRow, SeedSet, SeedTable, SetupError
from seedrail.documents.documents import KEY_BYTES_LIMIT, read_rows
from seedrail.documents.sources import DEPTH_LIMIT
from seedrail.errors import FAULT_LIMIT
from seedrail.schema.types import parse_timestamp
from tests.support.documents import START, Documents, artifact, machine, parent, simulation


@pytest.fixture
def documents(tmp_path: Path) -> Documents:
    return Documents(tmp_path)


def said(documents: Documents, **content) -> list[str]:
    """Each fault as it is shown, without the folder."""
    return [str(fault).replace(f"{documents.folder}/", "") for fault in documents.faults(**content)]


# -- what is read ----------------------------------------------------------------------------------


def test_good_documents_become_canonical_rows_by_seed_id(documents: Documents) -> None:
    rows = documents.rows(
        simulations=[
            simulation(
                simulationStartDate="2015-01-01T02:00:00+02:00",
                createdBy="6F1D2A5E-7F52-4B13-9A52-0D5B6F3A9C11",
                artifacts=[artifact(sizeBytes=2**63 - 1)],
                links=[{"kind": "docs", "url": "https://example.org"}],
            )
        ]
    )
    assert {table: len(found) for table, found in rows.items()} == {
        "machines": 1,
        "simulations": 1,
        "artifacts": 1,
        "external_links": 1,
    }
    ((id_, row),) = rows["simulations"].items()
    assert id_ == simulation_seed_id("case", "lumi", parse_timestamp(START))
    assert row["simulation_start_date"] == START
    assert row["created_by"] == "6f1d2a5e-7f52-4b13-9a52-0d5b6f3a9c11"
    assert row["machine_id"] in rows["machines"]
    assert row["notes_markdown"] is None
    assert next(iter(rows["artifacts"].values()))["simulation_id"] == id_


def test_the_shipped_documents_have_no_faults_and_every_row_names_all_its_columns() -> None:
    from app.features.catalog import seed_catalog

    catalog = seed_catalog()
    for table, rows in read_rows(catalog).items():
        assert rows
        assert all(list(row) == list(catalog.tables[table].columns) for row in rows.values())


def test_empty_documents_ask_for_no_rows(documents: Documents) -> None:
    rows = documents.rows(machines="[]", simulations=" [ ] \n")
    assert rows == {"machines": {}, "simulations": {}, "artifacts": {}, "external_links": {}}


def test_null_and_a_key_left_out_are_the_same(documents: Documents) -> None:
    without = documents.rows(simulations=[simulation()])
    nulls = {"artifacts": None, "links": None, "extra": None, "parent": None, "gitTag": None}
    assert documents.rows(simulations=[simulation(**nulls)]) == without


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2015-01-01T00:00:00Z", "2015-01-01T00:00:00Z"),
        ("2015-01-01T00:00:00+00:00", "2015-01-01T00:00:00Z"),
        ("2015-01-01T00:00:00-0000", "2015-01-01T00:00:00Z"),
        ("2015-01-01T02:00:00+02", "2015-01-01T00:00:00Z"),
        ("2014-12-31T16:30:00-07:30", "2015-01-01T00:00:00Z"),
        ("2015-01-01T23:59:00+23:59", "2015-01-01T00:00:00Z"),
        ("2015-01-01T00:00Z", "2015-01-01T00:00:00Z"),
        ("2015-01-01T00:00:00.5Z", "2015-01-01T00:00:00.500000Z"),
        ("2015-01-01T00:00:00,000001Z", "2015-01-01T00:00:00.000001Z"),
        ("2015-01-01T00:00:00.000000Z", "2015-01-01T00:00:00Z"),
        ("2016-02-29T00:00:00Z", "2016-02-29T00:00:00Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00-12:00", "0001-01-01T12:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_a_date_becomes_utc_in_one_form(documents: Documents, text: str, canonical: str) -> None:
    rows = documents.rows(simulations=[simulation(runEndDate=text)])
    assert next(iter(rows["simulations"].values()))["run_end_date"] == canonical


def test_lengths_count_characters_and_not_bytes(documents: Documents) -> None:
    documents.rows(simulations=[simulation("😀" * 255, gitTag="é" * 255, gitCommitHash="ü" * 64)])
    fault = documents.fault(simulations=[simulation(gitTag="😀" * 256)])
    assert fault.message == "is too long: 256 characters, at most 255 fit"


def test_extra_keeps_json_as_it_is(documents: Documents) -> None:
    extra = {"true": True, "one": 1, "float": 1.5, "null": None, "ü": ["😀", {"": []}], "big": 2**70}
    rows = documents.rows(simulations=[simulation(extra=extra)])
    kept = next(iter(rows["simulations"].values()))["extra"]
    assert json.dumps(kept) == json.dumps(extra)


def test_nesting_up_to_the_limit_is_read(documents: Documents) -> None:
    # The element, `extra`, its member and the lists inside it: a path may have DEPTH_LIMIT parts.
    def nested(depth: int) -> str:
        element = simulation(extra={"a": 0})
        return json.dumps([element]).replace('"a": 0', '"a": ' + "[" * depth + "]" * depth)

    documents.rows(simulations=nested(DEPTH_LIMIT - 2))
    fault = documents.fault(simulations=nested(DEPTH_LIMIT - 1))
    assert fault.message == f"is nested deeper than {DEPTH_LIMIT} levels"


# -- what is not a document ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "simulations.json:1: is empty: it must hold a JSON list, if only []"),
        (b" \n\n", "simulations.json:1: is empty: it must hold a JSON list, if only []"),
        (
            b"\xef\xbb\xbf[]",
            "simulations.json:1: starts with a byte-order mark; save it as UTF-8 without one",
        ),
        (b"\xff\xfe[\x00]\x00", "simulations.json:1: is not UTF-8 (byte 0xff)"),
        (b'[\n{"name":\n"caf\xe9"}]', "simulations.json:3: is not UTF-8 (byte 0xe9)"),
        (b'["\xed\xa0\x80"]', "simulations.json:1: is not UTF-8 (byte 0xed)"),
        (b"[\n{},\n]", "simulations.json:3: is not JSON: expecting value (column 1)"),
        (b"[]\n[]", "simulations.json:2: is not JSON: extra data (column 1)"),
        (b"['x']", "simulations.json:1: is not JSON: expecting value (column 2)"),
        (b'["a\tb"]', "simulations.json:1: is not JSON: invalid control character (column 4)"),
        (b'[\n"abc', "simulations.json:2: is not JSON: unterminated string (column 1)"),
        (b'["\\u12"]', "simulations.json:1: is not JSON: invalid \\uXXXX escape (column 4)"),
        (b"{}", "simulations.json:1: must be a list of objects, not an object"),
        (b"\n\n null", "simulations.json:3: must be a list of objects, not null"),
        (b'"[]"', 'simulations.json:1: must be a list of objects, not "[]"'),
        (b"NaN", "simulations.json:1: must be a list of objects, not NaN"),
        (b"[\n" * 100_000, f"simulations.json:{DEPTH_LIMIT + 1}: is nested deeper than 64 levels"),
        (b'[{"a":' * 60_000, "simulations.json:1: is nested deeper than 64 levels"),
    ],
)
def test_what_is_no_json_list_is_one_fault_with_a_line(
    documents: Documents, content: bytes, expected: str
) -> None:
    assert said(documents, simulations=content) == [expected]


def test_a_missing_document_and_a_directory_are_named(documents: Documents) -> None:
    documents.path("machines").unlink()
    documents.path("simulations").unlink()
    documents.path("simulations").mkdir()
    with pytest.raises(DocumentError) as caught:
        read_rows(documents.catalog)
    first, second = map(str, caught.value.faults)
    assert first == f"{documents.path('machines')}: cannot be read: No such file or directory"
    assert second == f"{documents.path('simulations')}: cannot be read: Is a directory"


def test_a_named_pipe_in_place_of_a_document_is_a_fault_at_once(documents: Documents) -> None:
    documents.path("machines").unlink()
    os.mkfifo(documents.path("machines"))
    with pytest.raises(DocumentError) as caught:
        read_rows(documents.catalog)
    (fault,) = caught.value.faults
    assert fault.message == "cannot be read: Is a named pipe, and no file"


def test_a_documents_own_name_forges_no_line(tmp_path: Path) -> None:
    folder = tmp_path / "a\n  b\x1b[2K"
    folder.mkdir()
    error = Documents(folder).error(machines="[", simulations=[])
    assert len(str(error).split("\n")) == 2
    assert "a\\n  b\\u001b[2K" in str(error)


def test_a_document_that_cannot_be_parsed_is_not_blamed_on_those_that_refer_to_it(
    documents: Documents,
) -> None:
    fault = documents.fault(machines="[", simulations=[simulation(str(n)) for n in range(5)])
    assert fault.file.endswith("machines.json")


def test_files_are_named_relative_to_the_working_directory(
    documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(documents.folder)
    assert documents.fault(simulations="{}").file == "simulations.json"


# -- what no database stores -----------------------------------------------------------------------


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_number_that_is_not_finite_is_refused_wherever_it_stands(documents: Documents, number: str) -> None:
    element = json.dumps(simulation(extra={"a": ["X"]}, artifacts=[artifact(sizeBytes="X")]), indent=1)
    faults = documents.faults(simulations=f"[{element}]".replace('"X"', number))
    assert {fault.path for fault in faults} == {(0, "extra", "a", 0), (0, "artifacts", 0, "sizeBytes")}
    assert {fault.message for fault in faults} == {"is not a finite number"}


def test_an_integer_of_ten_thousand_digits_is_a_fault_like_any_other(documents: Documents) -> None:
    element = json.dumps(simulation(artifacts=[artifact(sizeBytes="X")])).replace('"X"', "9" * 10_000)
    fault = documents.fault(simulations=f"[{element}]")
    assert fault.path == (0, "artifacts", 0, "sizeBytes")
    assert fault.message == "has too many digits for any database"


@pytest.mark.parametrize(
    ("character", "name"), [("\0", "a NUL character (U+0000)"), ("\ud800", "a lone surrogate (U+D800)")]
)
def test_characters_that_no_database_stores_are_refused_in_values_and_keys(
    documents: Documents, character: str, name: str
) -> None:
    element = simulation(
        f"a{character}",
        notesMarkdown=character,
        extra={"deep": [{character: f"x{character}y"}]},
        **{f"k{character}": 1},
    )
    faults = documents.faults(simulations=[element])
    why = f"{name}, which no database stores"
    assert {fault.path: fault.message for fault in faults} == {
        (0, "name"): f"contains {why}",
        (0, "caseName"): f"contains {why}",
        (0, "notesMarkdown"): f"contains {why}",
        (0, "extra", "deep", 0, character): f"contains {why}",
        (0, f"k{character}"): f"is a key with {why}",
    }
    # It can be shown anywhere: what cannot be encoded never reaches a terminal.
    assert all(character not in str(fault) for fault in faults)
    "".join(map(str, faults)).encode()


def test_a_surrogate_pair_is_one_character_and_welcome(documents: Documents) -> None:
    text = json.dumps([simulation(notesMarkdown="😀")])
    assert "\\ud83d\\ude00" in text
    rows = documents.rows(simulations=text)
    assert next(iter(rows["simulations"].values()))["notes_markdown"] == "😀"


def test_a_key_that_stands_twice_is_refused_at_any_depth(documents: Documents) -> None:
    element = json.dumps(simulation(extra={"a": {"b": 0}}))
    element = element.replace('{"b": 0}', '{"b": 1,\n"b": 1, "c": 1, "c": 2}')
    element = element.replace('"machine": {"name": "lumi"}', '"machine": {"name": "lumi", "name": "lumi"}')
    faults = documents.faults(simulations=f"[{element[:-1]}, \n\n{element[1:]}]")
    assert {f.path for f in faults if f.message == "is a duplicate key of its object"} == {
        *((0, key) for key in {**simulation(), "extra": 0}),
        (0, "machine", "name"),
        (0, "extra", "a", "b"),
        (0, "extra", "a", "c"),
    }
    # The line is that of the last one, which is the one that a parser keeps.
    assert {fault.line for fault in faults if fault.path == (0, "extra", "a", "b")} == {5}


# -- what the schema refuses -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "path", "message"),
    [
        ({"name": 5}, ".name", "should be a string: found 5"),
        ({"name": None}, ".name", "should be a string: found null"),
        ({"name": True}, ".name", "should be a string: found true"),
        ({"name": ["x"]}, ".name", "should be a string: found a list"),
        ({"name": ""}, ".name", "must not be empty"),
        ({"name": "x" * 256}, ".name", "is too long: 256 characters, at most 255 fit"),
        ({"gitTag": 1.5}, ".gitTag", "should be a string: found 1.5"),
        ({"gitCommitHash": "a" * 65}, ".gitCommitHash", "is too long: 65 characters, at most 64 fit"),
        ({"machine": "lumi"}, ".machine", 'should be an object: found "lumi"'),
        ({"machine": None}, ".machine", "should be an object: found null"),
        ({"machine": {}}, ".machine.name", "required key is missing"),
        ({"parent": []}, ".parent", "should be an object: found a list"),
        ({"parent": {"caseName": "x", "machine": {"name": "lumi"}}}, ".parent.simulationStartDate",
         "required key is missing"),
        ({"extra": []}, ".extra", "should be an object: found a list"),
        ({"extra": "{}"}, ".extra", 'should be an object: found "{}"'),
        ({"artifacts": {}}, ".artifacts", "should be a list: found an object"),
        ({"artifacts": [None]}, ".artifacts[0]", "should be an object: found null"),
        ({"artifacts": [artifact(uri="")]}, ".artifacts[0].uri", "must not be empty"),
        ({"artifacts": [artifact(kind="tarball")]}, ".artifacts[0].kind",
         "should be one of 'output', 'archive', 'run_script', 'postprocessing_script': found \"tarball\""),
        ({"artifacts": [artifact(kind="OUTPUT")]}, ".artifacts[0].kind",
         "should be one of 'output', 'archive', 'run_script', 'postprocessing_script': found \"OUTPUT\""),
        ({"artifacts": [artifact(kind=["output"])]}, ".artifacts[0].kind",
         "should be one of 'output', 'archive', 'run_script', 'postprocessing_script': found a list"),
        ({"status": None}, ".status",
         "should be one of 'unknown', 'created', 'queued', 'running', 'failed', 'completed': found null"),
        ({"artifacts": [artifact(sizeBytes=-1)]}, ".artifacts[0].sizeBytes",
         "should be at least 0: found -1"),
        ({"artifacts": [artifact(sizeBytes=2**63)]}, ".artifacts[0].sizeBytes",
         f"should be less than {2**63}: found {2**63}"),
        ({"artifacts": [artifact(sizeBytes=True)]}, ".artifacts[0].sizeBytes",
         "should be an integer: found true"),
        ({"artifacts": [artifact(sizeBytes=1.0)]}, ".artifacts[0].sizeBytes",
         "should be an integer: found 1.0"),
        ({"artifacts": [artifact(sizeBytes="1")]}, ".artifacts[0].sizeBytes",
         'should be an integer: found "1"'),
        ({"createdBy": "me"}, ".createdBy", 'should be a UUID as a string: found "me"'),
        ({"createdBy": "{6f1d2a5e-7f52-4b13-9a52-0d5b6f3a9c11}"}, ".createdBy",
         'should be a UUID as a string: found "{6f1d2a5e-7f52-4b13-9a52-0d5b6f3a9c11}"'),
        ({"case_name": "x"}, ".case_name", "unknown key; did you mean 'caseName'?"),
        ({"a b.c": 1}, '["a b.c"]', "unknown key"),
        ({"": 1}, '[""]', "unknown key"),
        ({"ключ\x1b": 1}, '["\\u043a\\u043b\\u044e\\u0447\\u001b"]', "unknown key"),
        ({"k" * 100_000: 1}, '["' + "k" * 79 + '\\u2026"]', "unknown key"),
    ],
)  # fmt: skip
def test_a_value_that_the_schema_refuses_is_told_in_plain_words(
    documents: Documents, values: dict, path: str, message: str
) -> None:
    (shown,) = said(documents, simulations=[simulation(**values)])
    place, _, rest = shown.partition(": ")
    assert place.startswith("simulations.json:")
    assert rest == f"[0]{path}: {message}"


@pytest.mark.parametrize("element", [None, 5, 1.5, True, "x", []])
def test_an_element_that_is_no_object_is_told_where_it_stands(documents: Documents, element) -> None:
    shown = {True: "true", None: "null", "x": '"x"'}.get(element, element) if element != [] else "a list"
    expected = f"simulations.json:17: [1]: should be an object: found {shown}"
    assert said(documents, simulations=[simulation(), element]) == [expected]


def test_a_boolean_is_not_a_number_and_a_number_not_a_boolean(documents: Documents) -> None:
    fault = documents.fault(machines=[machine(gpu=1)])
    assert (fault.path, fault.message) == ((0, "gpu"), "should be true or false: found 1")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2015-02-30T00:00:00Z", "is a date or time that does not exist"),
        ("2015-02-29T00:00:00Z", "is a date or time that does not exist"),
        ("2015-13-01T00:00:00Z", "is a date or time that does not exist"),
        ("2015-00-01T00:00:00Z", "is a date or time that does not exist"),
        ("0000-01-01T00:00:00Z", "is a date or time that does not exist"),
        ("2016-12-31T23:59:60Z", "is a date or time that does not exist"),
        ("2015-01-01T23:60:00Z", "is a date or time that does not exist"),
        ("2015-01-01T24:00:00Z", "is a time or an offset that does not exist"),
        ("2015-01-01T00:00:00+24:00", "is a time or an offset that does not exist"),
        ("2015-01-01T00:00:00+02:60", "is a time or an offset that does not exist"),
        ("0001-01-01T00:00:00+00:01", "lies outside the years 1 to 9999 in UTC"),
        ("9999-12-31T23:59:59-00:01", "lies outside the years 1 to 9999 in UTC"),
        ("2015-01-01T00:00:00.1234567Z", "is finer than a microsecond"),
        ("2015-01-01", "has no offset from UTC"),
        ("2015-01-01T00:00:00", "has no offset from UTC"),
        ("2015-01-01 00:00:00.5", "has no offset from UTC"),
        ("2015-01-01t00:00:00Z", "is not an ISO 8601 date and time"),
        ("2015-01-01T00:00:00z", "is not an ISO 8601 date and time"),
        ("2015-01-01 00:00:00Z", "is not an ISO 8601 date and time"),
        ("2015-01-01T00:00:00+02:00:30", "is not an ISO 8601 date and time"),
        ("2015-1-1T00:00:00Z", "is not an ISO 8601 date and time"),
        ("20150101T000000Z", "is not an ISO 8601 date and time"),
        ("2015-W01-1T00:00:00Z", "is not an ISO 8601 date and time"),
        ("٢٠١٥-01-01T00:00:00Z", "is not an ISO 8601 date and time"),
        ("2015-01-01T00:00:00Z\n", "is not an ISO 8601 date and time"),
        ("-2015-01-01T00:00:00Z", "is not an ISO 8601 date and time"),
        ("yesterday", "is not an ISO 8601 date and time"),
        ("", "is not an ISO 8601 date and time"),
        (1420070400, "should be a date and time as a string"),
        (True, "should be a date and time as a string"),
        ({}, "should be a date and time as a string"),
    ],
)
def test_a_date_that_does_not_exist_or_has_no_offset_is_refused(
    documents: Documents, text: object, why: str
) -> None:
    fault = documents.fault(simulations=[simulation(runStartDate=text)])
    assert fault.path == (0, "runStartDate")
    assert fault.message.startswith(why)
    shown = "an object" if text == {} else json.dumps(text, ensure_ascii=False)
    assert fault.message.endswith(f": found {shown}")


def test_a_long_value_is_shortened_and_control_characters_are_escaped(documents: Documents) -> None:
    fault = documents.fault(simulations=[simulation(status="\x1b[2J\u2028\x85\u202e" + "z" * 1_000_000)])
    assert len(str(fault)) < 400
    assert "\\u001b[2J\\u2028\\u0085\\u202ez" in str(fault)
    assert str(fault).isprintable()


# -- what the tables refuse ------------------------------------------------------------------------


def test_a_repeated_natural_key_names_both_places(documents: Documents) -> None:
    elements = [simulation("a"), simulation("b"), simulation("a", name="other")]
    assert said(documents, simulations=elements) == [
        "simulations.json:32: [2]: duplicate natural key (caseName, machine.name, simulationStartDate):"
        " the same as [0] on line 2"
    ]
    assert said(documents, machines=[machine(), machine(site="x")], simulations=[]) == [
        "machines.json:8: [1]: duplicate natural key (name): the same as [0] on line 2"
    ]


def test_one_instant_written_with_two_offsets_is_one_natural_key(documents: Documents) -> None:
    elements = [simulation(), simulation(simulationStartDate="2015-01-01T05:30:00+05:30")]
    assert documents.fault(simulations=elements).path == (1,)


def test_natural_keys_that_differ_in_case_or_a_space_are_different(documents: Documents) -> None:
    rows = documents.rows(simulations=[simulation("a b"), simulation("A b"), simulation("a  b")])
    assert len(rows["simulations"]) == 3


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (" ", "is only white space"),
        ("\u3000\u2003", "is only white space"),
        (" a", "begins or ends with white space, which nobody sees"),
        ("a\u00a0", "begins or ends with white space, which nobody sees"),
        ("a\nb", "contains a tab or a line break (U+000A), which belongs into no name"),
        ("a\tb", "contains a tab or a line break (U+0009), which belongs into no name"),
        ("a\u2028b", "contains a tab or a line break (U+2028), which belongs into no name"),
        ("a\x1b[2Jb", "contains a control character (U+001B), which belongs into no text"),
        ("a\x7f", "contains a control character (U+007F), which belongs into no text"),
        ("a\x9b", "contains a control character (U+009B), which belongs into no text"),
        ("a\u202eb", "contains an invisible character (U+202E), with which it looks like another text"),
        ("a\u200eb", "contains an invisible character (U+200E), with which it looks like another text"),
        ("a\u200bb", "contains an invisible character (U+200B), with which it looks like another text"),
        ("\ufeffb", "contains an invisible character (U+FEFF), with which it looks like another text"),
    ],
)
@pytest.mark.parametrize("ascii_", [True, False])
def test_a_name_is_one_line_of_what_can_be_seen(
    documents: Documents, name: str, why: str, ascii_: bool
) -> None:
    simulations = json.dumps(
        [simulation("x", name=name, artifacts=[artifact(name)])], ensure_ascii=ascii_, indent=1
    )
    machines = json.dumps([machine(), machine(name)], ensure_ascii=ascii_)
    faults = documents.faults(machines=machines, simulations=simulations)
    assert {fault.path for fault in faults} >= {(1, "name"), (0, "name")}
    assert all(fault.message.startswith(why) for fault in faults)
    assert all("\n" not in str(fault) and str(fault).isprintable() for fault in faults)
    # The engine sees to natural keys, whatever the schema allows.
    fault = documents.fault(machines=[machine()], simulations=[simulation(artifacts=[artifact(name)])])
    assert fault.path == (0, "artifacts", 0, "uri")
    assert fault.message.startswith(why)


@pytest.mark.parametrize("character", ["\x08", "\x0c", "\x1b", "\x7f", "\x80", "\u202a", "\u202e", "\u2066"])
@pytest.mark.parametrize("ascii_", [True, False])
def test_no_text_holds_control_characters_or_is_turned_around(
    documents: Documents, character: str, ascii_: bool
) -> None:
    element = simulation(notesMarkdown=f"a{character}b", extra={"deep": [{f"k{character}": character}]})
    faults = documents.faults(simulations=json.dumps([element], ensure_ascii=ascii_))
    assert [fault.path for fault in faults] == [
        (0, "notesMarkdown"),
        (0, "extra", "deep", 0, f"k{character}"),
        (0, "extra", "deep", 0, f"k{character}"),
    ]
    assert all(f"(U+{ord(character):04X})" in str(fault) for fault in faults)


def test_a_text_may_have_lines_tabs_and_letters_of_any_script(documents: Documents) -> None:
    text = "a\r\n\tb\u2028c\x85 é e\u0301 漢字 😀 \u05d0\u200f \u0645\u06cc\u200c\u062e\u0648\u0627"
    for ascii_ in (True, False):
        element = simulation(notesMarkdown=text, extra={"k": text})
        rows = documents.rows(simulations=json.dumps([element], ensure_ascii=ascii_))
        assert next(iter(rows["simulations"].values()))["notes_markdown"] == text
    name = "e\u0301 漢字 \u0645\u06cc\u200c\u062e\u0648\u0627 0.5°"
    assert documents.rows(machines=[machine(), machine(name)])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"grid_name": "x"}, "[0].grid_name: unknown key; did you mean 'gridName'?"),
        ({"gridNames": "x"}, "[0].gridNames: unknown key; did you mean 'gridName'?"),
        ({"GRIDNAME": "x"}, "[0].GRIDNAME: unknown key; did you mean 'gridName'?"),
        ({"colour": "x"}, "[0].colour: unknown key"),
        ({"artifacts": [artifact(sizebytes=1)]},
         "[0].artifacts[0].sizebytes: unknown key; did you mean 'sizeBytes'?"),
        ({"artifacts": [artifact(gridName=1)]}, "[0].artifacts[0].gridName: unknown key"),
        ({"machine": {"name": "lumi", "nam": 1}}, "[0].machine.nam: unknown key; did you mean 'name'?"),
        ({"parent": {**parent("x"), "case_name": "x"}},
         "[0].parent.case_name: unknown key; did you mean 'caseName'?"),
    ],
)  # fmt: skip
def test_an_unknown_key_is_told_with_the_nearest_known_one(
    documents: Documents, values: dict, expected: str
) -> None:
    (shown,) = said(documents, simulations=[simulation(**values)])
    assert shown.partition(": ")[2] == expected


def test_a_repeated_child_is_told_by_what_its_element_says_of_it(documents: Documents) -> None:
    fault = documents.fault(simulations=[simulation(artifacts=[artifact(), artifact()])])
    assert fault.message == "duplicate natural key (kind, uri)"


def test_repeated_children_are_told_but_those_of_a_repeated_element_only_with_it(
    documents: Documents,
) -> None:
    children = [artifact("/a"), artifact("/b")]
    twin = {
        **simulation(),
        "artifacts": [*children, artifact("/b", label="x"), artifact("/b", kind="archive")],
    }
    faults = documents.faults(simulations=[simulation(artifacts=children), twin])
    assert [fault.path for fault in faults] == [(1,)]
    faults = documents.faults(simulations=[twin])
    assert [fault.path for fault in faults] == [(0, "artifacts", 2)]


def test_a_natural_key_that_no_index_holds_is_refused(documents: Documents) -> None:
    fits = (KEY_BYTES_LIMIT - 36 - len("output")) // 2
    documents.rows(simulations=[simulation(artifacts=[artifact("é" * fits), artifact("x" * 2048)])])
    fault = documents.fault(simulations=[simulation(artifacts=[artifact("é" * 2048)])])
    assert fault.path == (0, "artifacts", 0, "uri")
    assert fault.message == f"the natural key takes 4138 bytes, at most {KEY_BYTES_LIMIT} fit"


def test_a_machine_or_parent_that_nobody_defines_is_quoted(documents: Documents) -> None:
    elements = [
        simulation("a", machine={"name": "lumy"}),
        simulation("b", parent=parent("nope")),
        simulation("c", parent=parent("a")),
    ]
    nope = json.dumps(parent("nope"))
    assert said(documents, simulations=elements) == [
        'simulations.json:13: [0].machine.name: nobody defines this row of machines: "lumy"',
        f"simulations.json:31: [1].parent: nobody defines this row of simulations: {nope}",
        # The parent is there, on a machine that is not `lumi`.
        "simulations.json:53: [2].parent: nobody defines this row of simulations: " + json.dumps(parent("a")),
    ]


def test_a_parent_is_found_wherever_it_stands_and_however_its_date_is_written(
    documents: Documents,
) -> None:
    child = simulation("child", parent=parent("p", start="2015-01-01T01:00:00+01:00"))
    rows = documents.rows(simulations=[child, simulation("p")])
    assert sum(row["parent_id"] is not None for row in rows["simulations"].values()) == 1


def test_users_are_not_seeded_and_may_be_absent(documents: Documents) -> None:
    documents.rows(simulations=[simulation(createdBy="6f1d2a5e-7f52-4b13-9a52-0d5b6f3a9c11")])


@pytest.mark.parametrize(
    "broken",
    [
        simulation("p", foo=1),
        simulation("p", site=1, name=None),
        simulation("p", simulationStartDate="2015-02-30T00:00:00Z"),
        simulation(5),
        {key: value for key, value in simulation("p").items() if key != "machine"},
        simulation("p", machine={"nam": "lumi"}),
        None,
    ],
)
def test_a_parent_that_has_faults_of_its_own_is_not_also_missing(documents: Documents, broken) -> None:
    faults = documents.faults(simulations=[simulation("child", parent=parent("p")), broken])
    assert {fault.path[0] for fault in faults} == {1}


def test_a_link_to_nowhere_is_told_even_beside_other_faults(documents: Documents) -> None:
    elements = [
        simulation("a", foo=1),
        simulation("b", parent=parent("nope")),
        simulation("c", machine={"name": "nope"}),
    ]
    faults = documents.faults(machines=[machine(), machine("x", bar=1)], simulations=elements)
    assert [fault.path for fault in faults] == [
        (1, "bar"),
        (0, "foo"),
        (1, "parent"),
        (2, "machine", "name"),
    ]


@pytest.mark.parametrize("length", [1, 2, 3, 10])
def test_a_circle_of_parents_is_told_once_however_many_rows_lead_into_it(
    documents: Documents, length: int
) -> None:
    circle = [simulation(f"c{n}", parent=parent(f"c{(n + 1) % length}")) for n in range(length)]
    leading = [simulation(f"l{n}", parent=parent("c0" if n % 2 else f"l{n + 1}")) for n in range(6)]
    fault = documents.fault(simulations=[*leading, simulation("root"), *circle])
    assert fault.path == (7, "parent")
    through = f", in a circle of {length} rows" if length > 1 else ""
    assert fault.message == f"is its own ancestor{through}"


def test_two_circles_are_two_faults(documents: Documents) -> None:
    pairs = [("a", "b"), ("b", "a"), ("c", "c"), ("d", "a")]
    faults = documents.faults(simulations=[simulation(a, parent=parent(b)) for a, b in pairs])
    assert [fault.path for fault in faults] == [(0, "parent"), (2, "parent")]


# -- the report ------------------------------------------------------------------------------------


def test_every_fault_of_every_document_is_in_one_report(documents: Documents) -> None:
    error = documents.error(
        machines=[machine(gpu="yes"), machine("x", site=None)],
        simulations=[simulation(name=1, foo=2, extra={"a": "\0"}), simulation(), simulation()],
    )
    assert {fault.path for fault in error.faults} == {
        (0, "gpu"),
        (1, "site"),
        (0, "name"),
        (0, "foo"),
        (0, "extra", "a"),
        (2,),
    }
    head, *lines = str(error).splitlines()
    files = f"{documents.path('machines')}, {documents.path('simulations')}"
    assert head == f"6 faults in {files}; nothing was written"
    assert len(lines) == 6


def test_the_report_lists_faults_up_to_a_limit_and_counts_the_rest(documents: Documents) -> None:
    error = documents.error(simulations=[{}] * 30)
    lines = str(error).splitlines()
    assert len(error.faults) == 30 * 11
    assert len(lines) == FAULT_LIMIT + 2
    assert lines[-1] == f"  … and {30 * 11 - FAULT_LIMIT} more"


def test_lines_count_line_feeds_alone(documents: Documents) -> None:
    text = json.dumps([simulation(notesMarkdown="a\u2028b\x85c"), simulation(foo=1)], ensure_ascii=False)
    fault = documents.fault(simulations=text.replace(", ", ",\r\n"))
    assert fault.line == text[: text.index('"foo"')].count(", ") + 1


def test_the_words_do_not_depend_on_the_locale(documents: Documents) -> None:
    content = {"simulations": [simulation(runEndDate="2015-02-30T00:00:00Z", name=5)]}
    before = said(documents, **content)
    kept = locale.setlocale(locale.LC_ALL)
    try:
        for name in ("C", "C.UTF-8", "de_DE.UTF-8", "tr_TR.UTF-8"):
            try:
                locale.setlocale(locale.LC_ALL, name)
            except locale.Error:
                continue
            assert said(documents, **content) == before
    finally:
        locale.setlocale(locale.LC_ALL, kept)


def _many(number: int) -> dict[str, dict]:
    return {
        "the same element": {"simulations": [simulation()] * number},
        "the same child": {"simulations": [simulation(artifacts=[artifact()] * number)]},
        "nobody's child": {"simulations": [simulation(str(n), parent=parent("x")) for n in range(number)]},
        "a chain": {"simulations": [simulation(str(n), parent=parent(str(n + 1))) for n in range(number)]},
        "one circle": {
            "simulations": [simulation(str(n), parent=parent(str((n + 1) % number))) for n in range(number)]
        },
        "unknown keys": {"simulations": [{f"k{n}": 1 for n in range(number)}]},
        "one key": {"simulations": "[{" + ",".join(f'"k{n // 2}":1' for n in range(number)) + "}]"},
    }


@pytest.mark.parametrize("what", list(_many(0)))
@pytest.mark.long
def test_the_time_grows_with_the_number_of_faults_and_not_with_its_square(
    documents: Documents, what: str
) -> None:
    def seconds(number: int) -> float:
        content = _many(number)[what]
        documents.write(**content)
        started = time.process_time()
        with pytest.raises(DocumentError) as caught:
            read_rows(documents.catalog)
        assert str(caught.value)
        return time.process_time() - started

    # Eight times the faults would take 64 times as long. Small times are mostly noise.
    assert seconds(4_000) < 24 * max(seconds(500), 0.01)


def test_no_line_is_looked_up_for_a_fault_that_is_not_listed(
    documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seedrail.documents import faults

    looked_up: list[object] = []
    line = faults.Text.line
    monkeypatch.setattr(faults.Text, "line", lambda text, path: looked_up.append(path) or line(text, path))
    error = documents.error(simulations=[simulation()] * 2_000)
    assert len(error.faults) == 1_999
    assert len(looked_up) <= 3 * FAULT_LIMIT


# -- what is wired wrongly -------------------------------------------------------------------------


TABLE = SeedTable.of(Simulation, key=("case_name", "machine_id", "simulation_start_date"))


class _Anything(BaseModel, extra="allow"):
    """A schema that lets everything through, so that the tables have to look."""


def _catalog(folder: Path, flatten) -> SeedCatalog:
    path = folder / "wired.json"
    path.write_text('[{"a": 1}]')
    return SeedCatalog([SeedSet("wired", path, _Anything, flatten, (TABLE,))])


def test_a_value_without_a_column_is_refused_and_not_dropped(tmp_path: Path) -> None:
    catalog = _catalog(tmp_path, lambda model: iter([SeedRow("simulations", {"nodes": 5})]))
    with pytest.raises(SetupError, match="fills what is not seeded: simulations: nodes"):
        read_rows(catalog)


@pytest.mark.parametrize(
    ("flatten", "given"),
    [
        (lambda model: None, "None"),
        (lambda model: SeedRow("simulations", {}), "a SeedRow alone, without yield"),
        (lambda model: [{"nodes": 5}], "one dict"),
        (lambda model: "ab", "one str"),
        (lambda model: [SeedRow("simulations", [("nodes", 5)])], "one without a dict"),
    ],
    ids=["nothing", "one row", "values", "text", "pairs"],
)
def test_what_is_no_row_is_refused_by_the_name_of_its_set(tmp_path: Path, flatten, given: str) -> None:
    with pytest.raises(SetupError) as caught:
        read_rows(_catalog(tmp_path, flatten))
    assert str(caught.value) == (
        f"seed set wired: flatten() must yield SeedRows with a dict of values, not {given}"
    )


def test_a_row_of_another_set_is_refused(tmp_path: Path) -> None:
    catalog = _catalog(tmp_path, lambda model: iter([SeedRow("machines", {})]))
    with pytest.raises(SetupError, match="fills what is not seeded: machines"):
        read_rows(catalog)


def test_a_null_that_the_schema_lets_through_stops_at_a_column_that_has_none(tmp_path: Path) -> None:
    catalog = _catalog(
        tmp_path, lambda model: iter([SeedRow("simulations", {"case_name": None, "notes_markdown": 5})])
    )
    with pytest.raises(DocumentError) as caught:
        read_rows(catalog)
    messages = {fault.path: fault.message for fault in caught.value.faults}
    assert messages[0, "caseName"] == "must have a value, the column is NOT NULL"
    assert messages[0, "machineId"] == "must have a value, the column is NOT NULL"
    assert messages[0, "notesMarkdown"] == "is not a string: 5"
    assert (0, "gitTag") not in messages


class _Choice(BaseModel):
    value: int | list[int] | None


def test_the_branches_of_a_union_are_not_part_of_the_path(tmp_path: Path) -> None:
    path = tmp_path / "union.json"
    path.write_text('[{"value": ["x"]}]')
    catalog = SeedCatalog([SeedSet("union", path, _Choice, lambda model: iter(()), (TABLE,))])
    with pytest.raises(DocumentError) as caught:
        read_rows(catalog)
    assert {fault.path for fault in caught.value.faults} == {(0, "value"), (0, "value", 0)}
