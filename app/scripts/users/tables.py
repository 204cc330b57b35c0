"""Accounts and tokens as tables and as JSON: everything but the secrets, which nobody has."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from app.features.users import ApiToken, User
from app.features.users.service import Account, Expiring, TokenStatus
from app.scripts.users.output import SecretFormat
from seedrail import shown

Listed = Iterable[tuple[ApiToken, TokenStatus]]

_TOKEN = ("ID", "NAME", "TOKEN", "STATUS", "SCOPES", "EXPIRES", "LAST USED")
_ACCOUNT = ("ACCOUNT", "KIND", "ROLE", "ACTIVE", "PASSWORD", "LAST CHANGE")


def token_list(tokens: Listed, form: SecretFormat | None) -> str:
    """A service's tokens."""
    if form is SecretFormat.JSON:
        return json.dumps([_token_entry(token, status) for token, status in tokens])
    return _table(_TOKEN, (_token_line(token, status) for token, status in tokens))


def account_list(accounts: Sequence[Account], form: SecretFormat | None) -> str:
    """All accounts, and their tokens."""
    if form is SecretFormat.JSON:
        return json.dumps({"accounts": [_account_entry(account) for account in accounts]})
    tokens = (
        (_name(account.user), *_token_line(token, status))
        for account in accounts
        for token, status in account.tokens
    )
    table = _table(_ACCOUNT, map(_account_line, accounts))
    return table + "\n\n" + _table(("ACCOUNT", *_TOKEN), tokens)


def expiring_list(expiring: Sequence[Expiring], form: SecretFormat | None) -> str:
    """Tokens that end soon, or have ended, with the services that need them."""
    if form is SecretFormat.JSON:
        entries = [
            {"service": one.user.service_name, **_token_entry(one.token, one.status)} for one in expiring
        ]
        return json.dumps(entries)
    lines = ((_name(one.user), *_token_line(one.token, one.status)) for one in expiring)
    return _table(("ACCOUNT", *_TOKEN), lines)


def _table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [tuple(heads), *(tuple(map(_ascii, line)) for line in lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _ascii(text: str) -> str:
    # A pipe may have another encoding, and a table has columns of characters as wide as one.
    return text.replace("…", "...").encode("ascii", "backslashreplace").decode()


def _name(user: User) -> str:
    return shown(user.email or user.service_name)


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "never"


def _account_line(account: Account) -> tuple[str, ...]:
    user = account.user
    flags = ("yes" if flag else "no" for flag in (user.is_active, account.has_password))
    return (_name(user), user.kind, user.role, *flags, _moment(user.updated_at))


def _token_line(token: ApiToken, status: TokenStatus) -> tuple[str, ...]:
    return (
        str(token.id),
        shown(token.name),
        f"{shown(token.display_prefix)}...",
        status.value,
        ",".join(map(shown, token.scopes)),
        _moment(token.expires_at),
        _moment(token.last_used_at),
    )


def _account_entry(account: Account) -> dict[str, Any]:
    user = account.user
    return {
        "id": str(user.id),
        "kind": user.kind,
        "email": user.email,
        "service": user.service_name,
        "role": user.role,
        "active": user.is_active,
        "password_set": account.has_password,
        "created_at": user.created_at.isoformat(),
        "updated_at": user.updated_at.isoformat(),
        "tokens": [_token_entry(token, status) for token, status in account.tokens],
    }


def _token_entry(token: ApiToken, status: TokenStatus) -> dict[str, Any]:
    times = ("created_at", "expires_at", "revoked_at", "last_used_at")
    return {
        "id": str(token.id),
        "name": token.name,
        "prefix": token.display_prefix,
        "status": status.value,
        "scopes": token.scopes,
        "created_by": token.created_by,
        "replaces": str(token.replaces_id) if token.replaces_id else None,
        **{name: moment.isoformat() if (moment := getattr(token, name)) else None for name in times},
    }
