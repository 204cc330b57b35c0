"""What role, database, URL or client chose for the session does not reach the rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from seedrail import SeedError, SetupError
from tests.laws.world import ENV, World
from tests.support.databases import Database
from tests.support.worlds import before_the_end, state, world_of

HOSTILE = {
    "datestyle": "SQL, DMY",
    "intervalstyle": "iso_8601",
    "timezone": "Asia/Kathmandu",
    "extra_float_digits": "-10",
    "bytea_output": "escape",
    "xmlbinary": "hex",
    "xmloption": "document",
    "array_nulls": "off",
    "standard_conforming_strings": "off",
    "transform_null_equals": "on",
    "quote_all_identifiers": "on",
    "default_transaction_isolation": "serializable",
}

PINNED = {
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmlbinary": "base64",
    "xmloption": "content",
    "array_nulls": "on",
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",
    "row_security": "off",
    "session_replication_role": "origin",
    "transaction_isolation": "read committed",
}

LOOKS = [
    f"DO $$BEGIN ASSERT current_setting('{name}') = '{value}', '{name} is not pinned'; END$$"
    for name, value in {**PINNED, "client_encoding": "UTF8"}.items()
]
"""The same from within a script."""

VALUES = {
    "day": ("date", "1850-03-04"),
    "at": ("timestamptz", "1850-03-04 05:06:07.000008+00"),
    "span": ("interval", "1 mon 2 days -03:04:05.6"),
    "ratio": ("float8", "0.30000000000000004"),
    "single": ("float4", "0.1"),
    "raw": ("bytea", r"\x00ff5c"),
    "words": ("text[]", '{a,NULL,"NULL"}'),
}


def make_hostile(database: Database, **settings: str) -> None:
    """Settings of the database, which every later connection starts with."""
    name = make_url(database.url).database
    for setting, value in (settings or HOSTILE).items():
        database.execute(f"ALTER DATABASE {name} SET {setting} = '{value}'")
    database.close()


def make_harmless(database: Database) -> None:
    """Take them back, for what the test itself reads."""
    database.execute(f"ALTER DATABASE {make_url(database.url).database} RESET ALL")
    database.close()


@contextmanager
def session_at_commit(world: World) -> Iterator[dict[str, Any]]:
    """The settings that a run's transaction has when it commits."""
    found: dict[str, Any] = {}

    def look(connection: sa.Connection) -> None:
        for name in PINNED:
            found[name] = connection.exec_driver_sql(f"SHOW {name}").scalar()

    sa.event.listen(world.migrating, "commit", look)
    yield found
    sa.event.remove(world.migrating, "commit", look)


