"""What builds and runs elsewhere, as far as it can be checked here: files, commands, order, secrets."""

import importlib.util
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import PurePath

import pytest

from tests.support.project import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "compose.yaml").read_text()
WORKFLOW = (ROOT / ".github/workflows/ci.yml").read_text()
PRE_COMMIT = (ROOT / ".pre-commit-config.yaml").read_text()
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()


def copied() -> Iterator[str]:
    """What the Dockerfile takes over."""
    for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.M):
        yield from line.split()[:-1]


def commands() -> list[list[str]]:
    """The words of each command that an image or a service starts with."""
    listed = re.findall(r"^CMD \[(.+)\]$", DOCKERFILE, re.M)
    listed += re.findall(r"^    command: \[(.+)\]$", COMPOSE, re.M)
    return [[word.strip(' "') for word in one.split(",")] for one in listed]


def service(name: str) -> str:
    """A service's lines."""
    found = re.search(rf"^  {name}:\n((?:    .*\n|\n)+)", COMPOSE, re.M)
    assert found
    return found[1]


def test_the_image_takes_over_files_that_exist_and_that_are_let_in() -> None:
    assert [name for name in copied() if not (ROOT / name).exists()] == []
    allowed = {line[1:] for line in IGNORED if line.startswith("!")}
    assert set(copied()) == allowed
    assert "*" in IGNORED
    assert not [name for name in allowed if PurePath(name).name.startswith(".env")]


def test_the_image_holds_all_that_a_run_needs() -> None:
    # What `Project.copy_to` copies is what the tests' commands run with.
    assert {"app", "seedrail", "migrations", "alembic.ini"} <= set(copied())
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {needed["readme"], *needed["license-files"], "pyproject.toml", "constraints.txt"} <= set(copied())
    assert re.findall(r"^FROM python:(.+)-slim$", DOCKERFILE, re.M) == [needed["requires-python"][2:]]


def test_nobody_runs_as_root_and_no_secret_is_built_in() -> None:
    instructions = re.findall(r"^([A-Z]+) ", DOCKERFILE, re.M)
    assert instructions.index("USER") == len(instructions) - 2
    assert "USER seedrail\n" in DOCKERFILE
    assert "ARG" not in instructions
    for text in (DOCKERFILE, COMPOSE):
        given = re.findall(r"(?i)\w*(?:password|secret|token)\w*[:=] ?(.*)", text)
        assert [value for value in given if not value.startswith("${CATALOG_PASSWORD:?")] == []
    assert not re.search(r"://[^@\s]*:[^@\s]*@", COMPOSE)


def test_the_commands_are_real_ones() -> None:
    found = commands()
    assert ["python", "-m", "app.scripts.db.seed"] in found
    assert ["python", "-m", "app.scripts.db.seed", "--wait", "60"] in found
    for command in found:
        if command[:2] == ["python", "-m"]:
            assert importlib.util.find_spec(command[2]), command
        else:
            assert command == ["alembic", "current"]


def test_the_application_starts_after_seeds_that_ended_well_on_a_healthy_database() -> None:
    assert re.search(r"seed:\n\s+condition: service_completed_successfully\n", service("application"))
    assert re.search(r"database:\n\s+condition: service_healthy\n", service("seed"))
    assert "healthcheck:" in service("database")
    assert 'restart: "no"' in service("seed")
    assert re.findall(r"^    environment: (\S+)", service("application"), re.M) == ["*environment"]


@pytest.mark.parametrize("text", [COMPOSE, WORKFLOW, PRE_COMMIT], ids=["compose", "workflow", "pre-commit"])
def test_files_for_others_are_indented_by_twos_and_without_tabs(text: str) -> None:
    assert "\t" not in text
    assert [line for line in text.splitlines() if (len(line) - len(line.lstrip(" "))) % 2] == []


def test_the_workflow_runs_what_runs_everywhere() -> None:
    assert "- run: .ci/run\n" in WORKFLOW
    assert "permissions:\n  contents: read\n" in WORKFLOW
    assert subprocess.run(["bash", "-n", ROOT / ".ci/run"], check=False).returncode == 0
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
    assert (ROOT / "scripts/environment").stat().st_mode & 0o111


def test_pre_commit_fetches_nothing_and_runs_tools_that_make_dev_brings() -> None:
    assert re.findall(r"- repo: (\S+)", PRE_COMMIT) == ["local"]
    assert "://" not in PRE_COMMIT
    brought = " ".join(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["dev"]
    )
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    for entry in re.findall(r"entry: (.+)", PRE_COMMIT):
        tool, *words = entry.split()
        if tool == "make":
            assert words[0] in targets
        else:
            assert f"{PurePath(tool).name}>=" in brought
            assert PurePath(tool).parent == PurePath(".venv/bin")


def test_the_licence_is_the_one_that_pyproject_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
