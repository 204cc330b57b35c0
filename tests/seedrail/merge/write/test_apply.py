"""Nothing is committed where a trigger or a rule kept a write from arriving, or made something else of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa

from seedrail import SeedError
from seedrail.dialects import dialect_named
from tests.laws.world import GROUPS, World
from tests.support.databases import Database
from tests.support.worlds import state, world_of

KINDS = ("insert", "update", "delete")


def interference(kind: str) -> Iterator[tuple[str, str, list[str]]]:
    """What may be in the way on a kind of database: the write that it hits, a name, and statements."""
    if kind == "sqlite":
        for verb in KINDS:
            yield verb, "ignored", [_sqlite("BEFORE", verb, "SELECT RAISE(IGNORE)")]
        for verb in ("insert", "update of size"):
            change = "UPDATE groups SET size = 77 WHERE id = new.id AND size <> 77"
            yield verb.split()[0], "changed", [_sqlite("AFTER", verb, change)]
        return
    for verb in KINDS:
        yield verb, "swallowed", _plpgsql("BEFORE", verb, "RETURN NULL;")
        yield verb, "ruled away", [f"CREATE RULE wall AS ON {verb} TO groups DO INSTEAD NOTHING"]
    yield "update", "old", _plpgsql("BEFORE", "update", "RETURN old;")
    for verb in ("insert", "update"):
        yield verb, "changed", _plpgsql("BEFORE", verb, "new.size = 77; RETURN new;")
    later = "UPDATE groups SET size = 77 WHERE id = new.id AND size <> 77; RETURN NULL;"
    body = _plpgsql("AFTER", "insert", later)
    yield "insert", "deferred", [body[0], body[1].replace("TRIGGER", "CONSTRAINT TRIGGER", 1).replace(
        "FOR EACH", "DEFERRABLE INITIALLY DEFERRED FOR EACH"
    )]  # fmt: skip


def _sqlite(when: str, verb: str, body: str) -> str:
    return f"CREATE TRIGGER wall {when} {verb} ON groups BEGIN {body}; END"


def _plpgsql(when: str, verb: str, body: str, table: str = "groups") -> list[str]:
    return [
        f"CREATE OR REPLACE FUNCTION wall() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} END$$",
        f"CREATE TRIGGER wall {when} {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION wall()",
    ]


@contextmanager
def built(database: Database, statements: list[str]) -> Iterator[None]:
    """Triggers and rules for the time of a try."""
    run(database, statements)
    yield
    if "RULE" in statements[-1]:
        database.execute("DROP RULE wall ON groups")
    elif database.kind == "sqlite":
        database.execute("DROP TRIGGER wall")
    else:
        database.execute("DROP FUNCTION wall() CASCADE")


def run(database: Database, statements: list[str]) -> None:
    with database.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def moving(database: Database, directory: Path) -> World:
    """A world at the first of two states; the next move inserts, updates and deletes a group."""
    world = world_of(database, directory, state({"a": 1, "b": 1}), state({"a": 2, "c": 1}))
    # A script refuses to delete where a table that no model knows points at the seeds.
    database.execute("DROP TABLE notes")
    world.upgrade("seed_0001")
    return world


@pytest.mark.parametrize("verb", KINDS)
@pytest.mark.long_on("sqlite")
def test_refuses_what_did_not_arrive_online_and_in_a_script(
    database: Database, tmp_path: Path, verb: str
) -> None:
    world = moving(database, tmp_path)
    script = world.script("upgrade", "seed_0001:seed_0002")
    before = database.content(ledger=True)
    tried = 0
    for hit, name, statements in interference(database.kind):
        if hit != verb:
            continue
        with built(database, statements):
            with pytest.raises(SeedError, match=f"groups: some rows were not {verb.rstrip('e')}ed"):
                world.upgrade()
            assert database.content(ledger=True) == before, name
            assert not world.run_script(script), name
            assert database.content(ledger=True) == before, name
        tried += 1
    assert tried
    assert world.run_script(script)


@pytest.mark.long
def test_refuses_a_row_of_somebodys_that_did_not_take_the_seeds_values(
    database: Database, tmp_path: Path
) -> None:
    world = moving(database, tmp_path)
    with database.engine.begin() as connection:
        connection.execute(sa.insert(GROUPS).values(id=UUID(int=1), name="c", size=5))
    script = world.script("upgrade", "seed_0001:seed_0002", "overwrite")
    for hit, name, statements in interference(database.kind):
        if hit == "update":
            with built(database, statements):
                with pytest.raises(SeedError, match="groups: some rows were not"):
                    world.upgrade("head", "overwrite")
                assert not world.run_script(script), name
                assert database.scalar("SELECT size FROM groups WHERE name = 'c'") == 5, name
    assert world.run_script(script)


@pytest.mark.long
def test_refuses_on_the_way_down_what_did_not_arrive(database: Database, tmp_path: Path) -> None:
    world = moving(database, tmp_path)
    world.upgrade()
    script = world.script("downgrade", "seed_0002:seed_0001")
    before = database.content(ledger=True)
    for _, name, statements in interference(database.kind):
        with built(database, statements):
            with pytest.raises(SeedError, match="groups: some rows were not"):
                world.downgrade("seed_0001")
            assert not world.run_script(script), name
            assert database.content(ledger=True) == before, name
    assert world.run_script(script)


def test_the_first_load_is_compared_where_something_may_change_it(database: Database, tmp_path: Path) -> None:
    world = world_of(database, tmp_path, state({"a": 1}))
    before = database.content(ledger=True)
    for hit, name, statements in interference(database.kind):
        if hit == "insert":
            with built(database, statements):
                with pytest.raises(SeedError, match="groups: some rows were not inserted"):
                    world.upgrade()
                assert database.content(ledger=True) == before, name


@pytest.mark.long
def test_refuses_to_give_a_row_back_half_way(database: Database, tmp_path: Path) -> None:
    world = world_of(database, tmp_path, state({"a": 1}))
    database.execute("DROP TABLE notes")
    with database.engine.begin() as connection:
        connection.execute(sa.insert(GROUPS).values(id=UUID(int=1), name="a", size=5))
    world.upgrade("head", "overwrite")
    assert database.scalar("SELECT size FROM groups") == 1
    script = world.script("downgrade", "seed_0001:seed_base")
    hits = [statements for hit, name, statements in interference(database.kind) if hit == "update"]
    for statements in (one for one in hits if "77" not in str(one)):
        with built(database, statements):
            with pytest.raises(SeedError, match="groups: some rows were not updated"):
                world.downgrade()
            assert not world.run_script(script)
            assert database.scalar("SELECT size FROM groups") == 1
    assert world.run_script(script)
    assert database.scalar("SELECT size FROM groups") == 5


@pytest.mark.long_on("postgresql")
def test_a_trigger_that_keeps_a_volatile_column_is_in_nobodys_way(database: Database, tmp_path: Path) -> None:
    world = moving(database, tmp_path)
    if database.kind == "sqlite":
        statements = [_sqlite("AFTER", "update of size", "UPDATE groups SET created_at = '2001-01-01'")]
    else:
        statements = _plpgsql("BEFORE", "insert or update", "new.created_at = '2001-01-01'; RETURN new;")
    run(database, statements)
    world.upgrade()
    assert world.run_script(world.script("downgrade", "seed_0002:seed_0001"))
    assert world.run_script(world.script("upgrade", "seed_0001:seed_0002"))
    world.downgrade()
    assert database.scalar("SELECT count(*) FROM groups") == 0


@pytest.mark.parametrize("table", ["seed_claims", "seed_state", "alembic_version"])
@pytest.mark.long
def test_refuses_triggers_and_rules_on_what_a_run_writes_down(
    database: Database, tmp_path: Path, table: str
) -> None:
    world = moving(database, tmp_path)
    if database.kind == "sqlite":
        walls = [[f"CREATE TRIGGER wall BEFORE INSERT ON {table} BEGIN SELECT RAISE(IGNORE); END"]]
    else:
        walls = [
            _plpgsql("BEFORE", "insert or update or delete", "RETURN NULL;", table),
            [f"CREATE RULE wall AS ON INSERT TO {table} DO INSTEAD NOTHING"],
        ]
    script = world.script("upgrade", "seed_0001:seed_0002")
    before = database.content(ledger=True)
    for statements in walls:
        run(database, statements)
        with pytest.raises(SeedError, match=f"a trigger or rule acts on {table},"):
            world.upgrade()
        assert not world.run_script(script)
        assert database.content(ledger=True) == before


@pytest.mark.long
def test_an_audit_of_what_a_run_writes_down_is_in_nobodys_way(postgresql: Database, tmp_path: Path) -> None:
    world = moving(postgresql, tmp_path)
    run(postgresql, _plpgsql("AFTER", "insert or update", "RETURN NULL;", "seed_state"))
    world.upgrade()
    assert postgresql.scalar("SELECT count(*) FROM groups WHERE name = 'c'") == 1


def test_tables_on_which_triggers_or_rules_act_are_known(postgresql: Database) -> None:
    dialect = dialect_named("postgresql")
    with postgresql.engine.begin() as connection:

        def found(*names: str) -> list[str]:
            return list(connection.scalars(dialect.interfered([(None, name) for name in names])))

        for statement in (
            "CREATE TABLE plain (id int PRIMARY KEY)",
            "CREATE TABLE pointing (id int REFERENCES plain DEFERRABLE)",
            "CREATE TABLE ruled (id int)",
            "CREATE RULE never AS ON INSERT TO ruled DO INSTEAD NOTHING",
            "CREATE TABLE root (id int) PARTITION BY LIST (id)",
            "CREATE TABLE leaf PARTITION OF root FOR VALUES IN (1)",
            "CREATE TABLE quiet (id int)",
            *_plpgsql("BEFORE", "insert", "RETURN NULL;", "leaf"),
            "CREATE TRIGGER wall BEFORE INSERT ON quiet FOR EACH ROW EXECUTE FUNCTION wall()",
            "ALTER TABLE quiet DISABLE TRIGGER wall",
            "CREATE SCHEMA elsewhere CREATE VIEW plain AS SELECT 1",
        ):
            connection.exec_driver_sql(statement)
        assert found("plain", "pointing", "quiet") == []
        assert found("plain", "ruled", "root", "leaf") == ["leaf", "root", "ruled"]
        assert list(connection.scalars(dialect.interfered([("elsewhere", "plain")]))) == ["plain"]
        connection.rollback()


def test_a_schema_s_name_may_need_quotes(postgresql: Database) -> None:
    table = '"My schema".versions'
    rule = f"CREATE RULE wall AS ON INSERT TO {table} DO INSTEAD NOTHING"
    run(postgresql, ['CREATE SCHEMA "My schema"', f"CREATE TABLE {table} (n int)", rule])
    query = dialect_named("postgresql").interfered([("My schema", "versions")], before=True)
    with postgresql.engine.connect() as connection:
        assert list(connection.scalars(query)) == ["versions"]
