"""The owner of seeded rows: whom `seed_owner` names is who created them, and nothing else is different."""

import logging
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy.orm import Session

from app.core.config import get_settings
from app.core.migration import alembic_config
from app.features.simulations import Simulation
from app.features.users import User, UserKind
from seedrail import ConflictError, OptionError, Rail
from tests.support.databases import Database
from tests.support.project import HEAD


class Catalog:
    """The project's own history on a database that has the schema and three accounts, in this process."""

    def __init__(self, database: Database) -> None:
        self.database = database
        rail = Rail(ScriptDirectory.from_config(alembic_config()))
        [self.schema] = rail.schema_heads()

    def begin(self, owner: str | None) -> None:
        """Be as the schema and the accounts leave it, and where there is an owner, the seeds."""
        self.database.become(f"accounts-{owner}", lambda: self._build(owner))
        with Session(self.database.engine) as session:
            ids = {user.email or user.service_name: user.id for user in session.scalars(sa.select(User))}
        self.bot, self.jo = ids["ingest-bot"], ids["jo@example.org"]

    def _build(self, owner: str | None) -> None:
        self.run(command.upgrade, self.schema)
        with Session(self.database.engine) as session:
            bot = User(kind=UserKind.SERVICE, service_name="ingest-bot")
            jo = User(kind=UserKind.PERSON, email="jo@example.org")
            gone = User(kind=UserKind.SERVICE, service_name="gone-bot", is_active=False)
            session.add_all([bot, jo, gone])
            session.commit()
        if owner is not None:
            self.seed(owner)

    def run(self, what: Any, *arguments: str, owner: str | None = None) -> None:
        """A command of Alembic, with `-x seed_owner` where an owner is given."""
        config = alembic_config({"seed_owner": owner}, quiet=True)
        with self.database.migrating.connect() as connection:
            config.attributes["connection"] = connection
            what(config, *arguments)

    def seed(self, owner: str | None = "ingest-bot", to: str = "head") -> None:
        self.run(command.upgrade, to, owner=owner)

    def roll_back(self, owner: str | None = None, to: str = "seed_base") -> None:
        self.run(command.downgrade, to, owner=owner)

    def script(self, what: Any, span: str, owner: str | None = None) -> bool:
        """Whether the native client ran the command's script to its end."""
        config = alembic_config({"seed_owner": owner}, quiet=True)
        config.output_buffer = StringIO()
        what(config, span, sql=True)
        self.database.close()
        return self.database.run_script(config.output_buffer.getvalue()).returncode == 0

    def content(self) -> dict[str, list[Any]]:
        found = self.database.content()
        return {name: rows for name, rows in found.items() if name != "alembic_version"}

    def owners(self, column: str = "created_by") -> set[UUID | None]:
        with self.database.engine.connect() as connection:
            return set(connection.scalars(sa.select(Simulation.__table__.c[column])))

    def edit(self, owner: UUID | None) -> None:
        """Somebody gives one simulation to somebody else."""
        with Session(self.database.engine) as session:
            session.scalars(sa.select(Simulation)).first().created_by = owner  # type: ignore[union-attr]
            session.commit()


