"""A database's URL for people: shown where each part is plainly what it should be, and else by its setting.

A URL with a password that was not encoded parses into other parts than its writer meant, and any of them may
then hold some of that password. What a driver says of a connection quotes those parts.
"""

import re
from collections.abc import Iterable

from sqlalchemy.engine import URL

_NAME = re.compile(r"[\w.$-]{1,63}")
_HOST = re.compile(r"[\w.,-]{1,255}|[0-9A-Fa-f:.]{2,45}")
_VALUE = re.compile(r"[\w./,:-]{1,100}")

_SHOWN = {
    *("application_name", "channel_binding", "connect_timeout", "gssencmode", "host", "hostaddr", "port"),
    *("service", "sslcert", "sslkey", "sslmode", "sslnegotiation", "sslrootcert", "target_session_attrs"),
    *("cache", "immutable", "mode", "timeout", "uri"),
}
"""Options whose values are shown; neither PostgreSQL nor SQLite takes a secret in one of them."""

_FIXED = {
    *("allow", "any", "direct", "disable", "prefer", "prefer-standby", "primary", "read-only", "read-write"),
    *("require", "standby", "verify-ca", "verify-full"),
}
"""Values that are shown beside a password too, which may have been meant to go on behind an `&`."""

_SECRET = {"password", "sslpassword"}

_QUOTED = re.compile(r"""(["'])(.*?)(\1|$)""")
_TELLING = 4
"""Characters of a value that say something of it wherever they stand."""


def shown_url(url: URL) -> str:
    """The URL without its password and without options that may hold one; `DATABASE_URL` where it is odd."""
    place = _file(url) if url.get_backend_name() == "sqlite" else _server(url)
    if place is None:
        return "DATABASE_URL"
    given = sorted(_options(url))
    options = [f"{key}={value}" for key, value in given if _is_shown(url, key, value)]
    options += [f"{key}=***" for key, value in given if key in _SECRET]
    if len(options) < len(given):
        options.append("…")
    return f"{url.drivername}://{place}" + ("?" + "&".join(options) if options else "")


def shown_file(url: URL, path: object) -> str:
    """A file or folder of SQLite in quotes, or the setting's word for it."""
    return "of DATABASE_URL" if _file(url) is None else repr(str(path))


def without_values(text: str, url: URL) -> str:
    """What a driver said, without what it quotes of the URL and `shown_url` does not show."""
    hidden = {*_hidden(url)}
    for value in sorted(hidden, key=len, reverse=True):
        if len(value) >= _TELLING:
            text = text.replace(value, "…")

    def quoted(match: re.Match[str]) -> str:
        quote, inside, _ = match.groups()
        # A message is cut at its first line, and what it quotes with it.
        return f"{quote}…{quote}" if inside and any(inside in value for value in hidden) else match[0]

    return _QUOTED.sub(quoted, text)


def _server(url: URL) -> str | None:
    """User, host, port and database, or None where one of them is not plainly that."""
    names = [name for name in (url.username, url.database) if name]
    if not all(map(_NAME.fullmatch, names)) or (url.host and not _HOST.fullmatch(url.host)):
        return None
    user = (url.username or "") + (":***" if url.password is not None else "")
    host = f"[{url.host}]" if ":" in (url.host or "") else url.host or ""
    port = "" if url.port is None else f":{url.port}"
    at = "@" if url.username is not None or url.password is not None else ""
    return f"{user}{at}{host}{port}" + ("" if url.database is None else f"/{url.database}")


def _file(url: URL) -> str | None:
    """The path, or None for what may have been meant as a server's address."""
    path = url.database or ""
    if url.host or url.username or url.password or "@" in path:
        return None
    # What follows in a URI are options again.
    return "/" + (path.partition("?")[0] if path.startswith("file:") else path)


def _options(url: URL) -> Iterable[tuple[str, str]]:
    for key, given in url.query.items():
        for value in (given,) if isinstance(given, str) else given:
            yield key, value


def _is_shown(url: URL, key: str, value: str) -> bool:
    if key not in _SHOWN or not _VALUE.fullmatch(value):
        return False
    return value in _FIXED or not (url.password or _SECRET & {*url.query})


def _hidden(url: URL) -> Iterable[str]:
    """What was given and is not shown."""
    options = [value for key, value in _options(url) if not _is_shown(url, key, value)]
    unshown = _server(url) is None or url.get_backend_name() == "sqlite"
    names = (url.username, url.host, url.database) if unshown else ()
    if url.get_backend_name() == "sqlite" and _file(url) is not None:
        names = ()
    seen = shown_url(url)
    given = (str(url.password or ""), *options, *names)
    return (value for value in given if value and value not in seen)
