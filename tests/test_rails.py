"""Revisions in wrong places, two heads, revisions that fail: refused, with a way out that is tried here."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.script.base import ScriptDirectory
from alembic.util import CommandError

from seedrail import RailError, SeedError, StateError
from seedrail.errors import OptionError
from tests.support.databases import Database
from tests.support.workshop import Workshop

LUMI, LEVANTE = {"name": "lumi", "site": "CSC"}, {"name": "levante", "site": "DKRZ"}

EVERY_COMMAND: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("upgrade", ("head",), {}),
    ("upgrade", ("heads",), {}),
    ("downgrade", ("seed_base",), {}),
    ("current", (), {}),
    ("check", (), {}),
    ("revision", ("more",), {}),
    ("revision", ("more",), {"autogenerate": True}),
    ("stamp", ("heads",), {}),
    ("merge", ("heads",), {}),
    ("history", (), {"indicate_current": True}),
    ("upgrade", ("base:heads",), {"sql": True}),
    ("downgrade", ("seed_0001:seed_base",), {"sql": True}),
]


@pytest.fixture
def opened(database: Database, tmp_path: Path) -> Workshop:
    """A project on each kind of database, at seed_0001 with two machines."""
    return started(database, tmp_path)


@pytest.fixture
def workshop(sqlite: Database, tmp_path: Path) -> Workshop:
    """The same on SQLite, for what does not depend on the kind."""
    return started(sqlite, tmp_path)


def started(database: Database, folder: Path) -> Workshop:
    workshop = Workshop.opened(database, folder / "project")
    workshop.run("upgrade", "head")
    workshop.ship("first")
    workshop.run("upgrade", "head")
    return workshop


def refused(workshop: Workshop, error: type[SeedError] = RailError) -> str:
    """Every command is refused alike, and writes nothing; what they say."""
    content, files = workshop.database.content(ledger=True, volatile=True), workshop.files()
    said = set()
    for name, arguments, options in EVERY_COMMAND:
        if error is StateError and "sql" in options:
            continue  # a script knows no database
        with pytest.raises(error) as caught:
            workshop.run(name, *arguments, **options)
        said.add(str(caught.value))
    assert workshop.database.content(ledger=True, volatile=True) == content
    assert workshop.files() == files
    # Only a command with a database knows what the mend means to it.
    shortest = min(said, key=len)
    assert all(one.startswith(shortest[:60]) for one in said), said
    return max(said, key=len)


def follow(workshop: Workshop, sentence: str) -> None:
    """Do what a refusal says: its edits, then its commands."""
    for name, attribute, value in re.findall(r"in (\S+), set (\w+) = (.+)", sentence):
        path = workshop.root / "versions" / name
        lines = path.read_text().splitlines()
        lines = [f"{attribute} = {value}" if line.startswith(attribute) else line for line in lines]
        path.write_text("\n".join(lines) + "\n")
    for revisions in re.findall(r"alembic stamp (.+)", sentence):
        workshop.run("stamp", revisions.split())
    if "alembic upgrade heads" in sentence:
        workshop.run("upgrade", "heads")
        workshop.ship("close")


def rolls_back(workshop: Workshop) -> None:
    """The rails are as they should be: one head, and a rollback leaves people's diary."""
    workshop.run("upgrade", "head")
    workshop.run("check")
    workshop.database.execute("INSERT INTO diary (text) VALUES ('mine')")
    workshop.run("downgrade", "seed_base")
    assert workshop.database.rows("SELECT text FROM diary") == [("mine",)]
    assert workshop.database.rows("SELECT name FROM machines") == []
    workshop.run("upgrade", "head")
    assert len(workshop.database.rows("SELECT name FROM machines")) == 2


# -- a schema revision on the seed rail -------------------------------------------------------------


