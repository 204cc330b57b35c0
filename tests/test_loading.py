"""Loads: PostgreSQL fills empty tables at once, all others by way of staging; the rows are the same."""

import pytest
import sqlalchemy as sa

from app.features.catalog import seed_catalog
from seedrail.dialects import dialect_named
from seedrail.merge.database import fresh
from seedrail.merge.database.fresh import links_into_empty_tables
from seedrail.schema.tables import in_foreign_key_order
from tests.support.databases import Database
from tests.support.project import Project
from tests.test_policies import OWN, add_machine

# Large loads, and everything that stands in their way.
pytestmark = pytest.mark.long

OTHER = "3a5e7f10000040008000000000000002"
TABLES = in_foreign_key_order(seed_catalog().tables.values())

SWALLOW = {
    "sqlite": [
        "CREATE TRIGGER swallow BEFORE INSERT ON external_links WHEN new.kind = 'docs'"
        " BEGIN SELECT RAISE(IGNORE); END"
    ],
    "postgresql": [
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN IF new.kind = ''docs'' THEN RETURN NULL; END IF; RETURN new; END'",
        "CREATE TRIGGER swallow BEFORE INSERT ON external_links FOR EACH ROW EXECUTE FUNCTION swallow()",
    ],
}


def add_user(database: Database, id_: str = OWN) -> None:
    database.execute(
        "INSERT INTO users (id, kind, email) VALUES (:id, 'person', :email)",
        id=id_,
        email=f"{id_}@example.org",
    )


def links(database: Database) -> object:
    with database.engine.connect() as connection:
        return links_into_empty_tables(connection, dialect_named(database.kind), TABLES)


def refused(project: Project, *said: str) -> None:
    """An upgrade fails with these words, and nothing of it is kept."""
    before = project.database.content(ledger=True, volatile=True)
    outcome = project.run("alembic", "upgrade", "head")
    assert outcome.code == 1, outcome.text
    assert "Traceback" not in outcome.text
    assert "nothing was written" in outcome.err
    for words in said:
        assert words in outcome.err
    assert project.database.content(ledger=True, volatile=True) == before


def test_a_load_into_empty_tables_leaves_what_staging_leaves(project: Project) -> None:
    project.alembic("upgrade", "head")
    loaded = project.database.content()
    project.alembic("downgrade", "seed_base")
    add_machine(project, "own")
    project.alembic("upgrade", "head")
    project.database.execute("DELETE FROM machines WHERE name = 'own'")
    assert project.database.content() == loaded


@pytest.mark.parametrize("first", [True, False])
def test_rows_that_a_trigger_swallows_end_the_run(project: Project, first: bool) -> None:
    project.start_at("seed_base" if first else "0002")
    if not first:
        add_machine(project, "own")
    for statement in SWALLOW[project.database.kind]:
        project.database.execute(statement)
    refused(project, "external_links: some rows were not inserted", "look for a trigger or rule")


def test_a_constraint_that_somebody_added_is_named(project: Project) -> None:
    project.start_at("0002")
    project.database.execute("CREATE UNIQUE INDEX one_site ON machines (site)")
    refused(project, "the database refused the seed", "a constraint of the tables forbids")


def test_sqlite_stages_every_row(sqlite_project: Project) -> None:
    sqlite_project.start_at("seed_base")
    assert links(sqlite_project.database) is None


def test_tables_are_loaded_at_once_only_where_all_are_empty(postgresql_project: Project) -> None:
    postgresql_project.start_at("seed_base")
    database = postgresql_project.database
    assert links(database) == {
        "machines": {},
        "simulations": {"created_by": frozenset(), "last_updated_by": frozenset()},
        "artifacts": {},
        "external_links": {},
    }
    add_machine(postgresql_project, "own")
    assert links(database) is None


def test_what_the_ledger_remembers_is_not_passed_over(postgresql_project: Project) -> None:
    postgresql_project.start_at("seed_base")
    postgresql_project.database.execute(
        "INSERT INTO seed_claims (table_name, seed_id, column_name, position, stands)"
        " VALUES ('artifacts', :id, '', 1, 'owner')",
        id=OWN,
    )
    assert links(postgresql_project.database) is None


def test_a_table_whose_parents_are_of_another_move_is_staged(postgresql_project: Project) -> None:
    postgresql_project.start_at("seed_base")
    alone = [table for table in TABLES if table.name == "artifacts"]
    with postgresql_project.database.engine.connect() as connection:
        assert (
            links_into_empty_tables(connection, dialect_named(postgresql_project.database.kind), alone)
            is None
        )


def test_optional_links_are_looked_up_in_memory_as_long_as_they_are_few(
    postgresql_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgresql_project.start_at("seed_base")
    add_user(postgresql_project.database)
    found = links(postgresql_project.database)
    assert isinstance(found, dict)
    assert found["simulations"]["created_by"] == {"3a5e7f10-0000-4000-8000-000000000001"}
    add_user(postgresql_project.database, OTHER)
    monkeypatch.setattr(fresh, "IDS_AT_HAND", 1)
    assert links(postgresql_project.database) is None


def test_copy_is_left_to_tables_that_it_fills_as_insert_does(postgresql: Database) -> None:
    dialect = dialect_named("postgresql")
    with postgresql.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE plain (id int)"))
        connection.execute(sa.text("CREATE TABLE ruled (id int)"))
        connection.execute(sa.text("CREATE RULE never AS ON INSERT TO ruled DO INSTEAD NOTHING"))
        connection.execute(sa.text("CREATE TABLE rows_secured (id int)"))
        connection.execute(sa.text("ALTER TABLE rows_secured ENABLE ROW LEVEL SECURITY"))
        connection.execute(sa.text("CREATE ROLE seeder"))
        connection.execute(sa.text("SET LOCAL ROLE seeder"))
        assert dialect.loads_at_once(connection, ["plain"])
        assert not dialect.loads_at_once(connection, ["plain", "ruled"])
        assert not dialect.loads_at_once(connection, ["plain", "rows_secured"])
        connection.rollback()


def test_a_rule_that_drops_rows_ends_the_run(postgresql_project: Project) -> None:
    postgresql_project.start_at("0002")
    postgresql_project.database.execute("CREATE RULE never AS ON INSERT TO external_links DO INSTEAD NOTHING")
    refused(postgresql_project, "external_links: some rows were not inserted", "look for a trigger or rule")
