"""Seeds go and come back; accounts, tokens and their trail stay as they are, and the scripts go on."""

from typing import Any

import pytest

from tests.features.users.support import EMAIL, PASSWORD
from tests.scripts.users.running import Commands
from tests.support.project import Project


def accounts(project: Project) -> dict[str, list[Any]]:
    content = project.database.content(volatile=True)
    return {name: content[name] for name in ("users", "api_tokens", "audit_events")}


@pytest.mark.long_on("postgresql")
def test_seeds_that_go_and_come_back_never_touch_accounts(project: Project) -> None:
    project.start_at("head")
    commands = Commands(project.database)
    assert commands.bot("--format", "json").code == 0
    assert commands.admin("--email", EMAIL, APP_ADMIN_PASSWORD=PASSWORD.get_secret_value()).code == 0
    before = accounts(project)
    assert [len(rows) for rows in before.values()] == [2, 1, 3]
    project.alembic("downgrade", "seed_base")
    assert project.database.scalar("SELECT count(*) FROM machines") == 0
    assert accounts(project) == before
    assert commands.bot("--rotate", "--format", "json").code == 0
    assert commands.admin("--email", EMAIL).err == f"admin {EMAIL}: unchanged\n"
    rotated = accounts(project)
    project.alembic("upgrade", "head")
    assert project.database.scalar("SELECT count(*) FROM machines") > 0
    assert accounts(project) == rotated