@pytest.mark.parametrize("applied", [False, True], ids=["not yet applied", "applied"])
@pytest.mark.long
def test_a_schema_revision_above_a_seed_revision_is_refused_and_the_advice_mends_it(
    opened: Workshop, applied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.diary("0002", "seed_0001")
    if applied:
        unchecked(monkeypatch, opened, "upgrade", "heads")
    sentence = refused(opened)
    assert "0002_by_hand.py: schema revision '0002' follows 'seed_0001' of the seed rail" in sentence
    assert "alembic downgrade seed_base would take it back too" in sentence
    assert "in 0002_by_hand.py, set down_revision = '0001'" in sentence
    assert ("as this database is at '0002' already: alembic stamp 0002 seed_0001" in sentence) is applied
    follow(opened, sentence)
    rolls_back(opened)


def unchecked(monkeypatch: pytest.MonkeyPatch, workshop: Workshop, *command: str) -> None:
    """Run a command as an engine did that did not look where revisions stand."""
    with monkeypatch.context() as patch:
        patch.setattr("seedrail.history.rail.line.check_placement", lambda history, heads: None)
        workshop.run(*command)


def test_a_revision_without_the_environment_is_refused_by_the_next_command(workshop: Workshop) -> None:
    workshop.environment = False
    workshop.run("revision", "diary")
    workshop.environment = True
    [path] = [*(workshop.root / "versions").glob("*_diary.py")]
    sentence = refused(workshop)
    assert f"{path.name}: schema revision" in sentence
    follow(workshop, sentence)
    workshop.run("upgrade", "head")
    assert workshop.heads() == {"seed_0002"}


def test_a_schema_revision_that_follows_seed_base_is_refused(workshop: Workshop) -> None:
    workshop.diary("0002", "seed_base")
    sentence = refused(workshop)
    assert "'0002' follows 'seed_base' of the seed rail" in sentence
    follow(workshop, sentence)
    rolls_back(workshop)


def test_a_schema_revision_that_depends_on_a_seed_revision_is_refused(workshop: Workshop) -> None:
    workshop.diary("0002", "0001", depends_on="seed_0001")
    sentence = refused(workshop)
    assert "in 0002_by_hand.py, set depends_on = None" in sentence
    assert "set down_revision" not in sentence
    follow(workshop, sentence)
    rolls_back(workshop)


def test_a_dependency_by_a_branch_label_is_refused_too(workshop: Workshop) -> None:
    workshop.edit("seed_0001", "branch_labels = None", "branch_labels = ('seeds',)")
    workshop.diary("0002", "0001", depends_on="seeds")
    assert "set depends_on = None" in refused(workshop)


@pytest.mark.long_on("postgresql")
def test_a_merge_of_the_rails_is_refused_and_the_advice_mends_it(
    opened: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.diary("0002", "0001")
    opened.schema("0003", ("seed_0001", "0002"))
    unchecked(monkeypatch, opened, "upgrade", "heads")
    sentence = refused(opened)
    assert (
        "delete it where no database is at it yet; else in 0003_by_hand.py, set down_revision = '0002'"
        in (sentence)
    )
    assert "alembic stamp 0003 seed_0001" in sentence
    follow(opened, sentence)
    rolls_back(opened)
    assert opened.down("seed_0002") == ("seed_0001", "0003")


def test_a_merge_of_the_rails_that_no_database_has_may_be_deleted(workshop: Workshop) -> None:
    workshop.diary("0002", "0001")
    workshop.schema("0003", ("seed_0001", "0002"))
    refused(workshop)
    workshop.file("0003").unlink()
    workshop.run("upgrade", "heads")
    workshop.ship("close")
    rolls_back(workshop)


@pytest.mark.long_on("postgresql")
def test_seeds_that_follow_a_misplaced_revision_get_their_own_parent(opened: Workshop) -> None:
    opened.diary("0002", "0001")
    opened.run("upgrade", "heads")
    opened.ship("close")
    opened.run("upgrade", "head")
    # As if it had been made by hand on the seed rail, and a seed revision on top of it.
    opened.replace_down("0002", "seed_0001")
    opened.replace_down("seed_0002", "0002")
    sentence = refused(opened)
    assert "in 0002_by_hand.py, set down_revision = '0001'" in sentence
    assert "in seed_0002_close.py, set down_revision = ('seed_0001', '0002')" in sentence
    assert "stamp" not in sentence
    assert "upgrade heads" not in sentence
    follow(opened, sentence)
    rolls_back(opened)


def test_several_misplaced_revisions_are_told_where_each_belongs(workshop: Workshop) -> None:
    workshop.diary("0002", "0001")
    workshop.schema("0003", "seed_0001")
    workshop.schema("0004", "0003")
    workshop.schema("0005", "seed_0001")
    sentence = refused(workshop)
    # Which of two that stand side by side comes first does not matter; then the other follows it.
    assert sentence.count("set down_revision = '0002'") == 1
    assert sentence.count("set down_revision = ") == 2
    follow(workshop, sentence)
    rolls_back(workshop)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"head": "seed_0001"}, "'seed_0001'"),
        ({"head": "seed_base", "splice": True}, "'seed_base'"),
        ({"depends_on": "seed_0001", "head": "0001", "splice": True}, "'seed_0001'"),
    ],
)
@pytest.mark.parametrize("autogenerate", [False, True])
def test_refuses_to_make_a_schema_revision_above_seeds(
    workshop: Workshop, options: dict[str, Any], names: str, autogenerate: bool
) -> None:
    workshop.columns.append("room")
    files = workshop.files()
    with pytest.raises(RailError, match=f"a schema revision would follow {names} of the seed rail"):
        workshop.run("revision", "more", autogenerate=autogenerate, **options)
    assert workshop.files() == files


