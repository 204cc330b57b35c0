"""Files with secrets: read when nobody else can, written where nothing was, gone where the work fails."""

import errno
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.core.errors import ConfigurationError, OutputError
from app.core.files import SecretFile, read_secret, secret_line

SECRET = "umbrella Kestrel 41 rowing"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "secret"


def refusal_to_read(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_secret(path)
    assert caught.value.__cause__ is None
    assert SECRET not in str(caught.value)
    return str(caught.value)


def private(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow: Python ignores SIGXFSZ, so that a write is an error as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


# -- reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_line_is_read_without_its_end(file: Path, end: str) -> None:
    private(file, f" {SECRET} {end}".encode())
    assert read_secret(file).get_secret_value() == f" {SECRET} "


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o644, 0o466])
def test_a_file_that_is_open_to_group_or_others_is_refused(file: Path, mode: int) -> None:
    private(file, SECRET.encode()).chmod(mode)
    assert f"(mode {mode:04o}): chmod 600 {file}" in refusal_to_read(file)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_its_owner_alone_is_read(file: Path, mode: int) -> None:
    private(file, SECRET.encode()).chmod(mode)
    assert read_secret(file).get_secret_value() == SECRET


def test_of_a_link_the_files_mode_counts(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(private(file, SECRET.encode()))
    assert read_secret(link).get_secret_value() == SECRET
    file.chmod(0o644)
    assert "(mode 0644)" in refusal_to_read(link)


def test_the_shells_process_substitution_is_read() -> None:
    reader, writer = os.pipe()
    os.write(writer, SECRET.encode())
    os.close(writer)
    try:
        assert read_secret(Path(f"/dev/fd/{reader}")).get_secret_value() == SECRET
    finally:
        os.close(reader)


def test_what_cannot_be_read_is_named(file: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert refusal_to_read(file) == f"cannot read {file}: No such file or directory"
    assert refusal_to_read(tmp_path) == f"cannot read {tmp_path}: Is a directory"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"one\ntwo", "more than one line"),
        (b"one\n\n", "more than one line"),
        (b"one\rtwo\n", "more than one line"),
        (b"x" * 65_537, "longer than 65,536 bytes"),
    ],
)
def test_what_is_not_one_line_of_text_is_refused(file: Path, content: bytes, reason: str) -> None:
    assert reason in refusal_to_read(private(file, content))
    with pytest.raises(ConfigurationError, match=reason):
        secret_line(content)


# -- writing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o777])
def test_a_secret_file_is_its_owners_alone_whatever_the_umask(file: Path, mask: int) -> None:
    with umask(mask), SecretFile(file) as sink:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        sink.write(SECRET)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() == SECRET


def test_a_file_that_is_there_is_never_overwritten(file: Path) -> None:
    private(file, b"precious")
    with pytest.raises(OutputError, match="is there already"), SecretFile(file):
        pytest.fail("it was opened")
    assert file.read_bytes() == b"precious"


@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_is_never_followed(file: Path, tmp_path: Path, dangling: bool) -> None:
    if not dangling:
        private(file, b"precious")
    link = tmp_path / "link"
    link.symlink_to(file)
    with pytest.raises(OutputError, match="is there already"), SecretFile(link):
        pytest.fail("it was opened")
    assert link.is_symlink()
    assert file.exists() is not dangling


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file or directory"), SecretFile(tmp_path / "no" / "file"):
        pytest.fail("it was opened")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_file_whose_work_fails_is_gone_even_after_it_was_written(
    file: Path, error: type[BaseException]
) -> None:
    def work() -> None:
        with SecretFile(file) as sink:
            sink.write(SECRET)
            raise error

    with pytest.raises(error):
        work()
    assert not file.exists()


def test_a_file_that_got_no_secret_is_gone(file: Path) -> None:
    with SecretFile(file):
        assert file.exists()
    assert not file.exists()


def test_a_secret_is_on_the_disk_before_the_work_goes_on(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed, fsync = [], os.fsync

    def watched(descriptor: int) -> None:
        fsync(descriptor)
        flushed.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fsync", watched)
    with SecretFile(file) as sink:
        sink.write(SECRET)
        assert flushed == [len(SECRET)]


def test_a_full_disk_is_an_output_error_and_leaves_no_file(file: Path) -> None:
    with pytest.raises(OutputError) as caught, SecretFile(file) as sink, full_disk():
        sink.write(SECRET)
    assert str(caught.value) == f"cannot write {file}: {os.strerror(errno.EFBIG)}"
    assert not file.exists()
