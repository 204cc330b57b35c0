"""Bad input to the real commands: one clear error, exit code 1, no traceback, nothing written."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from seedrail.history.changefile import sha256
from tests.support.documents import parent
from tests.support.project import Outcome, Project

SIMULATIONS = "app/scripts/db/simulations.json"
MACHINES = "app/scripts/db/machines.json"
DOCUMENTS = ("machines", "simulations")
SECRET = "hunter2"


def elements(change: Callable[[list], object]) -> Callable[[Project], None]:
    """A change of simulations.json's elements."""
    return lambda project: project.edit("simulations", change)


def text(old: str, new: str) -> Callable[[Project], None]:
    """A change of simulations.json's first such text."""

    def change(project: Project) -> None:
        document = project.document("simulations")
        before = document.read_text("utf-8")
        assert old in before
        document.write_bytes(before.replace(old, new, 1).encode("utf-8", "surrogatepass"))

    return change


def content(name: str, raw: bytes) -> Callable[[Project], None]:
    """A document's whole content."""
    return lambda project: project.document(name).write_bytes(raw) and None


def refer(child: dict, other: dict) -> None:
    """Make one simulation the parent of another."""
    child["parent"] = {key: other[key] for key in parent("")}


def circle(simulations: list) -> None:
    """Three simulations that are each other's parents."""
    for number in range(3):
        refer(simulations[number], simulations[(number + 1) % 3])


Case = tuple[Callable[[Project], None], str]
CASES: dict[str, Case] = {
    "not JSON": (
        text('"name": "E3SM v1 pre-industrial control",', '"name": "E3SM",,'),
        f"{SIMULATIONS}:3: is not JSON: expecting property name enclosed in double quotes (column 20)",
    ),
    "no list": (content("machines", b"{}"), f"{MACHINES}:1: must be a list of objects, not an object"),
    "empty": (content("machines", b""), f"{MACHINES}:1: is empty: it must hold a JSON list, if only []"),
    "byte-order mark": (
        content("machines", b"\xef\xbb\xbf[]"),
        f"{MACHINES}:1: starts with a byte-order mark; save it as UTF-8 without one",
    ),
    "not UTF-8": (content("machines", b"[\n\xff]"), f"{MACHINES}:2: is not UTF-8 (byte 0xff)"),
    "too deep": (
        content("machines", b"[\n" * 100_000),
        f"{MACHINES}:65: is nested deeper than 64 levels",
    ),
    "missing": (
        lambda project: project.document("machines").unlink(),
        f"{MACHINES}: cannot be read: No such file or directory",
    ),
    "element": (elements(lambda all_: all_.insert(0, None)), "[0]: should be an object: found null"),
    "wrong type": (
        elements(lambda all_: all_[3].update(artifacts=[{"kind": 5, "uri": "/x"}])),
        "[3].artifacts[0].kind: should be one of 'output', 'archive', 'run_script', 'postprocessing_script':"
        " found 5",
    ),
    "unknown key": (
        elements(lambda all_: all_[1].update(case_name="x")),
        "[1].case_name: unknown key; did you mean 'caseName'?",
    ),
    "odd key": (elements(lambda all_: all_[1].update({"a\u202e b": 1})), '[1]["a\\u202e b"]: unknown key'),
    "missing key": (elements(lambda all_: all_[1].pop("status")), "[1].status: required key is missing"),
    "unknown enum value": (
        elements(lambda all_: all_[2].update(status="finished")),
        "[2].status: should be one of 'unknown', 'created', 'queued', 'running', 'failed', 'completed':"
        ' found "finished"',
    ),
    "duplicate natural key": (
        elements(lambda all_: all_.append(all_[0])),
        "[98]: duplicate natural key (caseName, machine.name, simulationStartDate): the same as [0] on",
    ),
    "the same instant": (
        elements(lambda all_: all_.append({**all_[0], "simulationStartDate": "0001-01-01T05:00:00+05:00"})),
        "[98]: duplicate natural key (caseName, machine.name, simulationStartDate): the same as [0] on",
    ),
    "duplicate JSON key": (
        text('"esgfSourceId": "E3SM-1-0",', '"esgfSourceId": 1,\n"esgfSourceId": 2,'),
        f"{SIMULATIONS}:32: [0].extra.esgfSourceId: is a duplicate key of its object",
    ),
    "unknown machine": (
        elements(lambda all_: all_[0].update(machine={"name": "deep-thought"})),
        f'{SIMULATIONS}:13: [0].machine.name: nobody defines this row of machines: "deep-thought"',
    ),
    "unknown parent": (
        elements(lambda all_: all_[0].update(parent=parent("nobody", "edison"))),
        '[0].parent: nobody defines this row of simulations: {"caseName": "nobody", ',
    ),
    "its own parent": (elements(lambda all_: refer(all_[0], all_[0])), "[0].parent: is its own ancestor"),
    "circle": (elements(circle), "[0].parent: is its own ancestor, in a circle of 3 rows"),
    "NaN": (text('"sizeBytes": 61481502813595', '"sizeBytes": NaN'), "sizeBytes: is not a finite number"),
    "1e999": (text('"historical": [', '"historical": [1e999,'), "[0].extra.parentBranchYears.historical[0]"),
    "NUL": (
        text("hmarlow", "h\\u0000marlow"),
        "contains a NUL character (U+0000), which no database stores",
    ),
    "lone surrogate": (
        text("hmarlow", "h\\ud800marlow"),
        "contains a lone surrogate (U+D800), which no database stores",
    ),
    "raw surrogate": (text("hmarlow", "h\ud800marlow"), "is not UTF-8 (byte 0xed)"),
    "date": (
        elements(lambda all_: all_[0].update(runEndDate="2018-02-30T00:00:00Z")),
        "[0].runEndDate: is a date or time that does not exist (day is out of range for month):"
        ' found "2018-02-30T00:00:00Z"',
    ),
    "no offset": (
        elements(lambda all_: all_[0].update(runEndDate="2018-02-03T00:00:00")),
        "[0].runEndDate: has no offset from UTC (such as Z or +02:00)",
    ),
    "too long": (
        elements(lambda all_: all_[0].update(gitTag="é" * 256)),
        "[0].gitTag: is too long: 256 characters, at most 255 fit",
    ),
    "key too large": (
        elements(lambda all_: all_[0]["artifacts"][0].update(uri="é" * 2048)),
        "[0].artifacts[0].uri: the natural key takes 4138 bytes, at most 2600 fit",
    ),
    "negative size": (
        elements(lambda all_: all_[0]["artifacts"][0].update(sizeBytes=-1)),
        "[0].artifacts[0].sizeBytes: should be at least 0: found -1",
    ),
    "10,000 digits": (
        text("61481502813595", "9" * 10_000),
        "[0].artifacts[0].sizeBytes: has too many digits for any database",
    ),
}  # fmt: skip


