"""Accounts are dropped only where somebody says so: whoever takes the schema back may have forgotten them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext, RevisionStep
from sqlalchemy.engine import Connection

from app.core.errors import AppError, ConfigurationError

OPTION = "drop_accounts"
_SAID = f"-x {OPTION}=yes"

_PEOPLE = "SELECT count(*) FROM users WHERE kind = 'person'"
_COUNTS = {
    ("person", "people"): _PEOPLE,
    ("service", "services"): _PEOPLE.replace("person", "service"),
    ("token", "tokens"): "SELECT count(*) FROM api_tokens",
    ("entry of the audit trail", "entries of the audit trail"): "SELECT count(*) FROM audit_events",
}
_TABLES = ("users", "api_tokens", "audit_events")

_guard = sa.Table(
    "accounts_guard",
    sa.MetaData(),
    sa.Column("n", sa.Integer(), nullable=False),
    sa.CheckConstraint("n = 0", name="accounts_are_there"),
    prefixes=["TEMPORARY"],
)


class AccountsInTheWay(AppError):
    """A downgrade would drop accounts, and nobody said that it may; `counts` says what is there."""

    def __init__(self, counts: Mapping[tuple[str, str], int]) -> None:
        self.counts = counts
        found = [f"{n} {one if n == 1 else more}" for (one, more), n in counts.items() if n]
        listed = " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)
        super().__init__(
            f"the downgrade would drop the accounts, with {listed}; nothing was written\n"
            f"  keep them with another target, such as 0001; to drop them for good, say so:"
            f" alembic {_SAID} downgrade …"
        )


def ask_before_dropping(context: MigrationContext, arguments: Mapping[str, str]) -> None:
    """Let a run that drops accounts, by a revision with `drops_accounts`, begin only where it may.

    `arguments` are those of `-x`; ConfigurationError for another value than yes. Before `seedrail.begin`,
    which takes over the steps. A script, which cannot look, stops where there are accounts.
    """
    said = arguments.get(OPTION)
    if said not in (None, "yes"):
        raise ConfigurationError(f"-x {OPTION} takes yes, and nothing else")
    steps_of: Callable[..., Iterable[Any]] | None = context.opts.get("fn")
    if steps_of is None or said:
        return

    @wraps(steps_of)
    def asked(heads: Sequence[str], running: MigrationContext) -> list[Any]:
        steps = list(steps_of(heads, running))
        if any(map(_drops, steps)):
            _stop_at_accounts(running)
        return steps

    context.opts["fn"] = asked


def _drops(step: Any) -> bool:
    return (
        isinstance(step, RevisionStep)
        and step.is_downgrade
        and bool(getattr(step.revision.module, "drops_accounts", False))
    )


def _stop_at_accounts(context: MigrationContext) -> None:
    if context.as_sql:
        _write_guard(context)
    elif context.connection is not None:
        counts = _count(context.connection)
        if any(counts.values()):
            raise AccountsInTheWay(counts)


def _count(connection: Connection) -> dict[tuple[str, str], int]:
    inspector = sa.inspect(connection)
    there = [table for table in _TABLES if inspector.has_table(table)]
    if there and connection.dialect.name == "postgresql":
        # Nobody adds an account between the count and the end.
        connection.execute(sa.text(f"LOCK TABLE {', '.join(there)} IN ACCESS EXCLUSIVE MODE"))
    return {
        names: connection.scalar(sa.text(query)) or 0
        for names, query in _COUNTS.items()
        if any(f"FROM {table}" in query for table in there)
    }


def _write_guard(context: MigrationContext) -> None:
    context.execute(sa.schema.CreateTable(_guard))
    for query in _COUNTS.values():
        context.impl.static_output(
            f"-- stops here if there are accounts: {_SAID} writes a script that drops them"
        )
        context.execute(sa.text(f"INSERT INTO accounts_guard (n) {query}"))
    context.execute(sa.schema.DropTable(_guard))
