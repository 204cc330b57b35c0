"""The live catalog: locked first, read afterwards, and each table found by what it is."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from seedrail import ConflictError, LockTimeout, SeedError, SetupError
from seedrail.dialects import dialect_named
from tests.laws.test_found import groups, sizes
from tests.laws.world import Make, World, group_id
from tests.support.waits import until, waiting

A = group_id("a")
HISTORY = ([groups(a=1, b=1)], 99, [])


@pytest.fixture
def world(make: Make) -> World:
    """Two groups, seeded."""
    world = make(HISTORY)
    world.upgrade()
    return world


@pytest.fixture
def postgres(make_on_postgresql: Make) -> World:
    """The same on PostgreSQL."""
    world = make_on_postgresql(HISTORY)
    world.upgrade()
    return world


def execute(world: World, *statements: str) -> None:
    for statement in statements:
        world.database.execute(statement)


def count(world: World, table: str) -> int:
    return int(world.database.scalar(f"SELECT count(*) FROM {table}"))


class Run(threading.Thread):
    """A run in the background; `ended` is how, once it was joined."""

    def __init__(self, what: Callable[[], Any]) -> None:
        super().__init__()
        self.what, self.ended = what, None
        self.start()

    def run(self) -> None:
        try:
            self.ended = self.what()
        except SeedError as error:
            self.ended = error


def while_open(world: World, statements: list[str], what: Callable[[], Any]) -> Any:
    """How a run ends that waits for somebody's transaction, which commits then."""
    # Not of the world's own engine: what runs a script gives up that one's connections.
    with sa.create_engine(world.database.url, poolclass=sa.NullPool).connect() as user:
        for statement in statements:
            user.execute(sa.text(statement))
        run = Run(what)
        until(lambda: waiting(world.database) == 1)
        user.commit()
        run.join(60)
    assert not run.is_alive()
    return run.ended


