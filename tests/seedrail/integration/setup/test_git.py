"""The line for git: of the folder as it is named, and not twice."""

import subprocess
from pathlib import Path

import pytest

from seedrail.integration.setup.edits import THERE
from seedrail.integration.setup.git import attributes, keeps_bytes


def write(seeds: Path, root: Path) -> None:
    edit = attributes(seeds, root).edit
    assert edit is not None
    edit.path.write_bytes(edit.after.encode())


@pytest.mark.parametrize(
    "folder",
    ["m/seeds", "a b/seeds", "[odd]*/#x/!y/seeds", 'with "quotes"/seeds', "#first/seeds", "é/seeds"],
)
def test_git_leaves_files_of_a_folder_of_any_name_alone(folder: str, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitattributes").write_text("* text=auto")
    seeds = tmp_path / folder
    seeds.mkdir(parents=True)
    assert keeps_bytes(seeds) is False
    write(seeds, tmp_path)
    assert keeps_bytes(seeds) is True
    assert keeps_bytes(tmp_path) is False
    assert attributes(seeds, tmp_path).state == THERE


def test_what_another_line_or_another_file_says_counts(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitattributes").write_text("*.jsonl binary\n")
    assert attributes(tmp_path / "services/one/migrations/seeds", tmp_path / "services/one").state == THERE


def test_without_a_repository_the_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    seeds = tmp_path / "migrations" / "seeds"
    assert keeps_bytes(seeds) is None
    write(seeds, tmp_path)
    assert attributes(seeds, tmp_path).state == THERE
    (tmp_path / ".gitattributes").write_text("migrations/seeds/* text\r\n")
    write(seeds, tmp_path)
    assert (tmp_path / ".gitattributes").read_bytes().count(b"\r\n") == 3


def test_a_folder_outside_of_the_project_gets_a_file_of_its_own(tmp_path: Path) -> None:
    edit = attributes(tmp_path / "shared/seeds", tmp_path / "project").edit
    assert edit is not None
    assert edit.path == (tmp_path / "shared/.gitattributes").resolve()
    assert edit.after.endswith("\nseeds/* -text diff=seeds\n")
