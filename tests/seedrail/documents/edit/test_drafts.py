"""Edits of rows go into documents as far as these can say them; what they cannot is left, with a reason."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, model_validator

from seedrail import SeedCatalog, SeedRow, SeedSet, SeedTable, seed_id
from seedrail.documents.edit.asked import Wish
from seedrail.documents.edit.drafts import Edited, edited
from tests.support.documents import Documents, artifact, machine, parent, simulation

LUMI = seed_id("machines", "lumi")
METADATA = sa.MetaData()
SPANS = sa.Table(
    "spans",
    METADATA,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("name", sa.String(50), nullable=False, unique=True),
    sa.Column("low", sa.Integer()),
    sa.Column("high", sa.Integer()),
    sa.Column("width", sa.Integer()),
    sa.Column("shout", sa.Text()),
)


class _Span(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    low: int
    high: int
    word: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> "_Span":
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


def _spans(span: Any) -> Iterator[SeedRow]:
    computed = {"width": span.high - span.low, "shout": span.word.upper()}
    values = {"name": span.name, "low": span.low, "high": span.high, **computed}
    yield SeedRow("spans", values, paths={"shout": ("word",)})


def spans(folder: Path, text: str) -> SeedCatalog:
    document = folder / "spans.json"
    document.write_text(text)
    return SeedCatalog([SeedSet("spans", document, _Span, _spans, (SeedTable(SPANS, ("name",)),))])


def of_spans(folder: Path, **values: Any) -> Edited:
    """The edits of the one row `a`, from 1 to 5."""
    catalog = spans(folder, '[{"name": "a", "low": 1, "high": 5, "word": "x"}]')
    base = {"low": 1, "high": 5, "width": 4, "shout": "X", "name": "a"}
    given = {name: (base[name], value) for name, value in values.items()}
    return edited(catalog, {}, [Wish("spans", seed_id("spans", "a"), given)])


def text_of(result: Edited) -> str:
    (file,) = result.files
    return file.after.decode()


def reasons(result: Edited) -> dict[str, str]:
    return {one.column: one.reason for one in result.left}


def test_what_flatten_computes_is_left_and_what_it_computes_from_is_not_touched(tmp_path: Path) -> None:
    result = of_spans(tmp_path, width=9)
    assert not result.files
    assert "no value of its own" in reasons(result)["width"]


def test_a_value_that_comes_out_otherwise_than_it_is_written_is_left(tmp_path: Path) -> None:
    assert "no value of its own" in reasons(of_spans(tmp_path, shout="quiet"))["shout"]
    assert '"word": "LOUD"' in text_of(of_spans(tmp_path, shout="LOUD"))


def test_a_value_that_gives_others_too_is_written_where_these_were_edited_likewise(tmp_path: Path) -> None:
    assert set(reasons(of_spans(tmp_path, high=7))) == {"high"}
    result = of_spans(tmp_path, high=7, width=6)
    assert text_of(result) == '[{"name": "a", "low": 1, "high": 7, "word": "x"}]'
    assert not result.left


def test_what_the_schema_refuses_is_left_with_its_words(tmp_path: Path) -> None:
    assert reasons(of_spans(tmp_path, low=9, width=-4)) == {
        "low": "the document refuses it: low is above high: found an object",
        "width": "the document has no value of its own for it: it is computed of others, or gives others too",
    }


def test_a_part_of_the_natural_key_is_left(tmp_path: Path) -> None:
    assert "natural key" in reasons(of_spans(tmp_path, name="b"))["name"]


def test_an_edit_that_the_document_says_or_contradicts_by_now_is_left(tmp_path: Path) -> None:
    catalog = spans(tmp_path, '[{"name": "a", "low": 2, "high": 5}]')
    id_ = seed_id("spans", "a")
    (said,) = edited(catalog, {}, [Wish("spans", id_, {"low": (1, 2)})]).left
    (other,) = edited(catalog, {}, [Wish("spans", id_, {"low": (1, 3)})]).left
    assert said.said
    assert not other.said
    assert "another value by now" in other.reason


def test_a_row_that_a_document_has_no_more_is_left(tmp_path: Path) -> None:
    catalog = spans(tmp_path, "[]")
    wishes = [
        Wish("spans", seed_id("spans", "a"), {"low": (1, 2)}),
        Wish("spans", seed_id("spans", "b"), None),
    ]
    assert [(one.reason, one.said) for one in edited(catalog, {}, wishes).left] == [
        ("the document has the row no more", False),
        ("the document has the row no more", True),
    ]


def test_the_last_element_leaves_an_empty_list(tmp_path: Path) -> None:
    catalog = spans(tmp_path, '[\n  {"name": "a", "low": 2, "high": 5}\n]\n')
    assert text_of(edited(catalog, {}, [Wish("spans", seed_id("spans", "a"), None)])) == "[]\n"


@pytest.mark.parametrize(("gone", "left"), [("abc", ""), ("ab", "c"), ("bc", "a"), ("b", "ac"), ("ac", "b")])
def test_elements_that_go_leave_the_others_as_they_were(tmp_path: Path, gone: str, left: str) -> None:
    def element(name: str) -> str:
        return f'  {{"name": "{name}", "low": 1,\n   "high": 1}}'

    catalog = spans(tmp_path, "[\n" + ",\n".join(map(element, "abc")) + "\n]")
    result = edited(catalog, {}, [Wish("spans", seed_id("spans", name), None) for name in gone])
    wanted = "[\n" + ",\n".join(map(element, left)) + "\n]" if left else "[]"
    assert text_of(result) == wanted


# -- the catalog's documents, which lead to each other


def test_a_row_that_others_lead_to_stays(tmp_path: Path) -> None:
    documents = Documents(tmp_path).write(machines=[machine()], simulations=[simulation()])
    (left,) = edited(documents.catalog, {}, [Wish("machines", LUMI, None)]).left
    assert left.reason == "a row of simulations still leads to it"


def wishes_of(catalog: SeedCatalog, column: str, case: str, value: Any, base: Any = None) -> list[Wish]:
    return [Wish("simulations", simulation_id(case), {column: (base, value)})]


def simulation_id(case: str) -> str:
    return seed_id("simulations", case, LUMI, "2015-01-01T00:00:00Z")


def test_a_link_is_written_as_another_row_writes_it(tmp_path: Path) -> None:
    start = "2015-01-01T01:00:00+01:00"
    elements = [simulation("a"), simulation("b", parent=parent("a", start=start)), simulation("c")]
    documents = Documents(tmp_path).write(simulations=elements)
    result = edited(documents.catalog, {}, wishes_of(documents.catalog, "parent_id", "c", simulation_id("a")))
    assert text_of(result).count(f'"simulationStartDate": "{start}"') == 2


def test_a_link_is_written_as_links_to_other_rows_are(tmp_path: Path) -> None:
    elements = [simulation("a"), simulation("b", parent=parent("a")), simulation("c")]
    documents = Documents(tmp_path).write(simulations=elements)
    result = edited(documents.catalog, {}, wishes_of(documents.catalog, "parent_id", "c", simulation_id("b")))
    assert documents.write(simulations=text_of(result)).rows()["simulations"][simulation_id("c")][
        "parent_id"
    ] == simulation_id("b")


def test_a_link_is_an_object_of_the_key_where_nothing_shows_how(tmp_path: Path) -> None:
    documents = Documents(tmp_path).write(simulations=[simulation("a"), simulation("b")])
    result = edited(documents.catalog, {}, wishes_of(documents.catalog, "parent_id", "b", simulation_id("a")))
    rows = documents.write(simulations=text_of(result)).rows()["simulations"]
    assert rows[simulation_id("b")]["parent_id"] == simulation_id("a")


def test_rows_that_lead_in_a_circle_are_left(tmp_path: Path) -> None:
    elements = [simulation("a"), simulation("b", parent=parent("a"))]
    documents = Documents(tmp_path).write(simulations=elements)
    wishes = wishes_of(documents.catalog, "parent_id", "a", simulation_id("b"))
    wishes += [Wish("machines", LUMI, {"site": ("CSC", "Kajaani")})]
    result = edited(documents.catalog, {}, wishes)
    (left,) = result.left
    assert "its own ancestor" in left.reason
    assert [file.seed_set for file in result.files] == ["machines"]


def test_a_link_to_a_row_that_no_document_has_is_left(tmp_path: Path) -> None:
    documents = Documents(tmp_path).write(simulations=[simulation("a")])
    wishes = wishes_of(documents.catalog, "parent_id", "a", simulation_id("z"))
    (left,) = edited(documents.catalog, {}, wishes).left
    assert left.reason == "it leads to a row of simulations that no document has"


def test_links_into_a_row_that_is_gone_are_emptied(tmp_path: Path) -> None:
    elements = [simulation("a"), simulation("b", parent=parent("a"))]
    documents = Documents(tmp_path).write(simulations=elements)
    result = edited(documents.catalog, {}, [Wish("simulations", simulation_id("a"), None)])
    rows = documents.write(simulations=text_of(result)).rows()["simulations"]
    assert rows[simulation_id("b")]["parent_id"] is None
    assert len(rows) == 1
    assert not result.left


def test_a_child_goes_and_its_siblings_are_edited(tmp_path: Path) -> None:
    element = simulation("a", artifacts=[artifact("/1"), artifact("/2"), artifact("/3", label="x")])
    documents = Documents(tmp_path).write(simulations=[element])
    ids = [seed_id("artifacts", simulation_id("a"), "output", f"/{number}") for number in (1, 2, 3)]
    wishes = [
        Wish("artifacts", ids[0], None),
        Wish("artifacts", ids[1], None),
        Wish("artifacts", ids[2], {"label": ("x", "y")}),
    ]
    result = edited(documents.catalog, {}, wishes)
    rows = documents.write(simulations=text_of(result)).rows()["artifacts"]
    assert {id_: row["label"] for id_, row in rows.items()} == {ids[2]: "y"}
