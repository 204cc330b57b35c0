"""The engine can be lifted out: it imports nothing of the application around it."""

import ast
from pathlib import Path

import pytest

from app.core.config import ROOT

MODULES = sorted((ROOT / "seedrail").rglob("*.py"))


def imported(module: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_nothing_of_the_application_but_the_engine(module: Path) -> None:
    own = {name for name in imported(module) if name == "app" or name.startswith("app.")}
    assert {name for name in own if not name.startswith("seedrail")} == set()
