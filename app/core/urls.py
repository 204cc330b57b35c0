"""DATABASE_URL, read strictly: what can be read in two ways would connect to another place than was meant."""

import re
from difflib import get_close_matches
from urllib.parse import unquote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.core.errors import ConfigurationError
from app.core.sqlite import OPTIONS, file_of
from seedrail import harmless

_DRIVERS = {
    "postgres": ("postgresql+psycopg", "postgresql+psycopg"),
    "postgresql": ("postgresql+psycopg", "postgresql+psycopg"),
    "postgresql+psycopg": ("postgresql+psycopg", "postgresql+psycopg"),
    "sqlite": ("sqlite", "sqlite+aiosqlite"),
    "sqlite+pysqlite": ("sqlite", "sqlite+aiosqlite"),
    "sqlite+aiosqlite": ("sqlite", "sqlite+aiosqlite"),
}

_OTHERS = re.compile(
    r"(?:postgres|postgresql|mysql|mariadb|oracle|mssql|sqlite|cockroachdb|redshift)"
    r"(?:\+(?:asyncpg|psycopg2|psycopg_async|psycopg2cffi|pg8000|aiopg|pymysql|aiomysql|asyncmy|mysqldb|pyodbc"
    r"|oracledb|cx_oracle|pysqlcipher))?",
    re.IGNORECASE,
)
"""Drivers that are named when they are refused. Anything else before `://` may be part of a secret."""

_OF_THE_DRIVER = {"autocommit", "context", "cursor_factory", "prepare_threshold", "row_factory"}
"""Options that psycopg takes beside those of libpq."""

_SERVER = re.compile(r"(?P<authority>[^/?#]*)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?")
_ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[\w.,-]*)(?::[0-9]{0,5})?", re.ASCII | re.IGNORECASE)
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def database_url(raw: str, *, asynchronous: bool = False) -> URL:
    """The URL of a database with the driver that this project ships for it.

    Raises ConfigurationError, which quotes nothing of the URL but the name of a known driver or option.
    """
    try:
        # In a locale that knows ASCII alone, Python leaves the bytes of other characters undecoded.
        text = raw.encode("utf-8", "surrogateescape").decode("utf-8")
        url = make_url(text)
        # A driver would read no further than that, and connect to some other place.
        if "%00" in text:
            raise ValueError
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "DATABASE_URL does not parse: expected something like"
            " postgresql+psycopg://user:password@host:5432/name or sqlite:///file.db"
            " (special characters in the password must be percent-encoded)"
        ) from None
    drivers = _DRIVERS.get(url.drivername)
    if drivers is None:
        raise ConfigurationError(
            f"DATABASE_URL names {_driver(url.drivername)}, which is not supported:"
            " use postgresql+psycopg or sqlite"
        )
    rest = text.partition("://")[2]
    if url.get_backend_name() == "sqlite":
        _check_file(rest)
    else:
        _check_server(rest)
    url = _password_in_place(url).set(drivername=drivers[asynchronous])
    if url.get_backend_name() == "sqlite":
        # Refused here, before anything connects: nobody's database is one in memory.
        file_of(url)
    return url


def _driver(name: str) -> str:
    return f"the driver {name!r}" if _OTHERS.fullmatch(name) else "a driver"


def _check_file(rest: str) -> None:
    """Raise ConfigurationError for a host, or for an option that SQLite does not have."""
    if rest.partition("?")[0] and not rest.startswith("/"):
        raise ConfigurationError(
            "DATABASE_URL names a host or a user, which SQLite does not have: write sqlite:///file.db, or"
            " sqlite:////folder/file.db with four slashes"
        )
    _check_options(rest.partition("?")[2], OPTIONS, "SQLite")


def _check_server(rest: str) -> None:
    """Raise ConfigurationError for a URL that its writer may have meant in another way than it parses."""
    parts = _SERVER.fullmatch(rest)
    if not harmless(rest):
        raise ConfigurationError(
            "DATABASE_URL holds a character that cannot be seen, such as a line break or a tab: take it out,"
            " or percent-encode it"
        )
    if not parts or _STRAY_PERCENT.search(rest) or not _decodes(rest):
        raise _ambiguous()
    user, _, address = parts["authority"].rpartition("@")
    if "@" in user + (parts["path"] or "") + (parts["query"] or "") or not _ADDRESS.fullmatch(address):
        raise _ambiguous()
    options = _check_options(
        parts["query"] or "", libpq_options() | _OF_THE_DRIVER, "PostgreSQL's client library"
    )
    secrets = [value for key, value in options if key in ("password", "sslpassword")]
    if any("+" in value for value in secrets):
        # It would be read as a blank.
        raise _ambiguous()
    if [key for key, _ in options].count("password") + (":" in user) > 1:
        raise ConfigurationError("DATABASE_URL gives a password more than once: leave one of them out")


def _ambiguous() -> ConfigurationError:
    return ConfigurationError(
        "DATABASE_URL is not clear about where its parts end: percent-encode what is special in the user's"
        " name, the password, the database's name and the options (@ is %40, / is %2F, : is %3A, ? is %3F,"
        " # is %23, % is %25, + is %2B, a blank is %20), write an address as host:5432, or set the password"
        " as PGPASSWORD"
    )


def _decodes(text: str) -> bool:
    try:
        unquote(text, errors="strict")
    except UnicodeDecodeError:
        return False
    return True


def _check_options(query: str, known: set[str], reader: str) -> list[tuple[str, str]]:
    """The options, still encoded; ConfigurationError for one without a value, or that nobody reads."""
    pairs = [part.partition("=") for part in query.split("&")] if query else []
    for place, (key, equals, value) in enumerate(pairs, 1):
        if not key or not equals or not value:
            raise ConfigurationError(
                f"DATABASE_URL has no value for its option {place}: write option=value, several with & in"
                " between, and percent-encode an & that belongs to a value (%26)"
            )
        if unquote(key) not in known:
            close = get_close_matches(unquote(key), sorted(known), 1, 0.75)
            meant = f" (did you mean {close[0]!r}?)" if close else ""
            raise ConfigurationError(
                f"DATABASE_URL has an option, number {place}, that {reader} does not know{meant}: leave it"
                " out; an & that belongs to a value is written %26"
            )
    return [(unquote(key), value) for key, _, value in pairs]


def libpq_options() -> set[str]:
    """The options that the installed client library itself says that it knows."""
    from psycopg.pq import Conninfo

    return {option.keyword.decode() for option in Conninfo.get_defaults()}


def _password_in_place(url: URL) -> URL:
    """The URL with a `?password=` where SQLAlchemy hides it when the URL is shown."""
    password = url.query.get("password")
    if password is None:
        return url
    moved = url.difference_update_query(["password"])
    return moved.set(password=password if isinstance(password, str) else password[-1])
