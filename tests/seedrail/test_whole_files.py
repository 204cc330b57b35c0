"""Files are written whole or not at all, with mode and owner of what was there, and over no link."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from seedrail.whole_files import begun, written_whole
from tests.support.umask import umask


def write(path: Path, content: bytes = b"new") -> None:
    with written_whole(path) as file:
        file.write(content)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_there_stays_until_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    whole = begun(path)
    whole.file.write(b"new")
    assert path.read_bytes() == b"old"
    whole.end()
    assert path.read_bytes() == b"new"
    begun(path).abandon()
    whole = begun(path)
    whole.file.write(b"half")
    whole.abandon()
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["file"]


def test_a_new_file_is_made_under_the_umask_and_another_keeps_its_mode(tmp_path: Path) -> None:
    with umask(0o027):
        write(tmp_path / "new")
        (tmp_path / "old").touch(0o600)
        (tmp_path / "old").chmod(0o664)
        write(tmp_path / "old")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new", "old")]
    assert modes == [0o640, 0o664]


@pytest.fixture
def somebody_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new file is made as another user than the one who owns the old one."""
    real = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        found = list(real(descriptor))
        found[stat.ST_UID] += 1
        return os.stat_result(found)

    monkeypatch.setattr(os, "fstat", fstat)


@pytest.mark.usefixtures("somebody_s")
def test_a_file_stays_its_owner_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.touch()
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "chown", lambda _, *whose: given.append(whose))
    write(path)
    assert given == [(path.stat().st_uid, path.stat().st_gid)]


@pytest.mark.usefixtures("somebody_s")
def test_where_a_new_file_cannot_be_given_away_the_old_one_is_written_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old and long")
    before = path.stat().st_ino

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "chown", refused)
    write(path)
    assert (path.read_bytes(), path.stat().st_ino) == (b"new", before)
    assert names(tmp_path) == ["file"]


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for name in ("old", "missing"):
        (tmp_path / name).symlink_to(f"there/{name}")
    (tmp_path / "there" / "old").write_bytes(b"old")
    for name in ("old", "missing"):
        write(tmp_path / name)
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "there" / name).read_bytes() == b"new"


def test_nobody_knows_the_name_of_the_half_beforehand(tmp_path: Path) -> None:
    halves = set()
    for _ in range(2):
        whole = begun(tmp_path / "file")
        halves |= set(names(tmp_path))
        whole.abandon()
    assert len(halves) == 2
    assert all(name.startswith("file.") and name.endswith(".partial") for name in halves)
    assert names(tmp_path) == []


def test_a_name_as_long_as_they_may_be_leaves_room_for_the_half_s(tmp_path: Path) -> None:
    write(tmp_path / ("ü" * 127))
    assert len(names(tmp_path)) == 1


def test_folders_circles_and_missing_folders_are_errors_at_once(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for path, kind in [
        (tmp_path, IsADirectoryError),
        (tmp_path / "a", OSError),
        (tmp_path / "missing" / "file", FileNotFoundError),
    ]:
        with pytest.raises(kind):
            begun(path)


def test_a_pipe_is_written_to_and_one_that_nobody_reads_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="No such device"):
        begun(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write(pipe)
    assert os.read(reading, 10) == b"new"
    os.close(reading)
    assert names(tmp_path) == ["pipe"]


def test_the_process_s_own_output_is_added_to(tmp_path: Path) -> None:
    out = tmp_path / "out"
    program = (
        "import pathlib, sys; from seedrail.whole_files import written_whole; print('before')\n"
        "with written_whole(pathlib.Path(sys.argv[1])) as file: file.write(b'new\\n')\n"
        "print('after')"
    )
    for path in ("/dev/stdout", str(out)):
        with out.open("wb") as file:
            subprocess.run([sys.executable, "-c", program, path], check=True, stdout=file)
        assert out.read_text().split() == ["before", "new", "after"]
    assert names(tmp_path) == ["out"]
