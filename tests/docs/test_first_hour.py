"""The first command, in a clean checkout on a machine that has Python and make."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docs.story import assert_shows, step, tracked
from tests.support.project import ROOT


def _clean_environment(home: Path) -> dict[str, str]:
    """What a fresh shell has: nothing of this run, but how the machine reaches its package index."""
    passed = re.compile(r"PIP_|(HTTPS?|NO|ALL)_PROXY$|SSL_CERT_|REQUESTS_CA_BUNDLE$|LANG$|LC_", re.I)
    kept = {name: value for name, value in os.environ.items() if passed.match(name)}
    own = str(Path(sys.prefix) / "bin")
    path = os.pathsep.join(one for one in os.environ["PATH"].split(os.pathsep) if one != own)
    # The interpreter below this run's environment: `python3` may be an older one.
    python: Any = getattr(sys, "_base_executable", sys.executable)
    return {**kept, "PATH": path, "HOME": str(home), "PYTHON": python}


@pytest.mark.early
@pytest.mark.long
def test_make_seed_works_from_a_clean_checkout(tmp_path: Path) -> None:
    root, home = tmp_path / "checkout", tmp_path / "home"
    home.mkdir()
    for name in tracked():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)

    command = step("README.md", "make").body.split()
    done = subprocess.run(
        command,
        cwd=root,
        env=_clean_environment(home),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert_shows(done.stdout.splitlines()[-1], step("README.md", "output", "sqlite").body)

    database = sqlite3.connect(root / "seedrail.db")
    for table, expected in _rows_of_documents().items():
        (found,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert found == expected, table
    database.close()


def _rows_of_documents() -> dict[str, int]:
    folder = ROOT / "app" / "scripts" / "db"
    simulations = json.loads((folder / "simulations.json").read_text("utf-8"))
    return {
        "machines": len(json.loads((folder / "machines.json").read_text("utf-8"))),
        "simulations": len(simulations),
        "artifacts": sum(len(one.get("artifacts") or ()) for one in simulations),
        "external_links": sum(len(one.get("links") or ()) for one in simulations),
    }
