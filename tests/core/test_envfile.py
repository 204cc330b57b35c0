"""The file `.env`: what is written is what is read, and what could be read in another way is refused."""

from pathlib import Path

import pytest

from app.core.config import Settings, get_settings
from app.core.envfile import warn_of_readers
from app.core.errors import ConfigurationError

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """An `.env` of this test's, and nothing from the environment."""
    for name in ("DATABASE_URL", "APP_ENVIRONMENT", "APP_ADMIN_PASSWORD", "APP_LOCK_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / ".env"
    file.touch(mode=0o600)
    monkeypatch.setitem(Settings.model_config, "env_file", file)
    get_settings.cache_clear()
    warn_of_readers.cache_clear()
    yield file
    get_settings.cache_clear()
    warn_of_readers.cache_clear()


def password_in(file: Path, text: str) -> str | None:
    file.write_bytes(text.encode())
    get_settings.cache_clear()
    password = get_settings().admin_password
    return None if password is None else password.get_secret_value()


def refusal_of(file: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        password_in(file, text)
    message = str(caught.value)
    assert message.startswith("bad settings: ")
    assert "\n" not in message
    assert SECRET not in message
    return message


@pytest.mark.parametrize(
    ("written", "password"),
    [
        ("plain", "plain"),
        ("with blanks in it", "with blanks in it"),
        ("hash#inside", "hash#inside"),
        ("a$b$$c", "a$b$$c"),
        ("back\\slash", "back\\slash"),
        ("it's", "it's"),
        ("  around  ", "around"),
        ("'single  # ${HOME} \"x\"'", 'single  # ${HOME} "x"'),
        ('"double  # it\'s"', "double  # it's"),
        ("'é😀'", "é😀"),
        ("''", ""),
        ("", ""),
    ],
)
@pytest.mark.parametrize("form", ["APP_ADMIN_PASSWORD={}", "export app_admin_password = {}\r\n", "\n\n{}"])
def test_a_value_is_what_is_written(env_file: Path, written: str, password: str, form: str) -> None:
    form = form if "=" in form else "APP_ADMIN_PASSWORD=" + form.strip()
    assert password_in(env_file, form.format(written)) == password


@pytest.mark.parametrize(
    "written",
    [
        f"{SECRET} # comment",
        f"{SECRET}\t#comment",
        f" # {SECRET}",
        f"'{SECRET}' # comment",
        f"'{SECRET}'#'",
        f'"{SECRET}\\n"',
        f'"{SECRET}\\\\"',
        f"'{SECRET}\\'x'",
    ],
)
@pytest.mark.parametrize("name", ["APP_ADMIN_PASSWORD", "DATABASE_URL"])
def test_a_secret_that_can_be_read_in_two_ways_is_refused(env_file: Path, name: str, written: str) -> None:
    message = refusal_of(env_file, f"# first\n\n{name}={written}\n")
    assert message.startswith(f"bad settings: .env, line 3: {name} can be read in more than one way")
    assert "single quotes" in message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"APP_ADMIN_PASSWORD={SECRET}${{HOME}}", "line 1: APP_ADMIN_PASSWORD has a ${…}, which is never"),
        (f'APP_ADMIN_PASSWORD="{SECRET}${{HOME}}"', "line 1: APP_ADMIN_PASSWORD has a ${…}, which is never"),
        ("APP_ENVIRONMENT=${STAGE}", "line 1: APP_ENVIRONMENT has a ${…}, which is never expanded"),
        (f"APP_ADMIN_PASSWORD='{SECRET}\n", "line 1: this is not NAME=value, or a quote is not closed"),
        (f"APP_ADMIN_PASSWORD='{SECRET}' x", "line 1: this is not NAME=value, or a quote is not closed, or"),
        (f"\nAPP_ADMIN_PASSWORD: {SECRET}", "line 2: this is not NAME=value"),
        (f"OTHER=1\n{SECRET} {SECRET}\n", "line 2: this is not NAME=value"),
        (f"APP_ADMIN_PASSWORD='{SECRET}\nx'", "line 1: APP_ADMIN_PASSWORD goes over more than one line"),
        (
            f"OTHER='x\nAPP_ADMIN_PASSWORD={SECRET}'",
            "line 1: a quote that is opened here ends behind APP_ADM",
        ),
        (f"OTHER='x\nexport DATABASE_URL={SECRET}'", "line 1: a quote that is opened here ends behind DATA"),
        ("APP_ADMIN_PASSWORD", "line 1: APP_ADMIN_PASSWORD has no value: write NAME=value"),
        (
            f"DATABASE_URL=a\n#\napp_environment=test\nDatabase_Url={SECRET}",
            "line 4: DATABASE_URL is there t",
        ),
        (
            f"APP_ADMIN_PASSWORD={SECRET}\0",
            "line 1: APP_ADMIN_PASSWORD holds a character that cannot be seen",
        ),
        (f"APP_ADMIN_PASSWORD='{SECRET}\x1b'", "line 1: APP_ADMIN_PASSWORD holds a character that cannot be"),
        (
            f"\ufeffAPP_ADMIN_PASSWORD={SECRET}",
            "the file .env begins with a byte order mark: save it as UTF-8",
        ),
    ],
)
def test_what_is_not_plain_is_refused_with_its_line(
    env_file: Path,
    text: str,
    reason: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert reason in refusal_of(env_file, text)
    assert not caplog.records
    assert capfd.readouterr().err == ""


def test_lines_of_others_and_comments_behind_what_is_no_secret_are_nobody_s_business(env_file: Path) -> None:
    text = (
        "CATALOG_PASSWORD=${X:-y} # for Compose\nCATALOG_PASSWORD=z\nKEY='-----BEGIN\nx=\n-----END'\n"
        "APP_ENVIRONMENT=staging # not yet\nAPP_ADMIN_PASSWORD='x'"
    )
    assert password_in(env_file, text) == "x"
    assert get_settings().environment == "staging"


def test_the_environment_is_taken_as_it_is(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ADMIN_PASSWORD", "a # ${HOME} \\n '")
    assert password_in(env_file, "APP_ADMIN_PASSWORD=b") == "a # ${HOME} \\n '"


# -- who may read it -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o602])
@pytest.mark.parametrize(
    "text",
    [
        f"APP_ADMIN_PASSWORD={SECRET}",
        f"DATABASE_URL=postgresql://u:{SECRET}@h/d",
        f"DATABASE_URL=postgresql://h/d?password={SECRET}",
        f"CATALOG_PASSWORD={SECRET}",
        f"APP_API_TOKEN={SECRET}",
    ],
)
def test_a_secret_that_others_may_read_is_warned_about_once(
    env_file: Path, mode: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    env_file.write_text(text)
    env_file.chmod(mode)
    for _ in range(2):
        get_settings.cache_clear()
        get_settings()
    assert capsys.readouterr().err == (
        f"WARNING: {env_file} holds a secret and is open to group or others (mode {mode:04o}): chmod 600 it,"
        " and change the secret if anybody else uses this machine\n"
    )


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        (0o600, f"APP_ADMIN_PASSWORD={SECRET}"),
        (0o400, f"APP_ADMIN_PASSWORD={SECRET}"),
        (0o644, "APP_ADMIN_PASSWORD=\nDATABASE_URL=postgresql://u@h/d\nAPP_ENVIRONMENT=test"),
        (0o644, f"#APP_ADMIN_PASSWORD={SECRET}"),
    ],
)
def test_nothing_is_said_of_a_file_that_tells_others_nothing(
    env_file: Path, mode: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    env_file.write_text(text)
    env_file.chmod(mode)
    get_settings()
    assert capsys.readouterr().err == ""


def test_the_example_is_read_when_its_lines_are_uncommented(env_file: Path) -> None:
    from tests.support.project import ROOT

    lines = (ROOT / ".env.example").read_text().splitlines()
    assigned = [line[1:] for line in lines if line[:1] == "#" and line[1:2].isupper() and "=" in line]
    once = {line.partition("=")[0]: line for line in assigned}
    assert len(once) >= 7
    env_file.write_text("\n".join(once.values()))
    get_settings()
