"""A library of rooms: it knows no application, arrows between rooms run downwards, and it has one door."""

import ast
from pathlib import Path

import pytest

import seedrail
from app.core.config import ROOT

LIBRARY = sorted((ROOT / "seedrail").rglob("*.py"))
APPLICATION = sorted([*(ROOT / "app").rglob("*.py"), *(ROOT / "migrations").rglob("*.py")])

KNOWS = {
    "schema": set(),
    "dialects": {"schema"},
    "documents": {"schema"},
    "history": {"schema"},
    "merge": {"schema", "dialects", "history"},
    "integration": {"schema", "dialects", "documents", "history", "merge"},
    "commands": {"schema", "dialects", "documents", "history", "merge", "integration"},
    "testing": {"schema", "dialects", "history", "merge", "integration", "commands"},
}
"""What each room may import, beside the files that stand in the hall."""


def imported(module: Path) -> set[str]:
    """The modules that a module imports anywhere, and what it takes from them, with dots."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room_of(name: str) -> str:
    """The room of a dotted name below `seedrail`; nothing for the hall."""
    return next((part for part in name.split(".")[1:2] if part in KNOWS), "")


def dotted(module: Path) -> str:
    return ".".join(module.relative_to(ROOT).with_suffix("").parts)


def shown(module: Path) -> str:
    return str(module.relative_to(ROOT))


@pytest.mark.parametrize("module", LIBRARY, ids=shown)
def test_the_library_imports_nothing_of_the_application(module: Path) -> None:
    assert not {name for name in imported(module) if name.split(".")[0] in ("app", "migrations", "tests")}


def test_arrows_between_rooms_run_downwards() -> None:
    arrows = {
        (shown(module), room_of(name))
        for module in LIBRARY
        for name in imported(module)
        if name.startswith("seedrail.") and (room := room_of(dotted(module)))
        if room_of(name) not in {"", room} | KNOWS[room]
    }
    assert arrows == set()


def test_every_room_is_listed_and_no_circle_is_allowed() -> None:
    rooms = {
        path.parent.relative_to(ROOT / "seedrail").parts[0]
        for path in LIBRARY
        if path.parent.name != "seedrail"
    }
    assert rooms == set(KNOWS)
    below: set[str] = set()
    for room, known in KNOWS.items():
        assert known <= below, f"{room} stands above what it knows"
        below.add(room)


def test_the_hall_knows_rooms_only_for_types_and_its_door() -> None:
    """Errors, quoting and the like are used by every room, and therefore know none when they are imported."""
    for module in (ROOT / "seedrail").glob("*.py"):
        tree = ast.parse(module.read_text("utf-8"))
        for node in tree.body:
            if isinstance(node, ast.ImportFrom):
                assert room_of(node.module or "") == "", shown(module)


def test_a_room_has_at_most_eight_files() -> None:
    crowded = {
        str(folder.relative_to(ROOT / "seedrail"))
        for folder in {module.parent for module in LIBRARY}
        if len([*folder.glob("*.py")]) > 8
    }
    assert crowded == set()


@pytest.mark.parametrize("module", APPLICATION, ids=shown)
def test_the_application_uses_the_front_door(module: Path) -> None:
    used = {name for name in imported(module) if name.split(".")[0] == "seedrail"}
    assert used <= {"seedrail", *(f"seedrail.{name}" for name in seedrail.__all__)}


@pytest.mark.parametrize("name", seedrail.__all__)
def test_everything_behind_the_front_door_is_there(name: str) -> None:
    assert getattr(seedrail, name) is not None