# -- what is no seed revision any more --------------------------------------------------------------


def test_a_seed_revision_without_its_pins_is_named(workshop: Workshop) -> None:
    lines = workshop.file("seed_0001").read_text().splitlines()
    workshop.file("seed_0001").write_text("\n".join(x for x in lines if not x.startswith("seed_")) + "\n")
    assert "seed revision seed_0001 does not pin a change file" in refused(workshop)


@pytest.mark.parametrize("call", ["op.execute('SELECT 1')", "op.create_table('diary')", "op.get_bind()"])
def test_a_seed_revision_that_changes_more_than_seeds_is_refused(workshop: Workshop, call: str) -> None:
    workshop.edit(
        "seed_0001", "    op.downgrade_seeds(revision)", f"    {call}\n    op.downgrade_seeds(revision)"
    )
    sentence = refused(workshop)
    assert f"seed revision 'seed_0001' calls {call.partition('(')[0]}" in sentence
    assert "put it into a schema revision of its own" in sentence


@pytest.mark.parametrize("direction", ["upgrade", "downgrade"])
def test_a_seed_revision_that_does_not_move_its_rows_is_refused(workshop: Workshop, direction: str) -> None:
    workshop.edit("seed_0001", f"op.{direction}_seeds(revision)", "pass")
    sentence = refused(workshop)
    assert f"the {direction}() of seed revision 'seed_0001' does not call op.{direction}_seeds" in sentence
    assert sentence.endswith("restore the file as it was committed")


@pytest.mark.long_on("postgresql")
@pytest.mark.parametrize("left", ["other_id", "branch"])
def test_a_seed_revision_that_moves_no_rows_when_it_runs_is_refused_then(opened: Workshop, left: str) -> None:
    opened.run("downgrade", "seed_base")
    call = (
        "op.upgrade_seeds('seed_0002')"
        if left == "other_id"
        else "if not revision: op.upgrade_seeds(revision)"
    )
    opened.edit("seed_0001", "op.upgrade_seeds(revision)", call)
    content = opened.database.content(ledger=True, volatile=True)
    for options in ({}, {"sql": True}):
        with pytest.raises(RailError, match=r"the upgrade\(\) of seed revision 'seed_0001' does not call"):
            opened.run("upgrade", "seed_base:head" if options else "head", **options)
    assert opened.database.content(ledger=True, volatile=True) == content


@pytest.mark.parametrize("name", ["../versions/seed_0001_first.py", "/etc/hostname", "", "a\0b", "a\nb"])
def test_a_pin_that_is_no_name_in_the_folder_is_refused(workshop: Workshop, name: str) -> None:
    workshop.edit("seed_0001", "'seed_0001.jsonl'", repr(name))
    assert "seed revision seed_0001 does not pin a change file" in refused(workshop)


# -- two heads --------------------------------------------------------------------------------------


