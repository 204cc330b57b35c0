"""What others install: the library alone, typed, which needs nothing but what it asks for."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.project import ROOT

IMPORTS_ALL = """
import importlib, pkgutil
import seedrail

for name in seedrail.__all__:
    getattr(seedrail, name)
for module in pkgutil.walk_packages(seedrail.__path__, "seedrail."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        print(module.name, error.name)
print(seedrail.__file__)
"""
OF_EXTRAS = ["seedrail.dialects.odd_text psycopg", "seedrail.testing pytest"]
"""What is imported for one kind of PostgreSQL database, and for tests, and what it takes from an extra."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as pip builds it for whoever installs the project."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("seedrail", "app", "migrations", "benchmarks"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, root)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "built", "."]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    [built] = (root / "built").iterdir()
    return built


def required(wheel: Path) -> list[str]:
    """The requirements that no extra asks for."""
    with ZipFile(wheel) as file:
        [name] = [one for one in file.namelist() if one.endswith(".dist-info/METADATA")]
        asked = message_from_bytes(file.read(name)).get_all("Requires-Dist") or []
    return [one for one in asked if "extra ==" not in one]


def distributions(requirements: list[str]) -> Iterator[importlib.metadata.Distribution]:
    """Those of this environment that requirements lead to."""
    from packaging.requirements import Requirement

    waiting, seen = [*requirements], set()
    while waiting:
        one = Requirement(waiting.pop())
        if one.name.lower() not in seen and (one.marker is None or one.marker.evaluate({"extra": ""})):
            seen.add(one.name.lower())
            found = importlib.metadata.distribution(one.name)
            waiting += found.requires or []
            yield found


def test_what_is_pinned_runs_on_the_oldest_python_that_the_project_allows() -> None:
    # Where one pin is impossible, pip looks for other versions of everything else, without a word and an end.
    from packaging.specifiers import SpecifierSet

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest = project["requires-python"].removeprefix(">=") + ".0"
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(), re.M)
    installed = {one.name.lower().replace("_", "-"): one for one in importlib.metadata.distributions()}
    asked = {
        name: installed[name].metadata["Requires-Python"] or ""
        for name in (pin.lower().replace("_", "-") for pin in pinned)
        if name in installed
    }
    assert len(asked) > 50
    assert {name: asks for name, asks in asked.items() if not SpecifierSet(asks).contains(oldest)} == {}


@pytest.mark.long
def test_the_wheel_holds_the_library_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as file:
        names = set(file.namelist())
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "seedrail").rglob("*.py")}
    assert {name for name in names if ".dist-info/" not in name} == {*sources, "seedrail/py.typed"}
    asked = {re.split(r"[^\w-]", one)[0] for one in required(wheel)}
    assert asked == {"alembic", "msgspec", "pydantic", "rich", "sqlalchemy", "typer"}


@pytest.mark.long
def test_the_library_is_imported_where_nothing_but_its_requirements_is(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "empty", with_pip=False)
    site = next((tmp_path / "empty" / "lib").glob("python*/site-packages"))
    with ZipFile(wheel) as file:
        file.extractall(site)
    for distribution in distributions(required(wheel)):
        for top in {path.parts[0] for path in distribution.files or () if path.parts[0] not in ("..", "/")}:
            source = Path(str(distribution.locate_file(top)))
            if source.exists() and not (site / top).exists():
                (site / top).symlink_to(source)
    done = subprocess.run(
        [tmp_path / "empty" / "bin" / "python", "-I", "-c", IMPORTS_ALL],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [*OF_EXTRAS, str(site / "seedrail" / "__init__.py")]
