"""A run's conflicts as a file, and that file with decisions as a run's option."""

import json
import logging
import os
import uuid
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from seedrail import ConflictError, SeedError
from seedrail.errors import OptionError
from seedrail.merge.report.answers import Answers, DecisionError
from tests.laws.pair import NOTES
from tests.laws.test_decisions import decide, report
from tests.laws.test_found import groups, node
from tests.laws.world import GROUPS, NODES, Make, World, group_id, node_id
from tests.support.project import Project


def world(make: Make, *states: Any) -> World:
    """A world whose first state is there."""
    made = make((list(states), 99, [False] * len(states)))
    made.upgrade("seed_0001")
    return made


def edited(make: Make) -> World:
    """Three groups, of which people edited two and deleted the third; the next revision changes them all."""
    made = world(make, groups(a=1, b=1, c=1), groups(a=2, b=2, c=2))
    with made.user() as connection:
        connection.execute(sa.update(GROUPS).where(GROUPS.c.name == "a").values(size=7))
        connection.execute(sa.update(GROUPS).where(GROUPS.c.name == "b").values(size=8))
        connection.execute(sa.delete(GROUPS).where(GROUPS.c.name == "c"))
    return made


def sizes(made: World) -> dict[str, int]:
    return dict(map(tuple, made.database.rows("SELECT name, size FROM groups")))


def choose(**names: str) -> Any:
    """A decision by the group's name."""
    return lambda line: names.get(line["row"]["name"])


@pytest.mark.long_on("postgresql")
def test_a_refused_run_writes_down_each_conflict_with_its_row_values_and_choices(make: Make) -> None:
    assert report(edited(make), 2, up=True) == [
        {
            "move": ["seed_0001", "seed_0002"], "table": "groups", "id": group_id(name), "kind": kind,
            "row": {"name": name}, "column": column, "expected": expected, "wanted": wanted, "found": found,
            "by": None, "rows": None, "choices": ["keep", "overwrite"], "decision": None,
        }
        for name, kind, column, expected, wanted, found in [
            ("a", "edited", "size", "1", "2", "7"),
            ("b", "edited", "size", "1", "2", "8"),
            ("c", "deleted", "", None, None, None),
        ]
    ]  # fmt: skip


@pytest.mark.long_on("sqlite")
def test_each_conflict_ends_as_it_was_decided_and_a_rollback_gives_back_what_was_there(make: Make) -> None:
    made = edited(make)
    before = made.content()
    decide(made, report(made, 2, up=True), choose(a="keep", b="overwrite", c="overwrite"))
    made.upgrade()
    assert sizes(made) == {"a": 7, "b": 2, "c": 2}
    made.given.clear()
    made.downgrade("seed_0001")
    assert sizes(made) == {"a": 7, "b": 8}
    assert {k: v for k, v in made.content().items() if k == "groups"} == {"groups": before["groups"]}


@pytest.mark.long_on("postgresql")
def test_what_nobody_decided_is_refused_alone_and_nothing_is_written(make: Make) -> None:
    made = edited(make)
    decide(made, report(made, 2, up=True), choose(a="keep", c="keep"))
    with pytest.raises(ConflictError) as refusal:
        made.upgrade()
    assert [(one.row, one.kind) for one in refusal.value.conflicts] == [("(b)", "edited")]
    assert refusal.value.total == 1
    assert sizes(made) == {"a": 7, "b": 8}


@pytest.mark.long_on("postgresql")
def test_a_decision_goes_before_the_policy(make: Make) -> None:
    made = edited(make)
    decide(made, report(made, 2, up=True), choose(a="keep"))
    made.upgrade("head", "overwrite")
    assert sizes(made) == {"a": 7, "b": 2, "c": 2}


@pytest.mark.long_on("postgresql")
def test_a_row_that_was_decided_to_stay_gone_does_under_overwrite(make: Make) -> None:
    made = edited(make)
    decide(made, report(made, 2, up=True), choose(c="keep"))
    made.upgrade("head", "overwrite")
    assert sizes(made) == {"a": 2, "b": 2}