@pytest.fixture
def there(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """The project, and an empty database; settings are this test's alone."""
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("APP_SEED_OWNER", "")
    get_settings.cache_clear()
    yield Catalog(database)
    get_settings.cache_clear()


@pytest.fixture
def catalog(there: Catalog) -> Catalog:
    """A catalog with accounts, and without seeds."""
    there.begin(None)
    return there


@pytest.fixture
def seeded(there: Catalog) -> Catalog:
    """The same with seeds, whose owner is the bot."""
    there.begin("ingest-bot")
    return there


def is_unseeded(catalog: Catalog) -> bool:
    """Whether accounts are all that there is."""
    return {name for name, rows in catalog.content().items() if rows} <= {"users"}


@pytest.mark.parametrize("name", [" JO@example.ORG ", pytest.param("ingest-bot", marks=pytest.mark.long)])
def test_seeded_simulations_are_the_owners_and_a_rollback_takes_them_all(
    catalog: Catalog, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "seedrail"):
        catalog.seed(name)
    assert re.search(r"simulations: (\d+) inserted, \1 links filled", caplog.text)
    assert catalog.owners() == {catalog.jo if "@" in name else catalog.bot}
    assert catalog.owners("last_updated_by") == {None}
    catalog.roll_back()
    assert is_unseeded(catalog)


@pytest.mark.long
def test_the_setting_names_the_owner_and_an_option_wins(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_SEED_OWNER", "ingest-bot")
    get_settings.cache_clear()
    catalog.seed(None, "seed_0001")
    assert catalog.owners() == {catalog.bot}
    catalog.seed("")
    assert catalog.owners() == {catalog.bot, None}
    catalog.roll_back()
    assert is_unseeded(catalog)


@pytest.mark.long
def test_nobody_owns_seeded_simulations_where_none_is_named(catalog: Catalog) -> None:
    catalog.seed(None)
    assert catalog.owners() == {None}
    assert catalog.database.scalar("SELECT count(*) FROM seed_claims") == 0


@pytest.mark.long
def test_a_second_run_writes_nothing_and_no_change_is_pending(
    seeded: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    before = seeded.database.content(ledger=True, volatile=True)
    seeded.seed()
    seeded.seed("jo@example.org")
    caplog.clear()
    with caplog.at_level(logging.INFO, "seedrail"):
        seeded.run(command.check)
    assert "edited" not in caplog.text
    assert seeded.database.content(ledger=True, volatile=True) == before


@pytest.mark.parametrize("now", [None, "nobody-bot"])
@pytest.mark.long
def test_a_rollback_does_not_ask_who_the_owner_is_now(seeded: Catalog, now: str | None) -> None:
    seeded.roll_back(now)
    assert is_unseeded(seeded)


@pytest.mark.long
def test_a_rollback_is_clean_after_the_owners_account_was_deleted(catalog: Catalog) -> None:
    catalog.seed(to="seed_0002")
    catalog.database.execute("DELETE FROM users WHERE service_name = 'ingest-bot'")
    assert catalog.owners() == {None}
    catalog.seed("jo@example.org")
    catalog.roll_back()
    assert is_unseeded(catalog)


@pytest.mark.parametrize("to", ["jo", pytest.param(None, marks=pytest.mark.long)])
def test_somebody_elses_simulation_is_an_edit(seeded: Catalog, to: str | None) -> None:
    seeded.edit(seeded.jo if to else None)
    before = seeded.database.content(ledger=True, volatile=True)
    with pytest.raises(ConflictError, match="created_by was changed from"):
        seeded.roll_back()
    assert seeded.database.content(ledger=True, volatile=True) == before


@pytest.mark.long
def test_a_simulation_without_owner_that_somebody_gave_to_the_owner_is_an_edit(catalog: Catalog) -> None:
    catalog.seed(None)
    catalog.edit(catalog.bot)
    with pytest.raises(ConflictError, match="created_by was changed from NULL"):
        catalog.roll_back("ingest-bot")


@pytest.mark.long
def test_steps_and_a_jump_end_alike_with_an_owner(catalog: Catalog) -> None:
    catalog.seed()
    jumped = catalog.content()
    catalog.roll_back()
    for revision in ("seed_0001", "seed_0002", "seed_0003", HEAD):
        catalog.seed(to=revision)
    assert catalog.content() == jumped
    for revision in ("seed_0003", "seed_0002", "seed_0001", "seed_base"):
        catalog.roll_back(to=revision)
    assert is_unseeded(catalog)


@pytest.mark.parametrize("name", ["gone-bot", pytest.param("jo' OR '%'='%", marks=pytest.mark.long)])
def test_an_owner_who_is_unknown_or_deactivated_is_one_sentence_and_nothing_is_written(
    catalog: Catalog, name: str
) -> None:
    before = catalog.database.content(ledger=True, volatile=True)
    with pytest.raises(OptionError) as caught:
        catalog.seed(name)
    assert caught.value.exit_code == 2
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith("no active account has the email or service name ")
    assert "which -x seed_owner makes the owner" in said
    assert catalog.database.content(ledger=True, volatile=True) == before


@pytest.mark.long
def test_a_misspelt_option_is_told_of_the_owners(catalog: Catalog) -> None:
    config = alembic_config({"seed_owners": "ingest-bot"})
    with catalog.database.migrating.connect() as connection:
        config.attributes["connection"] = connection
        with pytest.raises(OptionError, match=r"-x seed_owners; there are .*seed_owner,"):
            command.upgrade(config, "head")


@pytest.mark.long
def test_scripts_write_the_same_owner_and_take_it_back(catalog: Catalog) -> None:
    assert not catalog.script(command.upgrade, f"{catalog.schema}:head", "gone-bot")
    assert is_unseeded(catalog)
    assert catalog.script(command.upgrade, f"{catalog.schema}:head", "ingest-bot")
    by_script = catalog.content()
    assert catalog.owners() == {catalog.bot}
    assert catalog.script(command.downgrade, f"{HEAD}:seed_base")
    assert is_unseeded(catalog)
    catalog.seed()
    assert catalog.content() == by_script
