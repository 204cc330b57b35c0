"""Links, paths and hosts of the documents lead somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.story import DOCUMENTS, steps, tracked
from tests.support.project import ROOT

HOSTS = {"keepachangelog.com", "docs.e3sm.org", "localhost:5432", "database:5432"}
"""The hosts that documents may name."""
OF_EVERY_MACHINE = {"/dev/stdout"}

in_each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def _prose(document: Path) -> str:
    return re.sub(r"^```.*?^```$", "", document.read_text("utf-8"), flags=re.M | re.S)


@in_each_document
def test_links_lead_to_files_that_exist(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", _prose(document))
    broken = [one for one in links if "://" not in one and not (document.parent / one).exists()]
    assert not broken


@in_each_document
def test_paths_in_the_text_exist(document: Path) -> None:
    known = {*map(str, tracked()), *_made_by_the_reader(document)}
    names = {Path(path).name for path in known}
    folders = {f"{parent}/" for path in known for parent in Path(path).parents}
    missing = [
        span
        for span in _path_like(_prose(document))
        if not (span in known or span in folders or f"{span}/" in folders or span in names)
    ]
    assert not missing


_FILE = re.compile(r"[\w.-]+(/[\w.-]+)*\.(py|json|jsonl|md|toml|ini|mako|txt|ya?ml)")
_FOLDER = re.compile(r"(app|migrations|tests|docs|benchmarks|\.ci)/[\w./-]*")


def _path_like(prose: str) -> Iterator[str]:
    """Code spans that name a file or a folder."""
    for span in re.findall(r"`([^`\n]+)`", prose):
        if _FILE.fullmatch(span) or _FOLDER.fullmatch(span):
            yield span


def _made_by_the_reader(document: Path) -> set[str]:
    """Files that a document's own commands make, or that it shows."""
    told = [one for one in steps(str(document.relative_to(ROOT))) if one.verb in ("file", "like")]
    made = {name for one in told for name in one.argument.split()}
    return made | {"migrations/seeds/seed_0005.jsonl", "pyproject.toml"}


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / ".env.example"], ids=lambda path: path.name)
def test_documents_name_no_machine_and_no_unknown_host(document: Path) -> None:
    text = document.read_text("utf-8")
    named = re.findall(r"(?:^|[\s`\"'(=<>])(/[A-Za-z]\w*/[\w./-]*)", text, flags=re.M)
    assert {*named} <= OF_EVERY_MACHINE
    hosts = re.findall(r"[a-z+]+://(?:[^\s/@`'\"]*@)?([^\s/`'\")]+)", text)
    assert {host for host in hosts if host not in HOSTS | {"host:5432"}} == set()
