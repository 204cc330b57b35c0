"""What the account scripts do with what is there: listed, checked, revoked, switched off and on."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import UUID

import typer
from sqlalchemy.orm import Session

from app.core.database import transaction
from app.core.errors import ConfigurationError
from app.core.streams import say
from app.features.users import ApiToken, service
from app.features.users.audit import operator
from app.features.users.service import Issued, Leak, Revoked, Switched, TokenStatus
from app.scripts.exits import TOKENS_EXPIRE
from app.scripts.users.asking import leaked_text
from app.scripts.users.issuing import issue
from app.scripts.users.output import Format, SecretFormat, show, show_account
from app.scripts.users.tables import account_list, expiring_list, token_list


def list_all(name: str | None, form: SecretFormat | None) -> None:
    """Show a service's tokens, or every account and token."""
    with transaction(commit=False) as session:
        if name is None:
            show(account_list(service.list_accounts(session), form))
        else:
            show(token_list(service.list_tokens(session, name), form))


def check_expiry(name: str | None, days: int, form: SecretFormat | None) -> None:
    """Show the tokens that end soon, and end with a code of its own; without any, text says nothing."""
    with transaction(commit=False) as session:
        expiring = service.expiring_tokens(session, name, days=days)
    if expiring or form is SecretFormat.JSON:
        show(expiring_list(expiring, form))
    if expiring:
        say(
            f"{_counted(len(expiring))} {'ends' if len(expiring) == 1 else 'end'} within {days} days, or did:"
            " --rotate issues a new one, --revoke ends one that nobody needs"
        )
        raise typer.Exit(TOKENS_EXPIRE)


def revoke(name: str | None, what: str, *, dry_run: bool, by: dict[str, Any]) -> None:
    """Revoke a token by its id, or those in a text from standard input."""
    if what == "-":
        text = leaked_text()
        with transaction(commit=not dry_run) as session:
            leak = service.revoke_leaked(session, text, name, **by)
        lines = list(_leak_lines(leak, dry_run))
    elif name is None:
        token_id = _token_id(what)
        with transaction(commit=not dry_run) as session:
            lines = [_revoked_line(service.revoke_by_id(session, token_id, **by), dry_run)]
    else:
        token_id = _token_id(what)
        with transaction(commit=not dry_run) as session:
            token, now = service.revoke_token(session, name, token_id, **by)
            lines = [f"token {token.display_prefix}… {_ended(now, dry_run)}", *soon(session, name)]
    _tell(lines)


def revoke_all(name: str, *, dry_run: bool, by: dict[str, Any]) -> None:
    """Revoke every token of a service."""
    with transaction(commit=not dry_run) as session:
        found = service.revoke_all(session, name, **by)
    ended = _ended(True, dry_run, several=len(found) > 1)
    _tell([f"{_counted(len(found))} of {name} {ended}" if found else f"{name} has no token left to revoke"])


def switch(name: str, *, active: bool, dry_run: bool, by: dict[str, Any]) -> None:
    """Activate or deactivate a service, and say what that means for its tokens."""
    change = service.activate_service if active else service.deactivate_service
    with transaction(commit=not dry_run) as session:
        switched = change(session, name, **by)
        warnings = soon(session, name)
    lines = [switched_line(f"service account {name}", switched, dry_run=dry_run)]
    count, one = _counted(switched.tokens), switched.tokens == 1
    if switched.tokens and active:
        lines.append(
            f"{count} of it {'works' if one else 'work'} until revoked or expired: --list shows them"
        )
    elif switched.tokens:
        lines.append(
            f"{count} of it {'does' if one else 'do'} not work while it is deactivated;"
            f" --revoke-all ends {'it' if one else 'them'} for good"
        )
    _tell([*lines, *warnings])


def switch_person(address: str, *, active: bool, force: bool, format: Format, dry_run: bool) -> None:
    """Activate or deactivate a person."""
    with transaction(commit=not dry_run) as session:
        if active:
            switched = service.activate_person(session, address, actor=operator())
        else:
            switched = service.deactivate_person(session, address, actor=operator(), force=force)
        user = switched.user
        if format is Format.JSON:
            done = "activated" if active else "deactivated"
            show_account(user, done if switched.changed else "unchanged", dry_run=dry_run)
    _tell([switched_line(f"account {user.email}", switched, dry_run=dry_run)])


def give(name: str, make: Callable[[Session], Issued], **output: Any) -> None:
    """Issue a token, and warn of the service's others that end soon."""
    warnings: list[str] = []

    def made(session: Session) -> Issued:
        issued = make(session)
        warnings[:] = soon(session, name, but=issued.token if issued.secret else None)
        return issued

    issue(made, **output)
    _tell(warnings)


def soon(session: Session, name: str, *, but: ApiToken | None = None) -> list[str]:
    """A warning for each token of a service that ends soon and that nothing replaces."""
    return [
        f"WARNING: token {one.token.name!r} ({one.token.display_prefix}…) of {name} ends"
        f" {one.token.expires_at:%Y-%m-%d %H:%M} UTC: {_rotation(one.token.name)} issues a new one"
        for one in service.expiring_tokens(session, name)
        if one.status is TokenStatus.EXPIRING and (but is None or one.token.id != but.id)
    ]


def _rotation(name: str) -> str:
    """What rotates the tokens of a name: without it, another one's would be."""
    return "--rotate" if name == service.DEFAULT_NAME else f"--rotate --token-name {name}"


def switched_line(account: str, switched: Switched, *, dry_run: bool) -> str:
    """What became of an account."""
    state = "active" if switched.user.is_active else "deactivated"
    if not switched.changed:
        return f"{account}: {state}, as before"
    done = f"{'would be ' if dry_run else ''}{'activated' if switched.user.is_active else 'deactivated'}"
    return f"{account}: {done}"


def _tell(lines: Iterable[str]) -> None:
    """Say what was done, and is committed."""
    for line in lines:
        say(line)


def _token_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        # Not quoted: it may be what leaked.
        raise ConfigurationError(
            "--revoke takes a token's id, as --list shows it, or - for a value from standard input"
        ) from None


def _leak_lines(leak: Leak, dry_run: bool) -> Iterator[str]:
    yield from (_revoked_line(one, dry_run) for one in leak.revoked)
    if leak.others:
        yield f"{leak.others} more in what was read: no tokens of this database, or damaged"


def _revoked_line(one: Revoked, dry_run: bool) -> str:
    token = one.token
    owner = one.user.service_name or one.user.email
    return f"token {token.name!r} ({token.display_prefix}…) of {owner} {_ended(one.now, dry_run)}"


def _ended(now: bool, dry_run: bool, *, several: bool = False) -> str:
    if not now:
        return "was revoked before"
    return "would be revoked" if dry_run else f"{'are' if several else 'is'} revoked"


def _counted(number: int) -> str:
    return f"{number} token{'' if number == 1 else 's'}"
