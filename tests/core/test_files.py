"""Files with secrets are read only where nobody else can read them."""

import os
from pathlib import Path

import pytest

from app.core.errors import ConfigurationError
from app.core.files import read_secret, secret_line

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