@pytest.mark.long_on("postgresql")
def test_a_new_seed_revision_follows_every_schema_head_that_the_rail_does_not_have(opened: Workshop) -> None:
    opened.room("0002", "0001")
    opened.run("upgrade", "heads")
    opened.seeds({**LUMI, "room": "B12"}, LEVANTE)
    opened.ship("rooms")
    assert opened.down("seed_0002") == ("seed_0001", "0002")
    opened.run("upgrade", "head")
    opened.run("check")
    seeded = opened.database.content()
    assert any("B12" in row for row in seeded["machines"])
    for targets in (["heads"], ["head"], ["seed_0001", "seed_0002"], ["0002", "head"]):
        opened.database.empty()
        for target in targets:
            opened.run("upgrade", target)
        assert opened.database.content() == seeded
    opened.database.empty()
    done = opened.database.run_script(opened.run("upgrade", "head", sql=True))
    assert done.returncode == 0, done.stderr
    assert opened.database.content() == seeded
    opened.run("downgrade", "seed_base")
    assert opened.database.rows("SELECT * FROM machines") == []


def test_a_new_seed_revision_follows_all_of_several_schema_heads(workshop: Workshop) -> None:
    workshop.room("0002", "0001")
    workshop.diary("0003", "0001")
    workshop.run("upgrade", "heads")
    workshop.seeds({**LUMI, "room": "B12"}, LEVANTE)
    workshop.ship("rooms")
    assert set(workshop.down("seed_0002")) == {"seed_0001", "0002", "0003"}
    rolls_back(workshop)


def test_a_schema_revision_that_no_seed_revision_follows_is_found_by_check_and_closed(
    workshop: Workshop,
) -> None:
    workshop.diary("0002", "0001")
    workshop.run("upgrade", "heads")
    with pytest.raises(CommandError, match="no changes; it is the seed revision that follows schema 0002"):
        workshop.run("check")
    workshop.ship("close")
    assert workshop.down("seed_0002") == ("seed_0001", "0002")
    rolls_back(workshop)
    files = workshop.files()
    workshop.ship("nothing")
    assert workshop.files() == files


def test_a_schema_revision_without_seeds_gets_the_same_place(workshop: Workshop) -> None:
    workshop.diary("0002", "0001")
    workshop.run("upgrade", "heads")
    workshop.run("revision", "more", rev_id="0003")
    assert workshop.down("0003") == ("0002",)
    assert workshop.down("seed_0002") == ("seed_0001", "0003")