def test_a_row_that_was_there_first_gets_the_seed_s_values_where_it_was_decided_so(make: Make) -> None:
    made = make(([groups(a=1, b=1)], 99, [False]))
    made.install_schema()
    with made.user() as connection:
        connection.execute(
            sa.insert(GROUPS), [{"id": uuid.UUID(int=n), "name": "ab"[n], "size": 7} for n in (0, 1)]
        )
    decide(made, report(made, 1, up=True), choose(a="overwrite", b="keep"))
    made.upgrade()
    assert sizes(made) == {"a": 1, "b": 7}
    made.given.clear()
    made.downgrade()
    assert sizes(made) == {"a": 7, "b": 7}


@pytest.mark.long_on("sqlite")
def test_a_row_with_a_cell_that_stays_is_kept_and_one_without_goes(make: Make) -> None:
    made = edited(make)
    decide(made, report(made, 0, up=False), choose(a="overwrite", b="keep"))
    made.downgrade()
    assert sizes(made) == {"b": 8}


@pytest.mark.long_on("postgresql")
def test_decisions_for_other_values_are_refused_by_line_and_nothing_is_written(make: Make) -> None:
    made = edited(make)
    decide(made, report(made, 2, up=True), choose(a="overwrite", b="overwrite", c="keep"))
    with made.user() as connection:
        connection.execute(sa.update(GROUPS).where(GROUPS.c.name == "a").values(size=9))
        connection.execute(sa.update(GROUPS).where(GROUPS.c.name == "b").values(size=1))
    with pytest.raises(DecisionError) as refusal:
        made.upgrade()
    text = str(refusal.value)
    assert "2 decisions do not fit the database any more; nothing was written" in text
    assert "line 1: groups (a): size: made for found '7', but it is '9' now" in text
    assert "line 2: groups (b): there is no such conflict (any more)" in text
    assert sizes(made) == {"a": 9, "b": 1}


def test_a_row_that_others_point_at_can_be_kept_alone(make: Make) -> None:
    state = groups(a=1)
    state["nodes"] = {node_id("x", "a"): node("x", "a")}
    made = world(make, state)
    with made.user() as connection:
        connection.execute(sa.insert(NOTES).values(text="mine", node=sa.select(NODES.c.id).scalar_subquery()))
    lines = report(made, 0, up=False)
    assert [(one["kind"], one["by"], one["rows"], one["choices"]) for one in lines] == [
        ("referenced", "nodes.group_id", 1, ["keep"]),
        ("referenced", "notes.node", 1, ["keep"]),
    ]
    decide(made, lines, lambda line: "overwrite")
    with pytest.raises(OptionError, match=r":1: referenced cannot be decided as overwrite"):
        made.downgrade()
    decide(made, lines, lambda line: "keep")
    made.downgrade()
    assert len(made.rows()) == 2


@pytest.mark.long_on("postgresql")
def test_of_a_cell_with_two_conflicts_each_is_decided(make: Make) -> None:
    """The seed wins against the edit, and its link leads to a row that is gone."""
    free, linked = groups(a=1), groups(a=1)
    for state, parent in ((free, None), (linked, "p")):
        state["nodes"] = {node_id(name, "a"): node(name, "a") for name in ("p", "other")}
        state["nodes"][node_id("child", "a")] = node("child", "a", parent)
    made = world(make, free, linked)
    with made.user() as connection:
        other = sa.select(NODES.c.id).where(NODES.c.name == "other").scalar_subquery()
        connection.execute(sa.update(NODES).where(NODES.c.name == "child").values(parent_id=other))
        connection.execute(sa.delete(NODES).where(NODES.c.name == "p"))
    decide(made, report(made, 2, up=True), lambda line: "overwrite")
    lines = report(made, 2, up=True)
    assert [(line["kind"], line["column"], line["decision"]) for line in lines] == [
        ("edited", "parent_id", "overwrite"),
        ("unlinked", "parent_id", None),
    ]
    decide(made, lines, lambda line: line["decision"] or "keep")
    report(made, 2, up=True)
    assert made.database.rows("SELECT parent_id FROM nodes WHERE name = 'child'") == [(None,)]


