"""Everything works through a pooler that gives each transaction another connection: a real PgBouncer."""

import asyncio
from collections.abc import Iterator

import pytest
from alembic import command
from sqlalchemy import text

from app.core.config import Settings, get_settings
from app.core.database_async import new_async_engine
from app.core.migration import alembic_config, rollback_seed, seed
from tests.scripts.users.running import Commands
from tests.support.databases import Database, Servers
from tests.support.poolers import pooled

SETTINGS = "SELECT current_setting('TimeZone'), current_setting('transaction_isolation')"


@pytest.fixture
def through(postgresql: Database, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """An empty database behind a pooler, which is the one of the settings; its defaults are not ours."""
    name = postgresql.scalar("SELECT current_database()")
    for default in ("timezone = 'Asia/Tokyo'", "default_transaction_isolation = 'serializable'"):
        postgresql.execute(f"ALTER DATABASE {name} SET {default}")
    with pooled(postgresql.url) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        get_settings.cache_clear()
        behind = Database("postgresql", url, [])
        yield behind
        behind.close()
    get_settings.cache_clear()


def test_seeds_go_up_are_checked_and_come_back(through: Database) -> None:
    assert seed(quiet=True) == ("seed_0004",)
    assert through.scalar("SELECT count(*) FROM simulations") == 98
    command.check(alembic_config(quiet=True))
    assert seed(quiet=True) == ("seed_0004",)
    assert rollback_seed(quiet=True) == ("0003", "seed_base")
    assert through.scalar("SELECT count(*) FROM simulations") == 0


def test_accounts_are_made_and_their_tokens_rotated(through: Database) -> None:
    seed(quiet=True)
    commands = Commands(through)
    assert commands.admin("--email", "a@example.org", APP_ADMIN_PASSWORD="umbrella Kestrel 41").code == 0
    assert commands.bot("--format", "json").code == 0
    assert commands.bot("--rotate", "--format", "json").code == 0
    assert commands.bot("--list").code == 0
    assert through.scalar("SELECT count(*) FROM api_tokens") == 2


def test_many_transactions_of_the_asynchronous_engine_share_few_connections(through: Database) -> None:
    async def at_once() -> list[tuple[str, ...]]:
        engine = new_async_engine(Settings(DATABASE_URL=through.url))

        async def one() -> tuple[str, ...]:
            seen = []
            # A statement that is run often is one that the driver would prepare.
            for _ in range(8):
                async with engine.begin() as connection:
                    zone, level = (await connection.execute(text(SETTINGS))).one()
                    seen.append(f"{zone} {level}")
            return tuple(seen)

        try:
            return await asyncio.gather(*(one() for _ in range(5)))
        finally:
            await engine.dispose()

    assert set(asyncio.run(at_once())) == {("UTC read committed",) * 8}
