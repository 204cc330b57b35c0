"""A secret's file has its name once the commit is made: never before, never over another, never in vain."""

import errno
import os
import re
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import OutputError
from app.core.secret_file import SecretFile, SecretMisplaced
from tests.support.umask import umask

SECRET = "umbrella Kestrel 41 rowing"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder / "secret"


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow: Python ignores SIGXFSZ, so that a write is an error as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def temporaries(file: Path) -> list[Path]:
    """What stands beside it."""
    return [one for one in file.parent.iterdir() if one.name != file.name]


def put(path: Path, *, replace: bool = False) -> None:
    """A secret in its file, as a commit that goes well leaves it."""
    with SecretFile(path, replace=replace) as sink:
        sink.write(SECRET)
        sink.begin()
        sink.won()


def misplaced(path: Path, meanwhile: Callable[[SecretFile], object]) -> SecretMisplaced:
    """The error where something happens between the commit and the secret's naming."""

    def work() -> None:
        with SecretFile(path) as sink:
            sink.write(SECRET)
            sink.begin()
            meanwhile(sink)
            sink.won()

    with pytest.raises(SecretMisplaced) as caught:
        work()
    return caught.value


def refusal(path: Path, *, replace: bool = False) -> str:
    with pytest.raises(OutputError) as caught, SecretFile(path, replace=replace):
        pytest.fail("it was opened")
    return str(caught.value)


@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o777])
def test_it_is_its_owners_alone_whatever_the_umask_and_from_the_beginning(file: Path, mask: int) -> None:
    with umask(mask), SecretFile(file) as sink:
        assert not file.exists()
        assert stat.S_IMODE(sink.temporary.stat().st_mode) == 0o600
        sink.write(SECRET)
        sink.begin()
        assert not file.exists()
        sink.won()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() == SECRET
    assert not temporaries(file)


def test_its_temporary_file_cannot_be_guessed_and_says_whose_it_is(file: Path) -> None:
    with SecretFile(file) as one, SecretFile(file) as other:
        names = {one.temporary.name, other.temporary.name}
    assert len(names) == 2
    assert all(re.fullmatch(r"\.secret\.[0-9a-f]{16}\.tmp", name) for name in names)
    assert not temporaries(file)


@pytest.mark.parametrize("replace", [False, True])
def test_what_is_no_file_of_ones_own_is_never_overwritten(file: Path, tmp_path: Path, replace: bool) -> None:
    target = tmp_path / "target"
    for make in (
        lambda: file.symlink_to(target),
        lambda: file.mkdir(),
        lambda: os.mkfifo(file),
    ):
        make()
        before = os.lstat(file)
        assert "is there already; it is never overwritten: it is no regular file" in refusal(
            file, replace=replace
        )
        assert os.lstat(file) == before
        assert not temporaries(file)
        file.rmdir() if file.is_dir() else file.unlink()
    assert not target.exists()


@pytest.mark.parametrize("path", ["/dev/stdout", ".", "..", "/", ""])
def test_a_path_that_can_be_no_new_file_is_refused_before_anything_is_made(path: str) -> None:
    for replace in (False, True):
        assert "is there already" in refusal(Path(path), replace=replace)


def test_a_file_that_is_there_is_overwritten_only_where_that_is_asked_for(file: Path) -> None:
    file.write_text("precious")
    other = file.with_name("another name")
    os.link(file, other)
    assert refusal(file).endswith("is there already; it is never overwritten, unless --replace says so")
    assert file.read_text() == "precious"
    put(file, replace=True)
    assert file.read_text() == SECRET
    assert other.read_text() == "precious"
    assert temporaries(file) == [other]