BATCH = """
import contextlib, io, json, logging, pathlib, sys, traceback
from alembic.config import main

results = {}
for case in sorted(pathlib.Path("cases").iterdir()):
    for name in ("machines.json", "simulations.json"):
        target = pathlib.Path("app/scripts/db") / name
        target.unlink(missing_ok=True)
        if (case / name).exists():
            target.write_bytes((case / name).read_bytes())
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(sys.argv[1:]) or 0
        except SystemExit as error:
            code = error.code
        except BaseException:
            code = traceback.format_exc()
    results[case.name] = [code, out.getvalue(), err.getvalue()]
print(json.dumps(results))
"""


def batch(project: Project, *arguments: str) -> dict[str, Outcome]:
    """The real `alembic` for each spoiled copy of the documents: one process starts, not one for each."""
    kept = {name: project.document(name).read_bytes() for name in DOCUMENTS}
    for number, (spoil, _) in enumerate(CASES.values()):
        spoil(project)
        folder = project.root / "cases" / f"{number:03}"
        folder.mkdir(parents=True, exist_ok=True)
        for name in DOCUMENTS:
            if project.document(name).exists():
                shutil.copy(project.document(name), folder)
            project.document(name).write_bytes(kept[name])
    (project.root / "batch.py").write_text(BATCH)
    done = project.run("batch", *arguments)
    assert done.code == 0, done.text
    outcomes = json.loads(done.out)
    return {name: Outcome(*outcomes[f"{number:03}"]) for number, name in enumerate(CASES)}


def told(outcome: Outcome, expected: str) -> bool:
    """Whether it is one report with the expected line, which begins with a file and a line."""
    lines = [line for line in outcome.err.splitlines() if expected in line]
    return (
        outcome.code == 1
        and outcome.err.count("ERROR: ") == 1
        and "nothing was written" in outcome.err
        and "Traceback" not in outcome.text
        and "pydantic" not in outcome.text
        and bool(lines)
        and all(re.match(r"  app/scripts/db/\w+\.json(:\d+)?: ", line) for line in lines)
    )


def test_every_kind_of_bad_document_is_one_clear_error_and_writes_nothing(sqlite_project: Project) -> None:
    project = sqlite_project
    project.start_at("head")
    before, files = project.database.content(ledger=True, volatile=True), project.versions()
    outcomes = batch(project, "revision", "--autogenerate", "-m", "bad")
    assert {name: o.text for name, o in outcomes.items() if not told(o, CASES[name][1])} == {}
    assert project.versions() == files
    assert project.database.content(ledger=True, volatile=True) == before


@pytest.mark.long
def test_every_fault_of_both_documents_is_in_one_report_on_each_database(project: Project) -> None:
    project.start_at("head")
    before, files = project.database.content(ledger=True, volatile=True), project.versions()
    names = ["wrong type", "unknown enum value", "unknown machine", "unknown key", "duplicate natural key"]
    for name in names:
        CASES[name][0](project)
    project.edit("machines", lambda machines: machines[0].update(gpu="yes"))
    outcome = project.alembic_fails("check")
    assert all(told(outcome, CASES[name][1]) for name in names if name != "duplicate natural key")
    assert told(outcome, '[0].gpu: should be true or false: found "yes"')
    assert told(outcome, "duplicate natural key (caseName, machine.name, simulationStartDate)")
    assert f"faults in {MACHINES}, {SIMULATIONS}; nothing was written" in outcome.err
    assert project.versions() == files
    assert project.database.content(ledger=True, volatile=True) == before


