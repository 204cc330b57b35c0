"""The page of `seedrail plan --format html`: as text, and in Debian's Chromium without a head."""

import json
import re
import shutil
import subprocess
from base64 import b64decode
from collections import Counter
from html import unescape
from pathlib import Path

import pytest

from seedrail.commands.database.page import as_html
from seedrail.commands.database.plan import Chosen
from seedrail.integration.look import Way
from seedrail.merge.report.outcome import CellChange, Outcome, RowChange
from tests.support.project import Project

HOSTILE = "</script><script>document.title='owned'</script>\"'><img src=x onerror=alert(1)>\u202e\n"


def page(project: Project, *arguments: str, code: int) -> str:
    outcome = project.run("seedrail.commands", "plan", "--quiet", *arguments, "--format", "html")
    assert outcome.code == code, outcome.text
    return outcome.out


def in_browser(file: Path, script: str) -> str:
    """The page as Chromium has it once a script of the test's own has run at its end."""
    chromium = shutil.which("chromium")
    assert chromium, "the page is tested in Chromium: apt-get install chromium"
    driven = file.with_name("driven.html")
    driven.write_text(
        file.read_text("utf-8").replace("</body>", f"<script>{script}</script></body>"), "utf-8"
    )
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={file.parent / 'profile'}"]
    done = subprocess.run(
        [chromium, *options, "--virtual-time-budget=5000", "--dump-dom", driven.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def edited(project: Project) -> None:
    project.start_at("head")
    project.database.execute("UPDATE machines SET site = :site WHERE name = 'lumi'", site=HOSTILE)


def test_everything_is_there_without_a_script(sqlite_project: Project) -> None:
    edited(sqlite_project)
    text = page(sqlite_project, "seed_base", code=11)
    body = unescape(re.sub(r"<script.*?</script>|<style>.*?</style>", "", text, flags=re.DOTALL))
    for words in (
        "Down to seed_base",
        "1 conflict to decide",
        "edited: machines (lumi)",
        "v3.LR.historical_0101",
    ):
        assert words in body
    assert text.count('<div class="row delete">') == 495
    assert "http://" not in re.sub(r">[^<]*", "", text)
    assert "https://" not in re.sub(r">[^<]*", "", text)


def test_no_value_of_people_is_markup(sqlite_project: Project) -> None:
    edited(sqlite_project)
    text = page(sqlite_project, "seed_base", code=11)
    assert "<img" not in text
    assert "\u202e" not in text
    # The entries' own script, the page's, and nothing else.
    assert text.count("<script") == 2
    found = re.search(r'id="entries">(.*?)</script>', text)
    assert found is not None
    assert HOSTILE in {entry["found"] for entry in json.loads(found[1])}


def test_nothing_to_do_is_a_page_too(sqlite_project: Project) -> None:
    sqlite_project.start_at("head")
    assert "Nothing would happen." in page(sqlite_project, code=0)


def test_values_before_and_after_stand_in_one_line() -> None:
    cells = (CellChange("site", "<a>", None), CellChange("notes", None, "b"))
    row = RowChange("machines", "update", "1", "1", {"name": "lumi"}, cells)
    way = Way(
        "head", True, ("seed_0001",), (), ("seed_0002",), (), (),
        (Outcome("seed_0001", "seed_0002", Counter({("updated", "machines"): 1}), rows=(row,)),),
    )  # fmt: skip
    text = "\n".join(as_html(way, Chosen()))
    assert 'site: <del>&lt;a&gt;</del> → <ins><span class="null">NULL</span></ins>' in text
    assert 'notes: <del><span class="null">NULL</span></del> → <ins>b</ins>' in text


@pytest.mark.long
def test_in_a_browser_rows_are_filtered_and_no_value_runs(sqlite_project: Project, tmp_path: Path) -> None:
    edited(sqlite_project)
    file = tmp_path / "plan.html"
    file.write_text(page(sqlite_project, "seed_base", code=11), "utf-8")
    driver = """
      document.getElementById("table").value = "machines";
      const text = document.getElementById("text");
      text.value = "PERLMUTTER";
      text.dispatchEvent(new Event("input"));
      setTimeout(() => {
        const seen = [...document.querySelectorAll(".row")].filter(
          (row) => !row.hidden && !row.parentElement.hidden);
        document.body.dataset.seen = seen.map((row) => row.textContent.split("\\n")[0]).join("|");
      }, 500);
    """
    dom = in_browser(file, driver)
    assert '<html lang="en" class="live">' in dom
    assert 'data-seen="deleted (perlmutter)"' in dom
    assert "<title>Seed plan: Down to seed_base</title>" in dom


@pytest.mark.long
def test_decisions_that_were_made_on_the_page_are_taken_by_the_run(
    sqlite_project: Project, tmp_path: Path
) -> None:
    edited(sqlite_project)
    file = tmp_path / "plan.html"
    file.write_text(page(sqlite_project, "seed_base", code=11), "utf-8")
    driver = """
      URL.createObjectURL = (file) => {
        const coded = (text) => btoa(unescape(encodeURIComponent(text)));
        file.text().then((text) => { document.body.dataset.saved = coded(text); });
        return "#";
      };
      document.querySelector("input[value=overwrite]").click();
      document.getElementById("save").click();
    """
    found = re.search(r'data-saved="([^"]+)"', in_browser(file, driver))
    assert found is not None
    decisions = sqlite_project.root / "decisions.jsonl"
    decisions.write_bytes(b64decode(found[1]))
    (line,) = decisions.read_text("utf-8").splitlines()
    assert json.loads(line)["decision"] == "overwrite"
    sqlite_project.alembic("-x", "seed_decisions=decisions.jsonl", "downgrade", "seed_base")
    assert sqlite_project.database.scalar("SELECT count(*) FROM machines") == 0