@pytest.mark.parametrize(
    "command",
    [("upgrade", "head"), ("stamp", "head"), ("upgrade", "base:head")],
)
def test_two_heads_get_a_sentence_with_the_way_out(workshop: Workshop, command: tuple[str, str]) -> None:
    workshop.diary("0002", "0001")
    with pytest.raises(RailError) as caught:
        workshop.run(*command, **({"sql": True} if ":" in command[1] else {}))
    sentence = str(caught.value)
    assert "the history has 2 heads, " in sentence
    assert "'0002'" in sentence
    assert "'seed_0001'" in sentence
    assert "no seed revision follows '0002' yet" in sentence
    follow(workshop, sentence)
    rolls_back(workshop)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("upgrade", ""), "'' names no revision"),
        (("downgrade", "@"), "'@' names no revision"),
        (("stamp", ""), "'' names no revision"),
        (("upgrade", ":head"), "'' names no revision"),
        (("upgrade", "seed_0001:"), "'' names no revision"),
        (("downgrade", "seed_0001:"), "'' names no revision"),
        (("upgrade", "seed_"), "seed_ may be any of seed_0001, seed_base"),
        (("downgrade", "seed_"), "seed_ may be any of seed_0001, seed_base"),
        (("upgrade", "seed_:head"), "seed_ may be any of seed_0001, seed_base"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_revision_without_a_name_or_with_several_is_refused(
    workshop: Workshop, command: tuple[str, str], words: str
) -> None:
    with pytest.raises(OptionError) as caught:
        workshop.run(*command, **({"sql": True} if ":" in command[1] else {}))
    assert str(caught.value).startswith(words)
    assert workshop.heads() == {"seed_0001"}


@pytest.mark.parametrize("where", ["head", "depends_on"])
def test_a_new_revision_is_not_put_behind_no_name(workshop: Workshop, where: str) -> None:
    before = workshop.files()
    with pytest.raises(OptionError, match="'' names no revision"):
        workshop.run("revision", "more", **{where: ""})
    assert workshop.files() == before


def test_two_schema_heads_get_the_merge_and_then_the_seed_revision(workshop: Workshop) -> None:
    workshop.diary("0002", "0001")
    workshop.room("0003", "0001")
    with pytest.raises(RailError, match="the history has 3 heads") as caught:
        workshop.run("upgrade", "head")
    [merged] = re.findall(r'alembic merge -m "…" (0002 0003|0003 0002) makes', str(caught.value))
    workshop.run("merge", merged.split(), "one schema")
    follow(workshop, str(caught.value))
    rolls_back(workshop)


def test_refuses_to_merge_schema_and_seeds(workshop: Workshop) -> None:
    workshop.diary("0002", "0001")
    files = workshop.files()
    config = workshop.config()
    config.cmd_opts = merge_options("heads")
    with pytest.raises(RailError, match="a merge revision would follow 'seed_0001' of the seed rail"):
        run_merge(config, "heads")
    assert workshop.files() == files


def merge_options(*revisions: str) -> Any:
    from argparse import Namespace

    return Namespace(revisions=list(revisions), x=None)


def run_merge(config: Any, *revisions: str) -> None:
    from alembic import command

    command.merge(config, list(revisions))


# -- columns that are not there yet, and those that are gone -----------------------------------------


def misordered(workshop: Workshop) -> None:
    """A history of an engine that did not look: seed_0002 sets a column of 0002, and does not follow it."""
    workshop.room("0002", "0001")
    workshop.run("upgrade", "heads")
    workshop.seeds({**LUMI, "room": "B12"}, LEVANTE)
    workshop.ship("rooms")
    workshop.replace_down("seed_0002", "seed_0001")


@pytest.mark.long_on("postgresql")
def test_refuses_to_drop_the_value_of_a_column_that_is_not_there_yet(opened: Workshop) -> None:
    misordered(opened)
    opened.run("downgrade", "base")
    content = opened.database.content(ledger=True)
    with pytest.raises(RailError) as caught:
        opened.run("upgrade", "seed_0002")
    assert opened.database.content(ledger=True) == content
    sentence = str(caught.value)
    assert "seed revision 'seed_0002' sets machines.room, which the database does not have yet" in sentence
    assert "in seed_0002_rooms.py, set down_revision = ('seed_0001', '0002')" in sentence
    script = opened.run("upgrade", "seed_0002", sql=True)
    assert opened.database.run_script(script).returncode != 0
    assert opened.database.content(ledger=True) == content

    follow(opened, sentence)
    opened.run("upgrade", "head")
    assert opened.database.rows("SELECT room FROM machines WHERE name = 'lumi'") == [("B12",)]
    opened.run("check")
    opened.run("downgrade", "seed_base")
    assert opened.database.rows("SELECT * FROM machines") == []


@pytest.mark.long_on("postgresql")
def test_the_mend_of_a_misordered_history_suits_a_database_that_has_both(opened: Workshop) -> None:
    misordered(opened)
    opened.run("upgrade", "heads")
    assert opened.heads() == {"0002", "seed_0002"}
    opened.replace_down("seed_0002", ("seed_0001", "0002"))
    sentence = refused(opened, StateError)
    assert "the database is at '0002' and 'seed_0002', but 'seed_0002' has come to include '0002'" in sentence
    assert "alembic stamp --purge seed_0002" in sentence
    opened.run("stamp", "seed_0002", purge=True)
    opened.run("upgrade", "head")
    opened.run("check")
    opened.run("downgrade", "seed_base")
    assert opened.database.rows("SELECT * FROM machines") == []
    opened.run("upgrade", "head")
    assert opened.heads() == {"seed_0002"}


def test_several_schema_revisions_to_come_are_named(workshop: Workshop) -> None:
    misordered(workshop)
    workshop.diary("0003", "0002")
    workshop.run("downgrade", "base")
    with pytest.raises(
        RailError, match=r"add to down_revision the schema revision that .*: '0002' or '0003'"
    ):
        workshop.run("upgrade", "seed_0002")


@pytest.mark.long_on("postgresql")
def test_a_column_that_the_schema_dropped_since_is_left_out(opened: Workshop) -> None:
    opened.room("0002", "0001")
    opened.run("upgrade", "heads")
    opened.seeds({**LUMI, "room": "B12"}, LEVANTE)
    opened.ship("rooms")
    opened.run("upgrade", "head")
    opened.columns.remove("room")
    drop, add = "op.drop_column('machines', 'room')", "sa.Column('room', sa.String(50))"
    opened.schema("0003", "0002", drop, f"op.add_column('machines', {add})")
    opened.seeds(LUMI, LEVANTE)
    opened.run("upgrade", "heads")
    # No seed revision says so yet; but no schema revision is left that could bring it.
    opened.run("downgrade", "seed_0001")
    opened.run("upgrade", "heads")
    opened.ship("no rooms")
    opened.run("upgrade", "head")
    seeded = opened.database.content()
    opened.diary("0004", "0003")
    for target in ("seed_base", "seed_0001", "seed_0002"):
        opened.run("downgrade", "seed_base")
        opened.run("upgrade", target)
    opened.run("upgrade", "seed_0003")
    assert opened.database.content()["machines"] == seeded["machines"]


@pytest.mark.long_on("postgresql")
def test_refuses_to_seed_a_column_that_was_dropped_by_hand(opened: Workshop) -> None:
    opened.room("0002", "0001")
    opened.run("upgrade", "heads")
    opened.seeds({**LUMI, "room": "B12"}, LEVANTE)
    opened.ship("rooms")
    opened.database.execute("ALTER TABLE machines DROP COLUMN room")
    content = opened.database.content(ledger=True)
    with pytest.raises(SeedError, match="has no column 'room', which its seeds set, although every schema"):
        opened.run("upgrade", "head")
    assert opened.database.content(ledger=True) == content
    # A way down sets nothing, and loses nothing.
    opened.run("downgrade", "seed_base")
    assert opened.database.rows("SELECT * FROM machines") == []


# -- a revision that fails --------------------------------------------------------------------------


def fail_template(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> type[BaseException]:
    (workshop.root / "script.py.mako").write_text("${nothing_of_that_name}")
    return CommandError


def fail_by_full_disk(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> type[BaseException]:
    def half(self: ScriptDirectory, src: Path, dest: Path, **_: Any) -> None:
        dest.write_text("")
        raise OSError(28, "No space left on device", str(dest))

    monkeypatch.setattr(ScriptDirectory, "_generate_template", half)
    return SeedError


def fail_by_interrupt(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> type[BaseException]:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ScriptDirectory, "_generate_template", interrupted)
    return KeyboardInterrupt


def fail_at_the_second(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> type[BaseException]:
    workshop.columns.append("room")
    whole = ScriptDirectory._generate_template

    def second(self: ScriptDirectory, src: Path, dest: Path, **values: Any) -> None:
        whole(self, src, dest, **values)
        if dest.name.startswith("seed_"):
            raise OSError(28, "No space left on device", str(dest))

    monkeypatch.setattr(ScriptDirectory, "_generate_template", second)
    return SeedError


def fail_at_the_folder(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> type[BaseException]:
    def read_only(path: Path, content: bytes) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr("seedrail.integration.operations.write", read_only)
    return SeedError


@pytest.mark.parametrize(
    "fail",
    [fail_template, fail_by_full_disk, fail_by_interrupt, fail_at_the_second, fail_at_the_folder],
    ids=lambda fail: fail.__name__,
)
def test_a_revision_that_fails_leaves_no_file(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, fail: Callable[..., type[BaseException]]
) -> None:
    workshop.seeds(LUMI, {**LEVANTE, "site": "Hamburg"})
    template, files = (workshop.root / "script.py.mako").read_text(), workshop.files()
    with monkeypatch.context() as patch:
        error = fail(workshop, patch)
        with pytest.raises(error) as caught:
            workshop.ship("more")
    if error is SeedError:
        assert re.search(
            "cannot write the revision.*(No space left|Read-only).*nothing was written", str(caught.value)
        )
    assert workshop.files() == files
    (workshop.root / "script.py.mako").write_text(template)
    workshop.ship("more")
    workshop.run("upgrade", "head")
    workshop.run("check")


# -- change files without revisions, and revisions without change files ------------------------------


@pytest.mark.parametrize("name", ["seed_0002.jsonl", "seed_0007.jsonl.gz", "seed_0002.jsonl.partial"])
def test_a_change_file_without_revision_is_said_by_every_command_and_fails_the_check(
    workshop: Workshop, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    orphan = workshop.root / "seeds" / name
    orphan.write_text("left behind")
    workshop.run("current")
    workshop.run("upgrade", "head")
    assert [record.getMessage() for record in caplog.records].count(
        f"{name} is a change file that no revision pins: restore the revision file that does, or delete it"
    ) == 2
    with pytest.raises(SeedError, match=f"{name}: is a change file that no revision pins"):
        workshop.run("check")
    # The next revision of that number takes the place.
    workshop.seeds(LUMI, {**LEVANTE, "site": "Hamburg"})
    workshop.ship("more")
    workshop.run("upgrade", "head")
    assert workshop.database.rows("SELECT site FROM machines WHERE name = 'levante'") == [("Hamburg",)]


def test_a_revision_without_change_file_is_refused_by_every_command(workshop: Workshop) -> None:
    (workshop.root / "seeds" / "seed_0001.jsonl").unlink()
    assert "seed_0001.jsonl: cannot be read: No such file or directory" in refused(workshop, SeedError)


# -- revision files that are missing or broken ------------------------------------------------------


def break_syntax(workshop: Workshop) -> str:
    workshop.edit("0001", "def upgrade() -> None:", "def upgrade( -> None:")
    return r"0001_by_hand\.py: the revision cannot be read: line \d+: "


def break_import(workshop: Workshop) -> str:
    workshop.edit("seed_0001", "from alembic import op", "from alembic import op, nothing")
    return r"seed_0001_first\.py: the revision cannot be read: ImportError: cannot import name 'nothing'"


def break_id(workshop: Workshop) -> str:
    workshop.edit("seed_0001", "revision = 'seed_0001'", "revision_ = 'seed_0001'")
    return r"seed_0001_first\.py: the revision cannot be read: "


def break_all(workshop: Workshop) -> str:
    workshop.file("seed_0001").write_text("")
    return r"seed_0001_first\.py: the revision cannot be read: it sets no revision"


def break_run(workshop: Workshop) -> str:
    workshop.edit("0001", "branch_labels = None", "branch_labels = 1 / 0")
    return r"0001_by_hand\.py: the revision cannot be read: ZeroDivisionError: division by zero"


def lose_schema(workshop: Workshop) -> str:
    workshop.file("0001").unlink()
    return r"seed_base_by_hand\.py: revision 'seed_base' follows '0001', which no file in .*versions has"


def lose_base(workshop: Workshop) -> str:
    workshop.file("seed_base").unlink()
    return r"seed_0001_first\.py: revision 'seed_0001' follows 'seed_base', which no file in .*versions has"


def lose_dependency(workshop: Workshop) -> str:
    workshop.schema("0002", "0001", depends_on="0007")
    return r"0002_by_hand\.py: revision '0002' follows '0007', which no file in .*versions has"


def repeat(workshop: Workshop) -> str:
    text = workshop.file("0001").read_text()
    (workshop.root / "versions" / "0001_copy.py").write_text(text)
    return r"0001_by_hand\.py and 0001_copy\.py are both revision '0001'"


def repeat_seed(workshop: Workshop) -> str:
    text = workshop.file("seed_0001").read_text()
    (workshop.root / "versions" / "seed_0001_copy.py").write_text(text)
    return r"the seed rail branches at seed_0001: seed_0001_copy\.py and seed_0001_first\.py"


def circle(workshop: Workshop) -> str:
    workshop.schema("0002", "0003")
    workshop.schema("0003", "0002")
    return r"the revisions in .*versions make no history: .*0002, 0003"


def end_process(workshop: Workshop) -> str:
    workshop.edit("0001", "import sqlalchemy as sa", "raise SystemExit(3)")
    return r"0001_by_hand\.py: the revision cannot be read: SystemExit: 3"


def name_by_tuple(workshop: Workshop) -> str:
    workshop.edit("seed_0001", "revision = 'seed_0001'", "revision = ('seed_0001', 'more')")
    return r"seed_0001_first\.py: the revision cannot be read: revision = \('seed_0001', 'more'\) is no name"


def name_reserved(workshop: Workshop) -> str:
    workshop.schema("heads", "0001")
    return r"heads_by_hand\.py: the revision cannot be read: revision = 'heads' is no name"


def follow_number(workshop: Workshop) -> str:
    workshop.edit("seed_base", "down_revision = '0001'", "down_revision = 1")
    return r"seed_base_by_hand\.py: the revision cannot be read: down_revision = 1 is no name"


def depend_on_number(workshop: Workshop) -> str:
    workshop.edit("seed_base", "depends_on = None", "depends_on = [1]")
    return r"seed_base_by_hand\.py: the revision cannot be read: depends_on = \[1\] is no name"


BROKEN = [
    break_syntax, break_import, break_id, break_all, break_run, lose_schema, lose_base, lose_dependency,
    repeat, repeat_seed, circle, end_process, name_by_tuple, name_reserved, follow_number, depend_on_number,
]  # fmt: skip


@pytest.mark.parametrize("break_it", BROKEN, ids=lambda one: one.__name__)
def test_a_broken_history_is_told_by_every_command_with_the_file(
    workshop: Workshop, break_it: Callable[[Workshop], str]
) -> None:
    expected = break_it(workshop)
    sentence = refused(workshop, SeedError)
    assert re.match(expected, sentence), sentence


@pytest.mark.parametrize("revision", ["0002", "seed_0002"])
def test_a_revision_without_upgrade_is_told_by_its_file(workshop: Workshop, revision: str) -> None:
    workshop.schema("0002", "0001")
    workshop.run("upgrade", "heads")
    workshop.ship("more")
    workshop.run("downgrade", "0001")
    # Of another length: within a second, byte code is told from its source by that alone.
    workshop.edit(revision, "def upgrade()", "def upgrade_it()")
    with pytest.raises(SeedError, match=f"{revision}_.*upgrade\\(\\)"):
        workshop.run("upgrade", "heads")


def test_a_database_with_another_branchs_revision_of_the_same_id_fails_the_check(workshop: Workshop) -> None:
    workshop.seeds(LUMI, {**LEVANTE, "site": "Hamburg"})
    workshop.ship("theirs")
    workshop.run("upgrade", "head")
    workshop.file("seed_0002").unlink()
    (workshop.root / "seeds" / "seed_0002.jsonl").unlink()
    workshop.database.execute("UPDATE alembic_version SET version_num = 'seed_0001'")
    workshop.seeds(LUMI, {**LEVANTE, "site": "Bonn"})
    workshop.ship("ours")
    workshop.database.execute("UPDATE alembic_version SET version_num = 'seed_0002'")
    for command in (("check",), ("upgrade", "head"), ("downgrade", "seed_base")):
        with pytest.raises(
            StateError, match="seed set 'machines' of a revision seed_0002 with another content"
        ):
            workshop.run(*command)


@pytest.mark.long_on("postgresql")
def test_a_database_of_another_branch_of_the_code_is_told_by_its_revision(opened: Workshop) -> None:
    opened.seeds(LUMI, {**LEVANTE, "site": "Hamburg"})
    opened.ship("more")
    opened.run("upgrade", "head")
    opened.file("seed_0002").unlink()
    (opened.root / "seeds" / "seed_0002.jsonl").unlink()
    sentence = refused(opened, StateError)
    assert "the database is at 'seed_0002', which no file in" in sentence
    assert "check out the version that has this revision" in sentence