def test_the_file_of_somebody_else_is_not_replaced(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("precious")
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    assert "it belongs to somebody else" in refusal(file, replace=True)
    assert file.read_text() == "precious"


@pytest.mark.parametrize("made", [False, True])
def test_until_the_commit_is_made_a_replaced_file_stays(file: Path, made: bool) -> None:
    file.write_text("precious")
    with SecretFile(file, replace=True) as sink:
        sink.write(SECRET)
        sink.begin()
        assert file.read_text() == "precious"
        if not made:
            sink.lost()
        else:
            sink.won()
    assert file.read_text() == (SECRET if made else "precious")
    assert not temporaries(file)


def test_a_folder_that_is_missing_is_named(file: Path) -> None:
    assert refusal(file / "no" / "file").endswith("No such file or directory")


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "x.token\n", " "])
def test_a_name_is_good_as_long_as_the_folder_takes_it(file: Path, name: str) -> None:
    put(file.with_name(name))
    assert [one.name for one in file.parent.iterdir()] == [name]


def test_a_name_that_is_too_long_is_refused_before_anything_is_made(file: Path) -> None:
    assert refusal(file.with_name("x" * 256)).endswith("File name too long")
    assert not list(file.parent.iterdir())


def test_a_relative_path_means_the_folder_of_the_beginning(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    with SecretFile(Path("secret")) as sink:
        sink.write(SECRET)
        sink.begin()
        monkeypatch.chdir(tmp_path)
        sink.won()
    assert file.read_text() == SECRET
    assert not (tmp_path / "secret").exists()


def test_a_link_to_the_folder_is_followed(file: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(file.parent)
    put(tmp_path / "link" / "secret")
    assert file.read_text() == SECRET


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("written", [False, True])
def test_nothing_is_left_of_work_that_fails_before_its_commit(
    file: Path, error: type[BaseException], written: bool
) -> None:
    def work() -> None:
        with SecretFile(file) as sink:
            if written:
                sink.write(SECRET)
            raise error

    with pytest.raises(error):
        work()
    assert not list(file.parent.iterdir())


def test_where_nobody_knows_of_the_commit_it_stays_under_its_temporary_name(file: Path) -> None:
    def work() -> None:
        with SecretFile(file) as sink:
            sink.write(SECRET)
            sink.begin()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    (kept,) = file.parent.iterdir()
    assert (kept.read_text(), stat.S_IMODE(kept.stat().st_mode)) == (SECRET, 0o600)


def test_a_commit_without_a_secret_makes_no_file(file: Path) -> None:
    with SecretFile(file) as sink:
        sink.begin()
        sink.won()
    assert not list(file.parent.iterdir())


def test_what_came_meanwhile_is_not_overwritten_and_the_secret_is_said_to_be_elsewhere(file: Path) -> None:
    error = misplaced(file, lambda _: file.write_text("precious"))
    assert file.read_text() == "precious"
    assert error.kept is not None
    assert error.kept.read_text() == SECRET
    assert f"it is in {error.kept}: move it from there" in str(error)


def test_a_secret_whose_folder_went_is_said_to_be_gone(file: Path) -> None:
    error = misplaced(file, lambda sink: (sink.temporary.unlink(), file.parent.rmdir()))
    assert "its file is gone: revoke it" in str(error)


def without_links(*args: Any, **kwargs: Any) -> None:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def test_a_file_system_without_hard_links_will_do(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", without_links)
    put(file)
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == (SECRET, 0o600)
    assert not temporaries(file)
    other = file.with_name("other")
    misplaced(other, lambda _: other.write_text("precious"))
    assert other.read_text() == "precious"


def test_a_secret_is_on_the_disk_before_the_work_goes_on(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed, fsync = [], os.fsync

    def watched(descriptor: int) -> None:
        fsync(descriptor)
        status = os.fstat(descriptor)
        flushed.append("folder" if stat.S_ISDIR(status.st_mode) else status.st_size)

    monkeypatch.setattr(os, "fsync", watched)
    with SecretFile(file) as sink:
        sink.write(SECRET)
        assert flushed == [len(SECRET), "folder"]


def test_a_full_disk_is_an_output_error_and_leaves_no_file(file: Path) -> None:
    with pytest.raises(OutputError) as caught, SecretFile(file) as sink, full_disk():
        sink.write(SECRET)
    assert str(caught.value) == f"cannot write {file}: {os.strerror(errno.EFBIG)}"
    assert not list(file.parent.iterdir())
