"""The asynchronous database: the same settings and types behind an asyncio engine."""

from functools import lru_cache

from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from app.core.config import Settings, get_settings
from app.core.engines import engine_options, tame


def new_async_engine(settings: Settings | None = None) -> AsyncEngine:
    """An asyncio engine for the configured database."""
    settings = settings or get_settings()
    url = settings.url(asynchronous=True)
    engine = create_async_engine(url, **engine_options(url, settings))
    tame(engine.sync_engine)
    return engine


@lru_cache(maxsize=1)
def get_async_engine() -> AsyncEngine:
    """The asyncio engine of this process, made at first use."""
    return new_async_engine()


def new_async_session() -> AsyncSession:
    """An async session on the process's engine; the caller owns its transaction."""
    return async_sessionmaker(get_async_engine(), expire_on_commit=False)()
