"""Settings: what unset means, what is refused, and that no message shows a password."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy.engine import make_url

from app.core import config
from app.core.config import ROOT, Environment, Settings, get_settings
from app.core.errors import ConfigurationError, DatabaseUnavailable

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """No setting from the environment that the tests run in, and no `.env`."""
    for name in ("DATABASE_URL", "APP_ENVIRONMENT", "APP_LOCK_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    get_settings.cache_clear()
    yield tmp_path / ".env"
    get_settings.cache_clear()


def refusal() -> str:
    with pytest.raises(ConfigurationError) as caught:
        get_settings()
    assert caught.value.__cause__ is None
    assert "\n" not in str(caught.value)
    return str(caught.value)


def url_refusal(url: str | None, **settings: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Settings(DATABASE_URL=url, **settings).url()
    assert caught.value.__cause__ is None
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)
    return str(caught.value)


# -- the database ----------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [None, "", "  \n"])
def test_an_unset_url_means_the_embedded_file_in_the_root(url: str | None) -> None:
    settings = Settings(DATABASE_URL=url)
    assert settings.environment is Environment.DEVELOPMENT
    assert settings.url().render_as_string() == f"sqlite:///{ROOT / 'seedrail.db'}"
    assert settings.url(asynchronous=True).drivername == "sqlite+aiosqlite"


@pytest.mark.parametrize("url", [None, "", " "])
def test_production_never_falls_back_to_the_embedded_file(url: str | None) -> None:
    assert "DATABASE_URL is not set" in url_refusal(url, environment="production")


@pytest.mark.parametrize(
    ("given", "sync", "asynchronous"),
    [
        ("postgres://u@h/d", "postgresql+psycopg", "postgresql+psycopg"),
        ("postgresql://u@h/d", "postgresql+psycopg", "postgresql+psycopg"),
        ("postgresql+psycopg://u@h/d", "postgresql+psycopg", "postgresql+psycopg"),
        ("sqlite:///file.db", "sqlite", "sqlite+aiosqlite"),
        ("sqlite+pysqlite:///file.db", "sqlite", "sqlite+aiosqlite"),
        ("sqlite+aiosqlite:///file.db", "sqlite", "sqlite+aiosqlite"),
    ],
)
def test_a_url_gets_the_driver_that_the_project_ships(given: str, sync: str, asynchronous: str) -> None:
    settings = Settings(DATABASE_URL=f"  {given}\n")
    assert settings.url().drivername == sync
    assert settings.url(asynchronous=True).drivername == asynchronous
    assert settings.url().database == given.rpartition("/")[2]


@pytest.mark.parametrize("password", ["p@ss/w:rd?#%", "%", "100%25", "é😀", " a b "])
def test_a_password_with_special_characters_is_the_one_that_was_encoded(password: str) -> None:
    from urllib.parse import quote

    url = Settings(DATABASE_URL=f"postgresql://u:{quote(password, safe='')}@h:5432/d").url()
    assert (url.username, url.password, url.host, url.port) == ("u", password, "h", 5432)
    assert password not in url.render_as_string(hide_password=True).replace("%20", " ") or password == "%"


@pytest.mark.parametrize(
    "url",
    [
        f"u:{SECRET}@h/d",
        f"postgresql:/u:{SECRET}@h/d",
        f"postgresql//u:{SECRET}@h/d",
        f"postgresql://u:{SECRET}@h:port/d",
        f"postgresql://u:{SECRET}@h:5432x/d",
        f"://u:{SECRET}@h/d",
        f"postgresql://u:{SECRET}@h:1/d%00x",
        f"postgresql://u:{SECRET}%00@h/d",
        f"sqlite:///{SECRET}%00.db",
        f"postgres ql://u:{SECRET}@h/d",
        SECRET,
    ],
)
def test_a_url_that_does_not_parse_is_one_line_without_the_password(url: str) -> None:
    assert "DATABASE_URL does not parse: expected something like" in url_refusal(url)


@pytest.mark.parametrize(
    "driver", ["mysql", "oracle", "postgresql+asyncpg", "postgresql+psycopg2", "Postgres"]
)
def test_a_driver_that_is_not_supported_is_named_without_the_password(driver: str) -> None:
    message = url_refusal(f"{driver}://u:{SECRET}@h/d")
    assert f"names the driver {driver!r}, which is not supported" in message


def test_a_password_in_the_query_is_hidden_like_any_other() -> None:
    url = Settings(DATABASE_URL=f"postgresql://u@h/d?password={SECRET}&sslmode=require").url()
    assert url.password == SECRET
    assert dict(url.query) == {"sslmode": "require"}
    assert SECRET not in url.render_as_string(hide_password=True)


# -- other settings --------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["prod", "Production", "PRODUCTION", "production ", "", "dev"])
def test_an_environment_with_a_typo_is_refused_and_not_guessed(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("APP_ENVIRONMENT", value)
    message = refusal()
    assert message.startswith("bad settings: APP_ENVIRONMENT: ")
    assert "'development', 'test', 'staging' or 'production'" in message


@pytest.mark.parametrize("value", ["0", "-1", "abc", "", "nan", "inf", "86401"])
def test_a_lock_timeout_that_is_no_time_to_wait_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("APP_LOCK_TIMEOUT", value)
    assert refusal().startswith("bad settings: APP_LOCK_TIMEOUT: ")


def test_every_bad_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ENVIRONMENT", "prod")
    monkeypatch.setenv("APP_LOCK_TIMEOUT", "soon")
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:{SECRET}@h/d")
    message = refusal()
    assert "APP_ENVIRONMENT: " in message
    assert "; APP_LOCK_TIMEOUT: " in message
    assert SECRET not in message


def test_settings_are_read_once_and_cannot_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = get_settings()
    monkeypatch.setenv("APP_ENVIRONMENT", "staging")
    assert get_settings() is settings
    with pytest.raises(ValidationError, match="frozen"):
        settings.environment = Environment.PRODUCTION


def test_nothing_that_shows_settings_shows_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:{SECRET}@h/d")
    settings = Settings()
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert SECRET not in repr(settings.url())
    for wrong in ({"DATABASE_URL": [SECRET]}, {"DATABASE_URL": {"url": SECRET}}, {"environment": SECRET}):
        with pytest.raises(ValidationError) as caught:
            Settings(**wrong)
        assert SECRET not in f"{caught.value} {caught.value!r}"


# -- .env ------------------------------------------------------------------------------------------


def test_settings_are_read_from_env_files_and_the_environment_wins(
    nothing_is_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_is_set.write_text(
        "# a comment\nDATABASE_URL='postgresql://u:p%23@h/d'\nAPP_ENVIRONMENT=staging\nOTHER=ignored\n",
        "utf-8",
    )
    settings = get_settings()
    assert settings.environment is Environment.STAGING
    assert settings.url().password == "p#"
    monkeypatch.setenv("APP_ENVIRONMENT", "test")
    assert Settings().environment is Environment.TEST


def test_the_env_file_is_the_one_in_the_root() -> None:
    # Read afresh: the fixture above replaces it for the tests.
    source = Path(config.__file__).read_text("utf-8")
    assert 'env_file=ROOT / ".env"' in source
    assert (ROOT / "alembic.ini").is_file()


def test_production_in_an_env_file_needs_a_url_too(nothing_is_set: Path) -> None:
    nothing_is_set.write_text("APP_ENVIRONMENT=production\n")
    with pytest.raises(ConfigurationError, match="DATABASE_URL is not set"):
        get_settings().url()


def test_an_env_file_that_is_not_utf8_is_one_line(nothing_is_set: Path) -> None:
    nothing_is_set.write_bytes(f"DATABASE_URL=postgresql://u:{SECRET}\xff@h/d".encode("latin-1"))
    message = refusal()
    assert message == "bad settings: the file .env is not UTF-8"


# -- a database that cannot be used ----------------------------------------------------------------


def test_an_unusable_database_is_one_line_without_passwords() -> None:
    error = DatabaseUnavailable(
        make_url(f"postgresql+psycopg://u:{SECRET}@h/d?sslpassword={SECRET}&sslmode=require"),
        RuntimeError("\n  connection refused\n\tIs the server running?\n"),
    )
    assert str(error) == (
        "cannot use the database postgresql+psycopg://u:***@h/d?sslmode=require&sslpassword=***:"
        " connection refused"
    )
    assert SECRET not in error.url


def test_an_unusable_database_without_a_message_names_its_error() -> None:
    assert str(DatabaseUnavailable(make_url("sqlite:///x"), TimeoutError())).endswith(
        "sqlite:///x: TimeoutError"
    )
