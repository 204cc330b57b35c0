"""The jobs that pages offer do what they say, as far as a machine without their services can tell."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.project import ROOT, Project

JOB = yaml.safe_load((ROOT / ".github/workflows/seeds.yml").read_text("utf-8"))
GH = '#!/bin/sh\necho "$@" > posted\ncat "$5" >> posted\n'


def steps() -> dict[str, dict[str, Any]]:
    """The job's named steps."""
    return {step["name"]: step for step in JOB["jobs"]["show"]["steps"] if "name" in step}


def git(root: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    return subprocess.run(
        ["git", *who, *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def checkout(sqlite_project: Project) -> Path:
    """A repository: first without seeds, then as it is, then with a revision more."""
    root = sqlite_project.root
    (root / ".gitignore").write_text("*.db\n__pycache__\nbin\n")
    git(root, "init", "-q")
    git(root, "add", "-A", ":!migrations/seeds")
    git(root, "commit", "-qm", "without seeds")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "with seeds")
    sqlite_project.start_at("head")
    sqlite_project.edit("machines", lambda machines: machines[0].update(site="Argonne"))
    sqlite_project.alembic("revision", "--autogenerate", "-m", "site")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "a branch")
    (root / "bin").mkdir()
    (root / "bin" / "gh").write_text(GH)
    (root / "bin" / "gh").chmod(0o755)
    return root


def run(checkout: Path, base: str) -> str:
    """What the steps post for a branch that left that commit."""
    path = os.pathsep.join([str(checkout / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    given = {"BASE": git(checkout, "rev-parse", base), "GITHUB_STEP_SUMMARY": "summary", "NUMBER": "7"}
    environment = {**os.environ, **given, "PATH": path, "PYTHONPATH": str(checkout)}
    for name in ("Show", "Post"):
        subprocess.run(
            ["bash", "-e", "-c", steps()[name]["run"]], cwd=checkout, env=environment, check=True, timeout=60
        )
    return (checkout / "posted").read_text("utf-8") if (checkout / "posted").exists() else ""


def test_a_pull_request_is_told_what_its_own_revisions_do(checkout: Path) -> None:
    command, told = run(checkout, "HEAD~1").split("\n", 1)
    assert command == "pr comment 7 --body-file comment.md --edit-last --create-if-none"
    assert told.startswith("**`seed_0005`**: 1 update\n\n```diff\n! machines (")
    assert "+   site: 'Argonne'" in told
    assert "seed_0004" not in told
    assert (checkout / "summary").read_text("utf-8") == told


def test_what_is_too_long_for_a_comment_is_cut_and_the_summary_has_it(checkout: Path) -> None:
    told = run(checkout, "HEAD~2")
    assert "This is the beginning; the summary of the job `seeds` has more." in told
    assert 50_000 < len(told) < 65_536
    assert len((checkout / "summary").read_text("utf-8")) > len(told)


def test_a_pull_request_without_seeds_is_told_nothing(checkout: Path) -> None:
    assert run(checkout, "HEAD") == ""


def test_a_revision_that_cannot_be_shown_fails_the_job(checkout: Path) -> None:
    with (checkout / "migrations/seeds/seed_0005.jsonl").open("a") as file:
        file.write("{}\n")
    with pytest.raises(subprocess.CalledProcessError):
        run(checkout, "HEAD~1")


def test_the_job_for_pull_requests_has_the_rights_that_it_needs_and_no_others() -> None:
    assert JOB["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert JOB[True] == {"pull_request": {"paths": ["migrations/seeds/**"]}}
    assert "${{" not in "".join(step.get("run", "") for step in steps().values())


def test_the_job_in_a_cluster_runs_the_seeds_once_without_root_and_without_a_secret_in_it() -> None:
    job = yaml.safe_load((ROOT / "deploy/seed-job.yaml").read_text("utf-8"))
    pod = job["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert (job["apiVersion"], job["kind"], job["spec"]["backoffLimit"]) == ("batch/v1", "Job", 0)
    assert container["args"] == ["python", "-m", "app.scripts.db.seed", "--wait", "60"]
    assert pod["restartPolicy"] == "Never"
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    environment = {one["name"]: one for one in container["env"]}
    assert environment["APP_ENVIRONMENT"]["value"] == "production"
    assert "secretKeyRef" in environment["PGPASSWORD"]["valueFrom"]
    assert "@database" in environment["DATABASE_URL"]["value"]