@contextmanager
def before_each(world: World, what: str, act: Callable[[], None]) -> Iterator[list[str]]:
    """Do something when a run is about to send statements that begin so; yields those that it met."""
    met: list[str] = []

    def listen(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().startswith(what):
            met.append(statement)
            act()

    engine = world.migrating
    sa.event.listen(engine, "before_cursor_execute", listen)
    try:
        yield met
    finally:
        sa.event.remove(engine, "before_cursor_execute", listen)


# -- lock first, look afterwards -------------------------------------------------------------------

MADE_MEANWHILE = {
    "a table": [
        "CREATE TABLE bookings (m uuid REFERENCES groups ON DELETE CASCADE)",
        f"INSERT INTO bookings VALUES ('{A}')",
    ],
    "a table of another schema": [
        "CREATE SCHEMA elsewhere",
        "CREATE TABLE elsewhere.bookings (m uuid REFERENCES groups ON DELETE SET NULL)",
        f"INSERT INTO elsewhere.bookings VALUES ('{A}')",
    ],
    "a foreign key": [
        f"INSERT INTO loose VALUES ('{A}')",
        "ALTER TABLE loose ADD FOREIGN KEY (m) REFERENCES groups ON DELETE CASCADE",
    ],
    "a row": [f"INSERT INTO visits VALUES ('{A}')"],
    "a row of another schema": [f"INSERT INTO other.visits VALUES ('{A}')"],
    "a row whose key is checked late": [f"INSERT INTO other.late VALUES ('{A}')"],
    "a partition": [
        "CREATE TABLE dated_2 PARTITION OF dated FOR VALUES IN (2)",
        f"INSERT INTO dated VALUES ('{A}', 2)",
    ],
}
"""What somebody's transaction may do, by name."""

TABLES = [
    "CREATE TABLE loose (m uuid)",
    "CREATE TABLE visits (m uuid REFERENCES groups ON DELETE CASCADE)",
    "CREATE SCHEMA other",
    "CREATE TABLE other.visits (m uuid REFERENCES groups ON DELETE CASCADE)",
    "CREATE TABLE other.late (m uuid REFERENCES groups ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED)",
    "CREATE TABLE dated (m uuid REFERENCES groups ON DELETE CASCADE, n int) PARTITION BY LIST (n)",
]


@pytest.mark.parametrize("made", MADE_MEANWHILE)
def test_sees_what_comes_to_point_at_a_row_while_the_run_waits(postgres: World, made: str) -> None:
    execute(postgres, *TABLES)
    before = postgres.rows()
    ended = while_open(postgres, MADE_MEANWHILE[made], postgres.downgrade)
    assert isinstance(ended, ConflictError), ended
    assert "groups (a) would be deleted, but 1 row of" in str(ended)
    assert postgres.rows() == before


@pytest.mark.parametrize("made", ["a table", "a table of another schema", "a foreign key"])
@pytest.mark.long
def test_a_script_sees_what_comes_to_point_at_a_row_while_it_waits(postgres: World, made: str) -> None:
    execute(postgres, TABLES[0])
    script = postgres.script("downgrade", "seed_0001:seed_base")
    before = postgres.rows()
    assert while_open(postgres, MADE_MEANWHILE[made], lambda: postgres.run_script(script)) is False
    assert postgres.rows() == before


@pytest.mark.parametrize("table", ["visits", "other.visits", "dated"])
def test_no_row_comes_between_the_look_and_the_delete(postgres: World, table: str) -> None:
    execute(postgres, *TABLES, "CREATE TABLE dated_1 PARTITION OF dated FOR VALUES IN (1)")
    columns = "(m, n)" if table == "dated" else "(m)"
    values = f"('{A}', 1)" if table == "dated" else f"('{A}')"

    def come() -> None:
        with postgres.database.engine.connect() as user:
            user.execute(sa.text("SET LOCAL lock_timeout = '200ms'"))
            with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
                user.execute(sa.text(f"INSERT INTO {table} {columns} VALUES {values}"))

    with before_each(postgres, "DELETE FROM groups", come) as met:
        postgres.downgrade()
    assert met
    assert sizes(postgres) == {}


def test_a_connection_that_is_lent_has_sqlite_s_write_lock_before_it_reads(make_on_sqlite: Make) -> None:
    world = make_on_sqlite(HISTORY)
    world.upgrade()
    # As anybody makes one: the driver begins its transactions late, and for writing only.
    plain = sa.create_engine(world.database.url)
    world.database._migrating = plain

    def write() -> None:
        user = sa.create_engine(world.database.url, poolclass=sa.NullPool, connect_args={"timeout": 0.1})
        with user.connect() as connection, pytest.raises(sa.exc.OperationalError, match="locked"):
            connection.execute(sa.text("UPDATE groups SET size = 9"))

    with before_each(world, "SELECT seed_state", write) as met:
        world.downgrade()
    assert met
    assert sizes(world) == {}


def test_a_connection_that_is_lent_waits_for_sqlite_s_write_lock_as_others_do(sqlite: Any) -> None:
    with sqlite.engine.begin() as user:
        user.execute(sa.text("CREATE TABLE taken (n int)"))
        lent = sa.create_engine(sqlite.url, poolclass=sa.NullPool, connect_args={"timeout": 0.1})
        with lent.connect() as connection, pytest.raises(LockTimeout, match="gave up after"):
            dialect_named("sqlite").lock(connection, 0.1)


# -- partitions and inheritance --------------------------------------------------------------------

PARTITIONED = [
    "ALTER TABLE groups RENAME TO plain",
    "CREATE TABLE groups (LIKE plain INCLUDING DEFAULTS, PRIMARY KEY (id)) PARTITION BY HASH (id)",
    "CREATE TABLE groups_0 PARTITION OF groups FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
    "INSERT INTO groups SELECT * FROM plain",
    "ALTER TABLE nodes DROP CONSTRAINT nodes_group_id_fkey, ADD FOREIGN KEY (group_id) REFERENCES groups",
    "DROP TABLE plain",
]
A_PARTITION = [
    "CREATE TABLE all_groups (LIKE groups, PRIMARY KEY (id)) PARTITION BY HASH (id)",
    "ALTER TABLE all_groups ATTACH PARTITION groups FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
]
INHERITED = [
    "CREATE TABLE big_groups (code int UNIQUE, PRIMARY KEY (id)) INHERITS (groups)",
    f"INSERT INTO big_groups SELECT *, 7 FROM groups WHERE id = '{A}'",
    f"DELETE FROM ONLY groups WHERE id = '{A}'",
]
ELSEWHERE = ["CREATE SCHEMA parts", "ALTER TABLE groups_0 SET SCHEMA parts"]
SHAPES = {
    "a partition": (PARTITIONED, "groups_0 (id)"),
    "a partition of another schema": ([*PARTITIONED, *ELSEWHERE], "parts.groups_0 (id)"),
    "a partitioned table": (PARTITIONED, "groups (id)"),
    "the root": (A_PARTITION, "all_groups (id)"),
    "an inheriting table": (INHERITED, "big_groups (code)"),
}


def visit(world: World, shape: str) -> None:
    """Make groups a table of some shape, and somebody's row point at one."""
    statements, target = SHAPES[shape]
    type_, value = ("int", "7") if "code" in target else ("uuid", f"'{A}'")
    keys = f"CREATE TABLE visits (m {type_} REFERENCES {target} ON DELETE CASCADE)"
    execute(world, *statements, keys, f"INSERT INTO visits VALUES ({value})")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.long
def test_a_key_that_names_another_table_of_the_row_counts(postgres: World, shape: str) -> None:
    visit(postgres, shape)
    before = postgres.rows()
    with pytest.raises(ConflictError) as refusal:
        postgres.downgrade()
    assert refusal.value.total == 1
    assert "groups (a) would be deleted, but 1 row of visits.m points at it" in str(refusal.value)
    assert postgres.rows() == before
    postgres.downgrade("seed_base", "keep")
    assert sizes(postgres) == {"a": 1}
    assert count(postgres, "visits") == 1


@pytest.mark.parametrize("shape", ["a partition", "the root"])
def test_a_script_knows_no_key_that_names_another_table_of_the_row(postgres: World, shape: str) -> None:
    script = postgres.script("downgrade", "seed_0001:seed_base")
    visit(postgres, shape)
    before = postgres.rows()
    assert not postgres.run_script(script)
    assert postgres.rows() == before


@pytest.mark.parametrize("statements", [PARTITIONED, A_PARTITION], ids=["partitioned", "a partition"])
def test_partitioned_tables_are_emptied_and_filled_again(postgres: World, statements: list[str]) -> None:
    execute(postgres, *statements)
    before = postgres.rows()
    postgres.downgrade()
    assert count(postgres, "groups") == 0
    postgres.upgrade()
    assert postgres.rows() == before


HEIRS = {
    "a column of its own": INHERITED,
    "the same id": ["CREATE TABLE big_groups () INHERITS (groups)", "INSERT INTO big_groups TABLE groups"],
}


@pytest.mark.long
@pytest.mark.parametrize("heir", HEIRS)
def test_rows_of_a_table_that_inherits_are_nobody_s_to_write(postgres: World, heir: str) -> None:
    script = postgres.script("downgrade", "seed_0001:seed_base")
    execute(postgres, *HEIRS[heir])
    for policy in ("abort", "overwrite"):
        with pytest.raises(SeedError, match="groups: rows that the seed would change or delete are rows of"):
            postgres.downgrade("seed_base", policy)
    assert not postgres.run_script(script)
    kept = count(postgres, "big_groups")
    execute(postgres, "ALTER TABLE big_groups NO INHERIT groups")
    postgres.downgrade()
    assert (count(postgres, "groups"), count(postgres, "big_groups")) == (0, kept)


@pytest.mark.long
def test_rows_of_a_table_that_inherits_are_in_no_way_of_the_seed_s(postgres: World) -> None:
    execute(postgres, "CREATE TABLE big_groups (code int) INHERITS (groups)")
    execute(postgres, f"INSERT INTO big_groups SELECT gen_random_uuid(), 'mine' FROM groups WHERE id = '{A}'")
    postgres.downgrade()
    assert sizes(postgres) == {"mine": None}
    assert postgres.run_script(postgres.script("upgrade", "seed_base:seed_0001"))
    assert sizes(postgres) == {"a": 1, "b": 1, "mine": None}


def test_a_partition_that_was_detached_is_somebody_s_own(postgres: World) -> None:
    execute(postgres, *PARTITIONED, "CREATE TABLE visits (m uuid REFERENCES groups_0 ON DELETE CASCADE)")
    execute(postgres, f"INSERT INTO visits VALUES ('{A}')")
    execute(postgres, "ALTER TABLE nodes DROP CONSTRAINT nodes_group_id_fkey")
    execute(postgres, "ALTER TABLE groups DETACH PARTITION groups_0")
    postgres.downgrade()
    assert count(postgres, "groups_0") == 2
    assert count(postgres, "visits") == 1


# -- whose table a name finds ----------------------------------------------------------------------

OTHERS = ["CREATE SCHEMA mine", "CREATE TABLE mine.groups (LIKE groups INCLUDING ALL)"]


def look_first_into(world: World, path: str) -> None:
    name = world.database.scalar("SELECT current_database()")
    execute(world, f"ALTER DATABASE {name} SET search_path = {path}")
    world.database.close()


@pytest.mark.parametrize("way", ["run", "script"])
def test_works_on_the_catalog_s_table_whatever_comes_before_it(
    postgres: World, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    execute(postgres, *OTHERS, "INSERT INTO mine.groups SELECT * FROM groups")
    look_first_into(postgres, "mine, public")
    if way == "run":
        postgres.downgrade()
    else:
        assert postgres.run_script(postgres.script("downgrade", "seed_0001:seed_base"))
    assert (count(postgres, "mine.groups"), count(postgres, "public.groups")) == (2, 0)
    said = "groups is that of the schema public; mine.groups stays as it is"
    assert (said in caplog.messages) == (way == "run")
    execute(postgres, "DELETE FROM mine.groups")
    if way == "run":
        postgres.upgrade()
    else:
        assert postgres.run_script(postgres.script("upgrade", "seed_base:seed_0001"))
    assert (count(postgres, "mine.groups"), count(postgres, "public.groups")) == (0, 2)


@pytest.mark.long
def test_a_role_s_own_schema_does_not_come_before_the_catalog(postgres: World) -> None:
    role = "seeder_of_" + postgres.database.scalar("SELECT current_database()")
    own = [
        f"CREATE SCHEMA {role}",
        f"CREATE TABLE {role}.groups (LIKE groups)",
        f"CREATE TABLE {role}.seed_conflict (n int)",
        f"GRANT ALL ON ALL TABLES IN SCHEMA public, {role} TO {role}",
        f"GRANT ALL ON SCHEMA public, {role} TO {role}",
    ]
    with as_role(postgres, role, own):
        postgres.downgrade()
        postgres.upgrade()
        assert (count(postgres, f"{role}.groups"), count(postgres, "public.groups")) == (0, 2)


def test_new_tables_come_to_where_the_catalog_is(make_on_postgresql: Make) -> None:
    world = make_on_postgresql(([groups(a=1), groups(a=1)], 1, []))
    world.upgrade("seed_0001")
    execute(world, "CREATE SCHEMA mine", "CREATE TABLE mine.nodes (LIKE nodes)")
    look_first_into(world, "mine, public")
    world.upgrade()
    columns = "SELECT table_schema FROM information_schema.columns WHERE column_name = 'extra'"
    assert [row[0] for row in world.database.rows(columns)] == ["public"]


def test_a_reference_names_a_schema_that_is_not_the_catalog_s(postgres: World) -> None:
    execute(postgres, "CREATE SCHEMA other", "CREATE TABLE other.nodes (m uuid REFERENCES groups)")
    execute(postgres, f"INSERT INTO other.nodes VALUES ('{A}')")
    look_first_into(postgres, "other, public")
    with pytest.raises(ConflictError, match=r"1 row of other\.nodes\.m points at it"):
        postgres.downgrade()


def test_a_script_knows_no_table_of_another_schema(postgres: World) -> None:
    script = postgres.script("downgrade", "seed_0001:seed_base")
    execute(postgres, "CREATE SCHEMA other", "CREATE TABLE other.nodes (group_id uuid REFERENCES groups)")
    execute(postgres, f"INSERT INTO other.nodes VALUES ('{A}')")
    before = postgres.rows()
    assert not postgres.run_script(script)
    assert postgres.rows() == before


def test_refuses_where_two_tables_could_be_meant(postgres: World) -> None:
    execute(postgres, "CREATE SCHEMA one", "CREATE SCHEMA two", "CREATE TABLE two.groups (LIKE groups)")
    execute(postgres, "ALTER TABLE groups SET SCHEMA one")
    look_first_into(postgres, "public, two, one")
    script = postgres.script("downgrade", "seed_0001:seed_base")
    with pytest.raises(SetupError, match="a table in each of the schemas 'two', 'one'"):
        postgres.downgrade()
    assert not postgres.run_script(script)
    assert count(postgres, "one.groups") == 2
    look_first_into(postgres, "public, one")
    postgres.downgrade()
    assert count(postgres, "one.groups") == 0


def test_refuses_a_view_in_place_of_a_table(world: World) -> None:
    script = world.script("downgrade", "seed_0001:seed_base")
    execute(world, "ALTER TABLE groups RENAME TO stored", "CREATE VIEW groups AS SELECT * FROM stored")
    with pytest.raises(SetupError, match="the table groups, but its name finds a view"):
        world.downgrade()
    assert not world.run_script(script)
    assert count(world, "stored") == 2


@pytest.mark.parametrize("name", ["groups", "seed_claims"])
@pytest.mark.long
def test_refuses_a_temporary_table_in_place_of_a_table(world: World, name: str) -> None:
    temporary = f"CREATE TEMPORARY TABLE {name} (id CHAR(36), name TEXT, size INTEGER);"
    script = world.script("downgrade", "seed_0001:seed_base")
    assert not world.run_script(temporary + "\n" + script)
    engine = world.migrating
    sa.event.listen(engine, "connect", lambda raw, _: raw.cursor().execute(temporary))
    with pytest.raises(SetupError, match="its name finds a temporary table of this session"):
        world.downgrade()
    assert sizes(world) == {"a": 1, "b": 1}


def test_a_table_named_like_one_of_the_run_s_own_is_in_nobody_s_way(world: World) -> None:
    own = ["seed_conflict", "seed_guard", "seed_insert_groups", "seed_delete_groups"]
    execute(world, *(f"CREATE TABLE {name} (mine INTEGER)" for name in own))
    execute(world, *(f"INSERT INTO {name} VALUES (1)" for name in own))
    world.downgrade()
    assert world.run_script(world.script("upgrade", "seed_base:seed_0001"))
    assert sizes(world) == {"a": 1, "b": 1}
    assert [count(world, name) for name in own] == [1] * 4


def test_a_key_of_a_table_named_like_one_of_the_run_s_own_counts(postgres: World) -> None:
    execute(postgres, "CREATE TABLE seed_delete_groups (live_id uuid REFERENCES groups ON DELETE CASCADE)")
    execute(postgres, f"INSERT INTO seed_delete_groups VALUES ('{A}')")
    with pytest.raises(ConflictError, match=r"1 row of public\.seed_delete_groups\.live_id points at it"):
        postgres.downgrade()
    postgres.downgrade("seed_base", "keep")
    assert count(postgres, "seed_delete_groups") == 1


def test_a_key_with_a_period_counts(postgres: World) -> None:
    if postgres.database.scalar("SELECT current_setting('server_version_num')::int") < 180000:
        pytest.skip("PostgreSQL 18 has the first keys with PERIOD")
    execute(
        postgres,
        "CREATE EXTENSION btree_gist",
        "ALTER TABLE groups ADD valid daterange DEFAULT '[2020-01-01,2021-01-01)'",
        "ALTER TABLE groups ADD UNIQUE (id, valid WITHOUT OVERLAPS)",
        "CREATE TABLE visits (m uuid, during daterange,"
        " FOREIGN KEY (m, PERIOD during) REFERENCES groups (id, PERIOD valid))",
        f"INSERT INTO visits VALUES ('{A}', '[2020-03-01,2020-04-01)')",
    )
    with pytest.raises(
        ConflictError, match=r"groups \(a\) would be deleted, but 1 row of visits\.m points at it"
    ):
        postgres.downgrade()
    postgres.downgrade("seed_base", "keep")
    assert sizes(postgres) == {"a": 1}


# -- what a role may not see -----------------------------------------------------------------------


@contextmanager
def as_role(world: World, role: str, statements: list[str]) -> Iterator[None]:
    """Runs are a role's, after some statements of the superuser's."""
    execute(world, f"CREATE ROLE {role}")
    try:
        execute(world, *statements)
        become = lambda raw, _: raw.cursor().execute(f"SET ROLE {role}")  # noqa: E731
        sa.event.listen(world.migrating, "connect", become)
        yield
    finally:
        execute(world, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def rights(world: World, *granted: str) -> tuple[str, list[str]]:
    role = "limited_in_" + world.database.scalar("SELECT current_database()")
    return role, [
        "CREATE SCHEMA private",
        "CREATE TABLE private.visits (v int PRIMARY KEY, m uuid REFERENCES groups ON DELETE CASCADE)",
        f"INSERT INTO private.visits VALUES (1, '{A}')",
        f"GRANT ALL ON SCHEMA public TO {role}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
        *(f"GRANT {what} TO {role}" for what in granted),
    ]


@pytest.mark.parametrize("granted", [["USAGE ON SCHEMA private"], ["SELECT ON private.visits"]], ids=str)
@pytest.mark.long
def test_refuses_to_delete_where_it_may_not_see_who_points_there(postgres: World, granted: list[str]) -> None:
    role, statements = rights(postgres, *granted)
    with as_role(postgres, role, statements):
        with pytest.raises(
            SeedError, match=r"rows of private\.visits\.m may point at rows of groups, and this role"
        ):
            postgres.downgrade()
        assert sizes(postgres) == {"a": 1, "b": 1}
        assert count(postgres, "private.visits") == 1


@pytest.mark.parametrize("columns", ["", " (m)"])
def test_the_right_to_look_is_enough_to_see_who_points_there(postgres: World, columns: str) -> None:
    role, statements = rights(postgres, "USAGE ON SCHEMA private", f"SELECT{columns} ON private.visits")
    with as_role(postgres, role, statements):
        with pytest.raises(ConflictError, match=r"1 row of private\.visits\.m points at it"):
            postgres.downgrade()
        execute(postgres, "DELETE FROM private.visits")
        postgres.downgrade()
        assert sizes(postgres) == {}


def test_a_table_that_may_not_be_seen_is_in_no_way_of_rows_that_come(make_on_postgresql: Make) -> None:
    world = make_on_postgresql(HISTORY)
    world.install_schema()
    role, statements = rights(world)
    with as_role(world, role, [one for one in statements if not one.startswith("INSERT")]):
        world.upgrade()
        assert sizes(world) == {"a": 1, "b": 1}
