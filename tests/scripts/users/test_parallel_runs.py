"""Twenty runs at once, as processes, end in one account and one token, which one of them shows."""

import json

import pytest
from sqlalchemy.orm import Session

from app.features.users.service import verify_token
from tests.scripts.users.running import PROVISION
from tests.support.project import Project, end

RUNS = 20


@pytest.mark.long
def test_of_twenty_runs_at_once_one_issues_the_token_and_the_others_are_content(project: Project) -> None:
    project.start_at("head")
    arguments = (PROVISION, "--service-name", "ingest-bot", "--ensure", "--format", "json")
    runs = [project.start(*arguments, "--lock-timeout", "60") for _ in range(RUNS)]
    outcomes = [end(run) for run in runs]
    assert [outcome.code for outcome in outcomes] == [0] * RUNS, outcomes
    results = [json.loads(outcome.out) for outcome in outcomes]
    [shown] = [result for result in results if result["token"]]
    assert sum(result["new_account"] for result in results) == 1
    assert {result["token_id"] for result in results} == {shown["token_id"]}
    counts = [project.database.scalar(f"SELECT count(*) FROM {table}") for table in ("users", "api_tokens")]
    assert counts == [1, 1]
    told = project.database.rows("SELECT action FROM audit_events ORDER BY action")
    assert [row.action for row in told] == ["service.created", "token.issued"]
    with Session(project.database.engine) as session:
        assert verify_token(session, shown["token"], "ingest:write") is not None