@contextmanager
def lent(world: World, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Iterator[sa.Connection]:
    """A connection of somebody else's, which the world's commands run on."""

    class Lending:
        @contextmanager
        def connect(self) -> Iterator[sa.Connection]:
            yield connection

    with world.database.engine.connect().execution_options(**options) as connection:
        monkeypatch.setattr(World, "migrating", Lending())
        yield connection


def test_values_pass_the_ledger_whatever_the_session_was_set_to(postgresql: Database, tmp_path: Path) -> None:
    world = world_of(postgresql, tmp_path, state({"a": 1}), state({}))
    world.upgrade("seed_0001")
    for name, (type_, value) in VALUES.items():
        postgresql.execute(f"ALTER TABLE groups ADD {name} {type_}")
        postgresql.execute(f"UPDATE groups SET {name} = '{value.replace(':', chr(92) + ':')}'")
    before = postgresql.rows(f"SELECT {', '.join(f'{name}::text' for name in VALUES)} FROM groups")
    make_hostile(postgresql)
    world.upgrade("seed_0002", "overwrite")
    assert postgresql.scalar("SELECT count(*) FROM groups") == 0
    make_hostile(postgresql, datestyle="German, MDY", extra_float_digits="0", intervalstyle="sql_standard")
    world.downgrade("seed_0001")
    make_harmless(postgresql)
    assert postgresql.rows(f"SELECT {', '.join(f'{name}::text' for name in VALUES)} FROM groups") == before


def test_a_runs_transaction_has_the_engines_settings_and_the_next_one_has_not(
    postgresql: Database, tmp_path: Path
) -> None:
    world = world_of(postgresql, tmp_path, state({"a": 1}))
    make_hostile(postgresql)
    with session_at_commit(world) as found:
        world.upgrade()
    assert found == PINNED
    with world.migrating.connect() as connection:
        shown = connection.exec_driver_sql("SHOW extra_float_digits").scalar()
    assert shown == HOSTILE["extra_float_digits"]


def test_a_scripts_transaction_has_the_engines_settings_and_the_clients_session_keeps_its_own(
    postgresql: Database, tmp_path: Path
) -> None:
    world = world_of(postgresql, tmp_path, state({"a": 1}, ("n",), {"i": 0.1 + 0.2}))
    make_hostile(postgresql)
    own = "DO $$BEGIN ASSERT current_setting('datestyle') = 'SQL, DMY', 'changed'; END$$;\n"
    script = before_the_end(world.script("upgrade", "seed_base:seed_0001"), *LOOKS) + own
    done = postgresql.run_script("SET client_encoding = 'LATIN1';\n" + script)
    assert done.returncode == 0, done.stderr
    make_harmless(postgresql)
    assert postgresql.scalar("SELECT amount FROM items") == 0.1 + 0.2


@pytest.mark.long
def test_a_script_whose_revisions_have_a_transaction_each_has_them_in_the_move(
    postgresql: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = "transactional_ddl=True, transaction_per_migration=True,"
    monkeypatch.setattr("tests.laws.world.ENV", ENV.replace("transactional_ddl=True,", each))
    world = world_of(postgresql, tmp_path, state({"a": 1}))
    make_hostile(postgresql)
    script = before_the_end(world.script("upgrade", "seed_base:seed_0001"), *LOOKS)
    done = postgresql.run_script(script)
    assert done.returncode == 0, done.stderr
    assert postgresql.scalar("SELECT size FROM groups") == 1


@pytest.mark.long
def test_a_script_keeps_and_gives_back_values_whatever_the_clients_session_was_set_to(
    postgresql: Database, tmp_path: Path
) -> None:
    first, then = state({"a": 1}, ("n",), {"i": 1.5}), state({"a": 1}, ("n",), {"i": 2.5})
    world = world_of(postgresql, tmp_path, first, then)
    postgresql.execute("DROP TABLE notes")
    world.upgrade("seed_0001")
    postgresql.execute("UPDATE items SET amount = :x", x=0.1 + 0.2)
    make_hostile(postgresql)
    for direction, span in (("upgrade", "seed_0001:seed_0002"), ("downgrade", "seed_0002:seed_0001")):
        done = postgresql.run_script(world.script(direction, span, "overwrite"))
        assert done.returncode == 0, done.stderr
    make_harmless(postgresql)
    assert postgresql.scalar("SELECT amount FROM items") == 0.1 + 0.2


def test_refuses_a_lent_transaction_whose_level_cannot_be_changed_any_more(
    postgresql: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(postgresql, tmp_path, state({"a": 1}))
    with lent(world, monkeypatch, isolation_level="REPEATABLE READ") as connection:
        connection.execute(sa.text("SELECT count(*) FROM groups"))
        with pytest.raises(SetupError, match="another isolation level than READ COMMITTED"):
            world.upgrade()
    assert postgresql.scalar("SELECT count(*) FROM groups") == 0


def test_a_lent_connection_of_another_level_is_brought_to_read_committed(
    postgresql: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(postgresql, tmp_path, state({"a": 1}))
    levels: list[Any] = []
    with lent(world, monkeypatch, isolation_level="SERIALIZABLE") as connection:
        sa.event.listen(
            connection,
            "commit",
            lambda c: levels.append(c.exec_driver_sql("SHOW transaction_isolation").scalar()),
        )
        world.upgrade()
    assert levels == ["read committed"]


def test_refuses_a_connection_that_commits_by_itself(
    postgresql: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(postgresql, tmp_path, state({"a": 1}))
    with (
        lent(world, monkeypatch, isolation_level="AUTOCOMMIT"),
        pytest.raises(SetupError, match="commits each statement by itself"),
    ):
        world.upgrade()
    assert postgresql.scalar("SELECT count(*) FROM groups") == 0


def test_refuses_a_connection_that_translates_schemas(
    postgresql: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(postgresql, tmp_path, state({"a": 1}))
    with (
        lent(world, monkeypatch, schema_translate_map={None: "tenant"}),
        pytest.raises(SetupError, match="has a schema_translate_map"),
    ):
        world.upgrade()
    assert postgresql.scalar("SELECT count(*) FROM groups") == 0
    with lent(world, monkeypatch, schema_translate_map={"elsewhere": "tenant"}):
        world.upgrade()
    assert postgresql.scalar("SELECT count(*) FROM groups") == 1


def test_a_session_that_plays_a_replica_gets_its_triggers_back_for_the_run(
    postgresql: Database, tmp_path: Path
) -> None:
    world = world_of(postgresql, tmp_path, state({"a": 1}))
    make_hostile(postgresql, session_replication_role="replica")
    with session_at_commit(world) as found:
        world.upgrade()
    assert found["session_replication_role"] == "origin"


def test_refuses_a_replicas_session_whose_role_may_not_set_it_back(
    postgresql: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(postgresql, tmp_path, state({"a": 1}))
    with role(postgresql) as name, lent(world, monkeypatch) as connection:
        connection.execute(sa.text("SET session_replication_role = replica"))
        connection.execute(sa.text(f"SET ROLE {name}"))
        connection.commit()
        with pytest.raises(SetupError, match="switches foreign keys and triggers off"):
            world.upgrade()


@contextmanager
def role(database: Database, options: str = "", *, owns: bool = True) -> Iterator[str]:
    """A role for the time of a test, which owns what is in the database."""
    name = f"role_{make_url(database.url).database}"
    database.execute(f"CREATE ROLE {name} {options}")
    database.execute(f"GRANT ALL ON SCHEMA public TO {name}")
    if owns:
        for table in sorted(database.tables()):
            database.execute(f"ALTER TABLE {table} OWNER TO {name}")
    else:
        database.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}")
    try:
        yield name
    finally:
        database.close()
        database.execute(f"REASSIGN OWNED BY {name} TO CURRENT_USER")
        database.execute(f"DROP OWNED BY {name}")
        database.execute(f"DROP ROLE {name}")


def force(database: Database, table: str, using: str) -> None:
    """Let the owner of a table see some of its rows alone."""
    database.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    database.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    database.execute(f"CREATE POLICY mine ON {table} USING ({using}) WITH CHECK (true)")


def as_role(world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> Any:
    """The world's commands run by a role."""

    @contextmanager
    def running() -> Iterator[None]:
        with monkeypatch.context() as patch, lent(world, patch) as connection:
            connection.execute(sa.text(f"SET ROLE {name}"))
            connection.commit()
            yield

    return running()


SECURED = {
    "the seeded rows": ("groups", "name <> 'a'"),
    "rows of a table that points at them": ("notes", "false"),
    "rows of another seeded table that points at them": ("items", "name <> 'i'"),
    "what the engine remembers": ("seed_claims", "false"),
}


@pytest.mark.parametrize("hidden", SECURED)
@pytest.mark.long
def test_refuses_by_name_to_go_down_over_rows_that_a_policy_hides(
    postgresql: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hidden: str
) -> None:
    table, using = SECURED[hidden]
    world = world_of(postgresql, tmp_path, state({"a": 1}, ("n",), {"i": 1.0}))
    world.upgrade()
    postgresql.execute("INSERT INTO notes SELECT 'mine', id FROM nodes")
    force(postgresql, table, using)
    before = postgresql.content(ledger=True)
    with role(postgresql) as name:
        with (
            as_role(world, monkeypatch, name),
            pytest.raises(SeedError, match=f"the table {table} from") as refusal,
        ):
            world.downgrade("seed_base", "keep")
        assert "nothing was written" in str(refusal.value)
        script = f"SET ROLE {name};\n" + world.script("downgrade", "seed_0001:seed_base", "keep")
        done = postgresql.run_script(script)
    assert done.returncode != 0
    assert postgresql.content(ledger=True) == before


@pytest.mark.parametrize("rows", ["none", "some"])
def test_refuses_by_name_to_come_up_where_a_policy_hides_rows(
    postgresql: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: str
) -> None:
    world = world_of(postgresql, tmp_path, state({"a": 1}), state({"a": 2, "b": 1}))
    if rows == "some":
        world.upgrade("seed_0001")
    force(postgresql, "groups", "false")
    before = postgresql.content(ledger=True)
    with role(postgresql) as name:
        with as_role(world, monkeypatch, name), pytest.raises(SeedError, match="the table groups from"):
            world.upgrade()
        span = "seed_0001:seed_0002" if rows == "some" else "seed_base:seed_0002"
        done = postgresql.run_script(f"SET ROLE {name};\n" + world.script("upgrade", span))
    assert "row-level security" in done.stderr
    assert postgresql.content(ledger=True) == before


def test_refuses_policies_of_another_owners_table(
    postgresql: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(postgresql, tmp_path, state({"a": 1}))
    postgresql.execute("ALTER TABLE groups ENABLE ROW LEVEL SECURITY")
    postgresql.execute("ALTER TABLE notes ENABLE ROW LEVEL SECURITY")
    with (
        role(postgresql, owns=False) as name,
        as_role(world, monkeypatch, name),
        pytest.raises(SeedError, match="the tables groups, notes from"),
    ):
        world.upgrade()


@pytest.mark.parametrize("options", ["SUPERUSER", "BYPASSRLS"])
def test_a_role_that_sees_all_rows_goes_on(
    postgresql: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    world = world_of(postgresql, tmp_path, state({"a": 1}))
    force(postgresql, "groups", "false")
    with role(postgresql, options) as name, as_role(world, monkeypatch, name):
        world.upgrade()
        assert postgresql.scalar("SELECT count(*) FROM groups") == 1
        world.downgrade()
    assert postgresql.scalar("SELECT count(*) FROM groups") == 0


def test_a_policy_that_does_not_bind_the_owner_is_none_of_the_runs_business(
    postgresql: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(postgresql, tmp_path, state({"a": 1}))
    postgresql.execute("ALTER TABLE groups ENABLE ROW LEVEL SECURITY")
    with role(postgresql) as name, as_role(world, monkeypatch, name):
        world.upgrade()
    assert postgresql.scalar("SELECT count(*) FROM groups") == 1


def test_a_script_stops_at_a_guard_whatever_the_client_was_told_of_constraints(
    sqlite: Database, tmp_path: Path
) -> None:
    world = world_of(sqlite, tmp_path, state({"a": 1}))
    sqlite.execute("DROP TABLE notes")
    world.upgrade()
    sqlite.execute("UPDATE groups SET size = 99")
    before = world.content()
    told = "PRAGMA foreign_keys = ON;\nPRAGMA ignore_check_constraints = ON;\n"
    assert not world.run_script(told + world.script("downgrade", "seed_0001:seed_base"))
    assert world.content() == before


def test_a_script_has_no_foreign_key_act_while_tables_may_be_rebuilt(
    sqlite: Database, tmp_path: Path
) -> None:
    world = world_of(sqlite, tmp_path, state({"a": 1}))
    look = "CREATE TABLE looked AS SELECT foreign_keys AS act FROM pragma_foreign_keys"
    script = before_the_end(world.script("upgrade", "seed_base:seed_0001"), look)
    assert world.run_script("PRAGMA foreign_keys = ON;\n" + script)
    assert sqlite.scalar("SELECT act FROM looked") == 0


def test_a_lent_connections_constraints_count_during_a_run(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(sqlite, tmp_path, state({"a": 1}))
    sqlite.execute("CREATE TABLE small (x CHECK (x < 1))")
    with lent(world, monkeypatch) as connection:
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        connection.commit()
        world.upgrade()
        with pytest.raises(sa.exc.IntegrityError):
            connection.exec_driver_sql("INSERT INTO small VALUES (7)")
