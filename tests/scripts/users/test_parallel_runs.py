"""Twenty runs at once, as processes: one token where one is asked for, and of twenty the newest two live."""

import json

import pytest
from sqlalchemy.orm import Session

from app.core.clock import utcnow
from app.features.users.service import list_tokens, verify_token
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


@pytest.mark.long
def test_of_twenty_rotations_at_once_the_last_two_tokens_live(project: Project) -> None:
    project.start_at("head")
    arguments = (PROVISION, "--service-name", "ingest-bot", "--format", "json", "--lock-timeout", "60")
    outcomes = [end(project.start(*arguments))]
    # One in four is content with what is there, and must find a token at every moment.
    options = ["--ensure" if number % 4 == 3 else "--rotate" for number in range(RUNS + RUNS // 3)]
    runs = [project.start(*arguments, option) for option in options]
    outcomes += [end(run) for run in runs]
    assert [outcome.code for outcome in outcomes] == [0] * len(outcomes), outcomes
    results = [json.loads(outcome.out) for outcome in outcomes]
    replaced = {result["replaces"]: result for result in results if result["token"]}
    assert [result["token_id"] for result in results if not result["token"]] != []
    chain = [replaced.pop(None)]
    while replaced:
        chain.append(replaced.pop(chain[-1]["token_id"]))
    assert len(chain) == RUNS + 1
    with Session(project.database.engine) as session:
        listed = [token for token, _ in list_tokens(session, "ingest-bot")]
        assert [str(token.id) for token in reversed(listed)] == [result["token_id"] for result in chain]
        created = [token.created_at for token in reversed(listed)]
        assert created == sorted(set(created))
        living = [token.is_active(utcnow()) for token in reversed(listed)]
        assert living == [False] * (RUNS - 1) + [True] * 2
        works = [verify_token(session, result["token"], "ingest:write") is not None for result in chain]
        assert works == living
