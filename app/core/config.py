"""Settings, read once from the environment and from `.env` in the project's root."""

from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy.engine import URL

from app.core.envfile import EnvFile
from app.core.errors import ConfigurationError
from app.core.urls import database_url

ROOT = Path(__file__).resolve().parents[2]
"""The project's root: where `alembic.ini` and `.env` live."""

LONGEST_WAIT = 86_400
"""Seconds that any wait may last: a day."""


class Environment(StrEnum):
    """Where the backend runs; unset is `development`, never `production`."""

    DEVELOPMENT = "development"
    TEST = "test"
    STAGING = "staging"
    PRODUCTION = "production"


class Settings(BaseSettings):
    """The application's settings.

    `DATABASE_URL` has no prefix because everything that deploys a backend sets it under that name;
    every other setting is `APP_…`.
    """

    model_config = SettingsConfigDict(
        env_prefix="APP_",
        env_file=ROOT / ".env",
        env_file_encoding="utf-8",
        extra="ignore",
        frozen=True,
        # A rejected value may be a URL with a password in it.
        hide_input_in_errors=True,
    )

    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    """The database: `postgresql://user:password@host:5432/name` or `sqlite:///file.db`. Without it: the file
    `seedrail.db` in the project's root."""
    environment: Environment = Environment.DEVELOPMENT
    """Where the commands run; it decides which seed sets are left out."""
    seed_conflict: Literal["abort", "keep", "overwrite"] = "abort"
    """The policy for conflicts; `-x seed_conflict=…` wins over it."""
    seed_sets: str = ""
    """The seed sets to apply, such as `machines,simulations`, or `all`; empty: those that the environment
    allows. `-x seed_sets=…` wins over it."""
    seed_owner: str = ""
    """The account (email, or a service's name) that owns seeded simulations whose document names nobody;
    empty: nobody. `-x seed_owner=…` wins over it."""
    lock_timeout: float = Field(default=60.0, gt=0, le=LONGEST_WAIT)
    """Seconds that a run waits for another one before it gives up."""
    database_wait: float = Field(default=0.0, ge=0, le=LONGEST_WAIT)
    """Seconds that every command, `alembic` too, waits for a PostgreSQL server that is not there yet, is
    starting up or has no place left; `--wait` of the scripts wins over it."""
    admin_password: SecretStr | None = None
    """What `create_admin_account` sets where neither a pipe nor a file gives it a password."""
    token_max_days: int = Field(default=365, ge=1, le=3650)
    """Days that a service's token lives at most."""
    traceback: bool = False
    """Whether expected errors show their traceback, for whoever looks for their cause in the code."""

    def __init__(self, **values: Any) -> None:
        # The library would read the file by its own rules first.
        super().__init__(_env_file=None, **values)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The usual sources, but for a stricter reader of `.env`."""
        return init_settings, env_settings, EnvFile(settings_cls)

    def url(self, *, asynchronous: bool = False) -> URL:
        """The database's URL with the driver this project ships for it.

        Raises ConfigurationError, which never quotes the URL itself.
        """
        raw = self.database_url.get_secret_value().strip() if self.database_url else ""
        if not raw:
            return self._embedded_url(asynchronous)
        return database_url(raw, asynchronous=asynchronous)

    def _embedded_url(self, asynchronous: bool) -> URL:
        if self.environment is Environment.PRODUCTION:
            raise ConfigurationError(
                "DATABASE_URL is not set: production never falls back to the embedded SQLite file"
            )
        driver = "sqlite+aiosqlite" if asynchronous else "sqlite"
        return URL.create(driver, database=str(ROOT / "seedrail.db"))


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process; raises ConfigurationError with one line for each bad one."""
    try:
        return Settings()
    except ValidationError as error:
        faults = "; ".join(f"{_name(e['loc'])}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(f"bad settings: {faults}") from None
    except (UnicodeDecodeError, OSError) as error:
        problem = (
            "is not UTF-8" if isinstance(error, UnicodeDecodeError) else f"cannot be read: {error.strerror}"
        )
        raise ConfigurationError(f"bad settings: the file .env {problem}") from None


def _name(location: tuple[int | str, ...]) -> str:
    field = str(location[0]) if location else "?"
    return field if field == "DATABASE_URL" else f"APP_{field.upper()}"
