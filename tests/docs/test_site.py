"""The site: it is built without a warning, needs nothing from elsewhere, and leads to each of its pages."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.project import ROOT

DOCS = ROOT / "docs"


def build(sources: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """As `make docs` does it."""
    options = re.search(r"-m sphinx (.*) -d \S+ docs \S+$", (ROOT / "Makefile").read_text(), re.M)
    assert options
    command = [sys.executable, "-m", "sphinx", *options[1].split(), "-d", site / "doctrees", sources, site]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(DOCS, folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder


def test_the_site_has_every_page_and_names_it_in_its_navigation(site: Path) -> None:
    pages = [path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")]
    assert [page for page in pages if not (site / page).is_file()] == []
    start = (site / "index.html").read_text("utf-8")
    navigation = start[start.index('class="sidebar-tree"') :]
    assert [page for page in pages if page.name != "index.html" and f'href="{page}"' not in navigation] == []


def test_the_site_needs_nothing_from_elsewhere(site: Path) -> None:
    fetched = re.compile(r"""<(?:script|img|iframe|source|video)\b[^>]*?\bsrc=["'](\w+:)?//[^"']*""")
    linked = re.compile(r"""<link\b[^>]*?\bhref=["'](?:\w+:)?//[^"']*""")
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        assert fetched.search(text) is None, page
        assert linked.search(text) is None, page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"@import|url\(\s*[\"']?(?:https?:)?//", sheet.read_text("utf-8")), sheet


@pytest.mark.parametrize("link", ["nowhere.md", "tutorial.md#nowhere", "#nowhere"])
def test_a_link_or_an_anchor_that_leads_nowhere_fails_the_build(tmp_path: Path, link: str) -> None:
    sources = tmp_path / "docs"
    sources.mkdir()
    (sources / "conf.py").write_text(re.sub(r"html_(static|css).*", "", (DOCS / "conf.py").read_text()))
    (sources / "tutorial.md").write_text("---\norphan: true\n---\n\n# Tutorial\n")
    (sources / "index.md").write_text(f"# Start\n\n[a link]({link})\n")
    done = build(sources, tmp_path / "site")
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    # What a first run has read would be passed over by the next one.
    assert build(sources, tmp_path / "site").returncode == 1


@pytest.mark.parametrize("name", ["rails", "rollback", "cases"])
def test_a_picture_says_in_words_what_it_shows_and_is_drawn_into_its_pages(site: Path, name: str) -> None:
    drawing = ElementTree.parse(DOCS / "pictures" / f"{name}.svg").getroot()
    title, words = (drawing.findtext(f"{{*}}{tag}") or "" for tag in ("title", "desc"))
    assert len(words) > 100
    shown = [page for page in DOCS.rglob("*.md") if f"pictures/{name}.svg" in page.read_text("utf-8")]
    assert shown
    for page in shown:
        text = (site / page.relative_to(DOCS).with_suffix(".html")).read_text("utf-8")
        [drawn] = [
            one for one in re.findall(r"<svg.*?</svg>", text, re.S) if f"<title>{title}</title>" in one
        ]
        assert "<style" not in drawn
