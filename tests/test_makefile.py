"""`make` on machines that lack something: one sentence, and the next try goes through.

The interpreters here are stand-ins whose `venv` and `pip` do next to nothing, but fail as they are told;
`test_make_seed_works_from_a_clean_checkout` makes a real environment.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.project import ROOT

# What follows `-c` is run by the real interpreter, after a line that takes something away from it.
PYTHON = """#!/bin/sh
case "$1 $2" in
"-m venv") {venv} ;;
"-m pip") echo "$@" >> "{calls}"; {pip} ;;
*) exec {real} -c "import sys; {without}; exec(sys.argv[1])" "$2" ;;
esac
"""
MAKES = 'mkdir -p "$3/bin"; cp "$0" "$3/bin/python"'
OLD = "sys.version_info = (3, 10, 12)"
NO_VENV = "sys.modules['ensurepip'] = None"
NO_PIP = "sys.modules['pip'] = None"


@dataclass
class Machine:
    """A checkout, and interpreters for it."""

    root: Path

    def python(self, name: str, *, venv: str = MAKES, pip: str = ":", without: str = "pass") -> str:
        """A stand-in for an interpreter."""
        path = self.root / name
        text = PYTHON.format(venv=venv, pip=pip, without=without, real=sys.executable, calls=self.calls)
        path.write_text(text)
        path.chmod(0o755)
        return str(path)

    @property
    def calls(self) -> Path:
        return self.root / "calls"

    def installs(self) -> int:
        """How many times pip was called to install something."""
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0

    def make(self, python: str, target: str = "install") -> subprocess.CompletedProcess[str]:
        # Tests may be run by a `make` themselves, whose children speak differently.
        env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        return subprocess.run(
            ["make", target, f"PYTHON={python}"],
            cwd=self.root,
            env=env,
            text=True,
            capture_output=True,
            check=False,
            timeout=60,
        )

    def refuses(self, python: str, sentence: str) -> None:
        """`make` fails with this sentence and no other but its own."""
        done = self.make(python)
        assert done.returncode != 0
        assert done.stdout == ""
        error, makes_own = done.stderr.splitlines()
        assert sentence in error
        assert error.startswith("ERROR: ")
        assert makes_own.startswith("make: ***")

    def works(self, python: str) -> None:
        done = self.make(python)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "scripts").mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "scripts/environment"):
        shutil.copy(ROOT / name, tmp_path / name)
    return Machine(tmp_path)


REFUSED = {
    "too old": ({"without": OLD}, "is Python 3.10.12, and 3.11 or newer is needed: name another one"),
    "without venv": ({"without": NO_VENV}, "comes without its venv module: install it (Debian, Ubuntu: apt"),
    "venv that fails": (
        {"venv": MAKES + "; echo 'No space left on device' >&2; exit 1"},
        "could not make '.venv': No space left on device",
    ),
}


@pytest.mark.parametrize("lack", REFUSED)
def test_a_python_that_will_not_do_is_one_sentence_and_another_one_heals_it(
    machine: Machine, lack: str
) -> None:
    stand_in, sentence = REFUSED[lack]
    for _ in range(2):
        machine.refuses(machine.python("python3", **stand_in), sentence)
    assert machine.installs() == 0
    machine.works(machine.python("python3"))
    assert machine.installs() == 1


@pytest.mark.parametrize("name", ["python9", ""])
def test_a_python_that_is_not_there_is_one_sentence(machine: Machine, name: str) -> None:
    machine.refuses(name, f"there is no '{name}' here: install Python 3.11 or newer")


def test_what_is_no_python_is_one_sentence(machine: Machine) -> None:
    machine.refuses("/bin/false", "'/bin/false' does not run as a Python")


@pytest.mark.parametrize("lack", [OLD, NO_PIP])
def test_an_environment_of_an_old_python_or_without_pip_is_made_anew(machine: Machine, lack: str) -> None:
    (machine.root / ".venv" / "bin").mkdir(parents=True)
    machine.python(".venv/bin/python", without=lack)
    (machine.root / ".venv" / ".installed").touch()
    machine.works(machine.python("python3"))
    assert machine.installs() == 1


def test_an_environment_whose_interpreter_is_gone_is_made_anew(machine: Machine) -> None:
    python = machine.python("python3")
    machine.works(python)
    (machine.root / ".venv/bin/python").unlink()
    (machine.root / ".venv/bin/python").symlink_to("python9")
    machine.works(python)
    assert machine.installs() == 2


@pytest.mark.parametrize("step", ["venv", "pip"])
def test_what_was_cut_off_is_made_anew(machine: Machine, step: str) -> None:
    # The script goes down with its child, as with Ctrl-C, or when the machine does.
    cut = {"venv": MAKES + "; kill -9 $PPID", "pip": ":"}
    if step == "pip":
        cut = {"venv": MAKES, "pip": "kill -9 $PPID"}
    assert machine.make(machine.python("python3", **cut)).returncode != 0
    left = machine.root / ".venv" / "left"
    left.touch()
    machine.works(machine.python("python3"))
    assert not left.exists()


def test_without_a_network_pips_reason_is_told_and_the_next_try_goes_on(machine: Machine) -> None:
    fails = machine.python(
        "python3", pip="echo 'ERROR: No matching distribution found for alembic' >&2; exit 1"
    )
    machine.refuses(
        fails, "pip says 'No matching distribution found for alembic' (all of it is in .venv/pip.log)"
    )
    kept = machine.root / ".venv" / "kept"
    kept.touch()
    shutil.copy(machine.python("python3"), machine.root / ".venv/bin/python")
    machine.works("python9")
    assert kept.exists()


@pytest.mark.long
def test_a_changed_list_of_what_is_needed_is_installed_once(machine: Machine) -> None:
    python = machine.python("python3")
    for _ in range(2):
        machine.works(python)
    assert machine.installs() == 1
    for number, name in enumerate(("pyproject.toml", "constraints.txt"), start=2):
        stamp = (machine.root / ".venv/.installed").stat().st_mtime
        (machine.root / name).touch()
        assert (machine.root / name).stat().st_mtime >= stamp
        for _ in range(2):
            machine.works(python)
        assert machine.installs() == number


def test_what_tests_need_comes_with_dev_and_covers_install(machine: Machine) -> None:
    python = machine.python("python3")
    assert machine.make(python, "dev").returncode == 0
    assert machine.calls.read_text().rstrip().endswith("-c constraints.txt -e .[catalog,dev]")
    machine.works(python)
    assert machine.installs() == 1


def test_the_python_that_is_asked_for_is_the_one_of_pyproject() -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    script = (ROOT / "scripts/environment").read_text()
    (major, minor) = re.findall(r"sys\.version_info < \((\d), (\d+)\)", script)[0]
    assert needed == f">={major}.{minor}"
    assert script.count(f"{major}.{minor} or newer") == 2


def test_help_explains_every_target(machine: Machine) -> None:
    targets = re.search(r"\.PHONY: (.*)", (ROOT / "Makefile").read_text())
    assert targets
    told = machine.make("", "help").stdout
    assert [one for one in targets[1].split() if not re.search(rf"^  make {one} ", told, re.M)] == []
