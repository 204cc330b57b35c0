"""What the reference says of the code is what the code says: `make reference` writes it."""

from pathlib import Path

import pytest

from app.core.config import Settings
from scripts.reference.pages import PAGES, PARTS, parts_of, written
from tests.support.project import ROOT

FROM_CODE = [page for page in PAGES if parts_of(page.read_text("utf-8"))]


@pytest.mark.parametrize("page", FROM_CODE, ids=lambda page: page.name)
def test_a_page_says_what_the_code_says(page: Path) -> None:
    text = page.read_text("utf-8")
    assert text == written(text), "the code says something else by now: make reference"


def test_every_part_has_its_page() -> None:
    assert sorted(part for page in FROM_CODE for part in parts_of(page.read_text("utf-8"))) == sorted(PARTS)


def test_a_part_that_is_edited_by_hand_is_written_anew() -> None:
    page = ROOT / "docs/reference/settings.md"
    text = page.read_text("utf-8")
    edited = text.replace("default `60`", "default `61`")
    assert edited != text
    assert written(edited) == text


def test_a_part_that_nobody_can_write_is_a_fault() -> None:
    with pytest.raises(KeyError, match="weather"):
        written("<!-- from code: weather -->\n<!-- end of code -->\n")


def test_the_example_of_settings_has_every_setting() -> None:
    example = (ROOT / ".env.example").read_text("utf-8")
    names = {f"APP_{name}".upper() for name in Settings.model_fields if name != "database_url"}
    assert [name for name in {"DATABASE_URL", *names} if f"#{name}=" not in example] == []
