"""Documents are files: what is none is refused before it is opened, and what changes is not half read."""

import os
import socket
from pathlib import Path

import pytest

from seedrail import files
from seedrail.files import Replacement, Unreadable, Unwritable, put_in_place, read_document


def why(path: Path) -> str:
    with pytest.raises(Unreadable) as caught:
        read_document(path)
    return str(caught.value)


def test_a_file_is_read_as_it_is_also_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x\r\n\x00")
    (tmp_path / "link").symlink_to("a")
    assert read_document(tmp_path / "link") == b"x\r\n\x00"


def test_a_named_pipe_is_refused_without_waiting_for_its_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        assert why(tmp_path / name) == "cannot be read: Is a named pipe, and no file"


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    file = (tmp_path / "file").stat()
    monkeypatch.setattr(Path, "stat", lambda *_, **__: file)
    assert why(tmp_path / "pipe") == "cannot be read: Is a named pipe, and no file"


def test_sockets_devices_directories_and_circles_of_links_are_no_documents(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        address = os.path.relpath(tmp_path / "socket")
        listening.bind(min(address, str(tmp_path / "socket"), key=len))
        assert why(tmp_path / "socket") == "cannot be read: Is a socket, and no file"
    assert why(Path("/dev/zero")) == "cannot be read: Is a device, and no file"
    assert why(tmp_path) == "cannot be read: Is a directory"
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert why(tmp_path / "a") == "cannot be read: Too many levels of symbolic links"


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(files.SIZE_LIMIT + 1)
    assert why(tmp_path / "sparse").startswith("is too large: 4,294,967,297 bytes, at most 4,294,967,296 ")


def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "growing"
    path.write_bytes(b"[]")
    fstat, looked = os.fstat, []

    def grown(descriptor: int) -> os.stat_result:
        looked.append(descriptor)
        if len(looked) == 3:
            path.write_bytes(b"[1]")
        return fstat(descriptor)

    monkeypatch.setattr(os, "fstat", grown)
    assert why(path) == "changed while it was read: run the same command again when it is written"


def test_files_are_put_in_place_together_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    one = Replacement(tmp_path / "a", b"A", b"a")
    with pytest.raises(Unwritable) as caught:
        put_in_place([one, Replacement(tmp_path / "no" / "c", b"C")])
    assert caught.value.path == tmp_path / "no" / "c"
    assert (tmp_path / "a").read_bytes() == b"a"
    put_in_place([one, Replacement(tmp_path / "b", b"B")])
    assert [(tmp_path / name).read_bytes() for name in "ab"] == [b"A", b"B"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_file_that_changed_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"newer")
    with pytest.raises(Unwritable, match="changed meanwhile"):
        put_in_place([Replacement(tmp_path / "a", b"A", b"older")])
    assert (tmp_path / "a").read_bytes() == b"newer"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Unwritable):
        put_in_place([Replacement(tmp_path / "pipe", b"A")])
    assert (tmp_path / "pipe").is_fifo()


def test_a_new_file_has_the_mode_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "usual").write_bytes(b"")
    put_in_place([Replacement(tmp_path / "new", b"x")])
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode
