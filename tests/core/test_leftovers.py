"""What a killed run leaves beside a secret's file is found by one run after it, and by nobody before."""

import os
from pathlib import Path

import pytest

from app.core.leftovers import leftovers
from app.core.secret_file import SecretFile

SECRET = "umbrella Kestrel 41 rowing"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder / "secret"


def left(path: Path, content: str = SECRET) -> Path:
    """What a run leaves that is killed at its commit."""
    with SecretFile(path) as sink:
        if content:
            sink.write(content)
        sink._at_stake = True
    return sink.temporary


def test_what_a_run_left_is_found_once_it_has_ended_and_only_by_one(file: Path) -> None:
    with SecretFile(file) as sink:
        sink.write(SECRET)
        with leftovers(file) as found:
            assert found == []
    kept = left(file)
    with leftovers(file) as found, leftovers(file) as again:
        assert [(one.path, one.content) for one in found] == [(kept, SECRET)]
        assert again == []
        found[0].remove()
    assert not list(file.parent.iterdir())


def test_what_was_left_without_a_secret_or_has_its_name_is_removed(file: Path) -> None:
    empty = left(file, "")
    assert empty.exists()
    os.link(left(file), file)
    with leftovers(file) as found:
        assert found == []
    assert [one.name for one in file.parent.iterdir()] == ["secret"]


def test_what_is_not_ones_own_is_let_be(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "target"
    target.write_text("")
    file.with_name(f".secret.{'0' * 16}.tmp").symlink_to(target)
    os.mkfifo(file.with_name(f".secret.{'1' * 16}.tmp"))
    file.with_name(".secret.tmp").write_text("")
    file.with_name(f".other.{'2' * 16}.tmp").write_text("")
    before = sorted(file.parent.iterdir())
    with leftovers(file) as found:
        assert found == []
    assert sorted(file.parent.iterdir()) == before
    left(file, "")
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with leftovers(file) as found:
        assert found == []
    assert len(list(file.parent.iterdir())) == len(before) + 1


def test_a_folder_that_is_not_there_has_nothing_left(file: Path) -> None:
    with leftovers(file / "no" / "file") as found:
        assert found == []