@pytest.mark.long
def test_a_report_is_utf_8_where_the_locale_knows_only_ascii(sqlite_project: Project) -> None:
    project = sqlite_project
    project.start_at("head")
    project.edit("simulations", lambda all_: all_[0].update({"ключ": 1, "status": "é\u2028😀"}))
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    outcome = project.alembic_fails("check", **environment)
    assert told(outcome, '[0]["\\u043a\\u043b\\u044e\\u0447"]: unknown key')
    assert told(outcome, 'found "é\\u2028😀"')


def test_an_upgrade_needs_no_documents(sqlite_project: Project) -> None:
    # What is released is in the change files; the documents may be half edited.
    sqlite_project.document("machines").write_text("[{")
    sqlite_project.document("simulations").unlink()
    sqlite_project.alembic("upgrade", "head")
    assert sqlite_project.database.scalar("SELECT count(*) FROM machines") > 0


# -- change files ----------------------------------------------------------------------------------


def change_file(project: Project, revision: str = "seed_0002") -> Path:
    """A shipped revision's change file."""
    return project.root / "migrations" / "seeds" / f"{revision}.jsonl"


def test_a_change_file_with_one_byte_changed_is_refused_and_nothing_is_written(project: Project) -> None:
    path = change_file(project)
    raw = path.read_bytes()
    path.write_bytes(raw[:-20] + bytes([raw[-20] ^ 1]) + raw[-19:])
    outcome = project.alembic_fails("upgrade", "head")
    assert outcome.code == 1
    assert "seed_0002.jsonl: its bytes do not match the digest that revision seed_0002 pins" in outcome.err
    assert "restore the file as it was committed" in outcome.err
    assert project.database.tables() <= {"alembic_version"}


@pytest.mark.parametrize("command", [["check"], ["upgrade", "seed_0001"]])
def test_a_change_file_that_is_missing_is_refused(sqlite_project: Project, command: list[str]) -> None:
    project = sqlite_project
    if command == ["check"]:
        project.alembic("upgrade", "head")
    change_file(project, "seed_0001").unlink()
    before = project.database.content(ledger=True, volatile=True)
    outcome = project.alembic_fails(*command)
    assert outcome.code == 1
    assert "seed_0001.jsonl: cannot be read: No such file or directory" in outcome.err
    assert project.database.content(ledger=True, volatile=True) == before


def test_a_change_file_made_from_another_parent_is_refused(sqlite_project: Project) -> None:
    # seed_0002 is made again with one change less, and pinned so: seed_0003 does not follow from it.
    project = sqlite_project
    path = change_file(project)
    old = path.read_bytes()
    new = b"".join(old.splitlines(keepends=True)[:-1])
    path.write_bytes(new)
    (revision,) = (project.root / "migrations" / "versions").glob("seed_0002_*.py")
    pinned = revision.read_text().replace(sha256(old), sha256(new))
    revision.write_text(pinned)
    outcome = project.alembic_fails("upgrade", "head")
    assert outcome.code == 1
    assert "seed_0003.jsonl: was made from another parent than seed_0002 as it is now" in outcome.err
    assert "delete revision seed_0003 with its change file and generate it again" in outcome.err
    assert project.database.tables() <= {"alembic_version"}


# -- settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "code", "expected"),
    [
        ({"DATABASE_URL": f"postgresql://u:{SECRET}@h:port/d"}, 2, "DATABASE_URL does not parse"),
        ({"DATABASE_URL": f"postgresql://u:x@{SECRET}@h/d"}, 2, "DATABASE_URL is not clear about where"),
        (
            {"DATABASE_URL": f"postgresql://u:{SECRET}@127.0.0.1:1/d"},
            6,
            "cannot use the database postgresql+psycopg://u:***@127.0.0.1:1/d: ",
        ),
        (
            {"DATABASE_URL": f"postgresql://u@127.0.0.1:1/d?password={SECRET}"},
            6,
            "cannot use the database postgresql+psycopg://u:***@127.0.0.1:1/d: ",
        ),
        ({"DATABASE_URL": "sqlite:////no/such/folder/x.db"}, 6, "there is no folder '/no/such/folder'"),
        ({"DATABASE_URL": "sqlite://"}, 2, "DATABASE_URL means a database in memory"),
        ({"APP_ENVIRONMENT": "prod"}, 2, "bad settings: APP_ENVIRONMENT: "),
    ],
)
def test_a_bad_setting_is_one_line_without_the_password(
    sqlite_project: Project, environment: dict[str, str], code: int, expected: str
) -> None:
    outcome = sqlite_project.alembic_fails("upgrade", "head", **environment)
    assert outcome.code == code
    # Behind a database that does not answer: what that usually means.
    line, *advice = outcome.err.splitlines()
    assert len(advice) <= 1
    assert line.startswith("ERROR: ")
    assert expected in line
    assert SECRET not in outcome.text