def test_of_two_keys_by_which_rows_point_each_is_decided(make: Make) -> None:
    made = world(make, groups(a=1), {})
    with made.user() as connection:
        connection.execute(sa.text("CREATE TABLE ones (id INTEGER PRIMARY KEY, g UUID REFERENCES groups)"))
        connection.execute(sa.text("CREATE TABLE twos (id INTEGER PRIMARY KEY, g UUID REFERENCES groups)"))
        for table in ("ones", "twos"):
            connection.execute(sa.text(f"INSERT INTO {table} SELECT 1, id FROM groups"))
    lines = report(made, 2, up=True)
    assert [line["by"] for line in lines] == ["ones.g", "twos.g"]
    decide(made, lines, lambda line: "keep" if line["by"] == "ones.g" else None)
    lines = report(made, 2, up=True)
    assert [line["decision"] for line in lines] == ["keep", None]
    decide(made, lines, lambda line: "keep")
    report(made, 2, up=True)
    assert made.database.scalar("SELECT count(*) FROM groups") == 1


def test_without_conflicts_the_report_is_empty(make: Make) -> None:
    assert report(world(make, groups(a=1), groups(a=2)), 2, up=True) == []


@pytest.mark.long
def test_a_run_that_settles_conflicts_by_its_policy_writes_them_down_as_well(make: Make) -> None:
    made = edited(make)
    assert len(report(made, 2, up=True, policy="keep")) == 3
    assert sizes(made) == {"a": 7, "b": 8}


@pytest.mark.long_on("postgresql")
def test_rows_stand_parents_first_and_by_name_with_links_by_their_parents_keys(make: Make) -> None:
    state = groups(b=1, a=1)
    state["nodes"] = {node_id(n, g): node(n, g) for n, g in [("y", "a"), ("x", "b"), ("x", "a")]}
    made = world(make, state)
    with made.user() as connection:
        connection.execute(sa.update(GROUPS).values(size=5))
        connection.execute(sa.update(NODES).values(hits=5))
    lines = [(one["table"], one["row"], one["column"]) for one in report(made, 0, up=False)]
    assert [line for line in lines if line[2] in ("size", "hits")] == [
        ("groups", {"name": "a"}, "size"),
        ("groups", {"name": "b"}, "size"),
        ("nodes", {"name": "x", "group_id": {"name": "a"}}, "hits"),
        ("nodes", {"name": "x", "group_id": {"name": "b"}}, "hits"),
        ("nodes", {"name": "y", "group_id": {"name": "a"}}, "hits"),
    ]


@pytest.mark.long_on("postgresql")
def test_decisions_for_moves_that_a_run_does_not_make_are_told(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    made = edited(make)
    decide(made, report(made, 2, up=True), choose(a="keep", b="keep", c="keep"))
    made.given.pop("seed_report")
    with caplog.at_level(logging.WARNING):
        made.downgrade("seed_base", "keep")
    assert "3 decisions were made for moves that this run did not make" in caplog.text


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"move": ["seed_0001", "seed_0009"]}, "there is no seed revision seed_0009"),
        ({"table": "group", "kind": "referenced"}, "group is no seeded table of this move"),
    ],
)
def test_a_decision_of_no_move_or_table_is_refused_by_line(
    make: Make, changed: dict[str, Any], words: str
) -> None:
    made = edited(make)
    decide(made, report(made, 2, up=True), choose(a="keep", b="keep", c="keep"))
    file = Path(made.given["seed_decisions"])
    first, *rest = file.read_text("utf-8").splitlines()
    file.write_text("\n".join([first, json.dumps({**json.loads(rest[0]), **changed})]) + "\n", "utf-8")
    with pytest.raises(OptionError, match=rf"seed_decisions: .*decisions\.jsonl:2: {words}"):
        made.upgrade()
    assert sizes(made) == {"a": 7, "b": 8}


LINE: dict[str, Any] = {
    "move": ["seed_0001", "seed_0002"], "table": "groups", "id": group_id("a"), "kind": "edited",
    "column": "size", "decision": "keep",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is no line of a seed_report"),
        ("[" * 100_000, "is no line of a seed_report"),
        ("\udcff", "is no line of a seed_report"),
        (json.dumps({**LINE, "decision": "perhaps"}), "is no line of a seed_report"),
        (json.dumps({**LINE, "desicion": "keep"}), "is no line of a seed_report"),
        (json.dumps({**LINE, "kind": "unlinked", "decision": "overwrite"}), "cannot be decided as overwrite"),
        (f"{json.dumps(LINE)}\n{json.dumps(LINE)}", "2: is decided twice"),
        (
            json.dumps({**LINE, "kind": "edit"}),
            ":1: edit is no kind of conflict: deleted, edited, edited before,",
        ),
        (json.dumps({**LINE, "kind": "edit", "decision": None}), ":1: edit is no kind of conflict"),
    ],
    ids=["no JSON", "deep", "no UTF-8", "decision", "key", "unlinked", "twice", "kind", "undecided"],
)
def test_a_file_that_is_none_is_told_by_its_line(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "decisions.jsonl"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(OptionError, match=reason):
        Answers(decisions=str(file))


def test_files_that_cannot_be_read_or_written_are_told(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"seed_decisions: .*missing cannot be read: No such file"):
        Answers(decisions=str(tmp_path / "missing"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OptionError, match=r"seed_decisions: .*pipe cannot be read: Is a named pipe"):
        Answers(decisions=str(tmp_path / "pipe"))
    with pytest.raises(OptionError, match="seed_report: there is no folder"):
        Answers(report=str(tmp_path / "missing" / "report"))
    with pytest.raises(OptionError, match=r"seed_report: cannot write .*: Is a directory"):
        Answers(report=str(tmp_path)).begin()


@pytest.mark.long
def test_a_run_that_fails_otherwise_leaves_the_report_that_was_there(make: Make) -> None:
    made = edited(make)
    lines = report(made, 2, up=True)
    file = Path(made.given["seed_report"])
    (made.directory / "seeds").rename(made.directory / "away")
    with pytest.raises(SeedError):
        made.upgrade()
    assert [json.loads(line) for line in file.read_text("utf-8").splitlines()] == lines
    assert not [*file.parent.glob("*.partial")]


def test_alembic_writes_the_report_and_takes_the_decisions_and_a_script_takes_neither(
    sqlite_project: Project,
) -> None:
    project = sqlite_project
    project.start_at("head")
    project.database.execute(
        "UPDATE machines SET site = 'mine' WHERE name = (SELECT min(name) FROM machines)"
    )
    file = project.root / "conflicts.jsonl"
    refused = project.alembic_fails("-x", f"seed_report={file}", "downgrade", "seed_base")
    assert "-x seed_decisions=FILE takes that file back" in refused.err
    (line,) = [json.loads(text) for text in file.read_text("utf-8").splitlines() if "site" in text]
    assert line["found"] == "mine"
    lines = [json.loads(text) | {"decision": "keep"} for text in file.read_text("utf-8").splitlines()]
    file.write_text("".join(json.dumps(one) + "\n" for one in lines), "utf-8")
    script = project.alembic_fails(
        "-x", f"seed_decisions={file}", "downgrade", "seed_0004:seed_base", "--sql"
    )
    assert "seed_decisions needs a database to look at" in script.err
    assert script.code == 2
    done = project.alembic("-x", f"seed_decisions={file}", "downgrade", "seed_base")
    assert "settled by" in done.err
    assert project.database.rows("SELECT site FROM machines") == [("mine",)]
