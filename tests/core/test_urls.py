"""DATABASE_URL: what can be read in two ways is refused, and no message shows any of a password."""

import string
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from app.core.config import Settings
from app.core.engines import connected, new_engine
from app.core.errors import ConfigurationError, DatabaseUnavailable
from app.core.migration import describe_database
from app.core.shown_urls import shown_url, without_values

NOWHERE = "127.0.0.1:1/nowhere"
WORDS = (
    "DATABASE_URL postgresql psycopg sqlite password percent-encoded encode expected something",
    "127.0.0.1 nowhere sslmode=prefer",
)


def said_of(url: str) -> str:
    """All that is said of a URL whose server, if it names one, does not answer."""
    try:
        settings = Settings(DATABASE_URL=url)
        shown = shown_url(settings.url())
        with connected(new_engine(settings)):
            pass
    except ConfigurationError as error:
        return f"{error} {error.__cause__}"
    except DatabaseUnavailable as error:
        return f"{shown} {error}"
    raise AssertionError("nothing answers there")


def parts_of(secret: str) -> set[str]:
    """Every four characters of it."""
    return {secret[at : at + 4] for at in range(len(secret) - 3)}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:sec@ret@h/d",
        "postgresql://u:se/cret@h/d",
        "postgresql://u:1234/cret@h/d",
        "postgresql://u:se?cret@h/d",
        "postgresql://u:se#cret@h/d",
        "postgresql://u:secret#@h/d",
        "postgresql://u:se%cret@h/d",
        "postgresql://u:secret%@h/d",
        "postgresql://u:secr%ffet@h/d",
        "postgresql://u@h/d?password=sec@ret",
        "postgresql://u@h/d?password=se+cret",
        "postgresql://u@h/d?sslpassword=se+cret",
        "postgresql://u:secret@h h/d",
        "postgresql://u:secret@h%2Fx/d",
    ],
)
def test_a_character_that_may_end_a_part_is_refused_with_how_to_write_it(url: str) -> None:
    message = said_of(url)
    assert "DATABASE_URL is not clear about where its parts end: percent-encode" in message
    assert "@ is %40" in message
    assert not any(part in message for part in ("sec", "cret", "1234"))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://u@h/d?password=ab&cret", "no value for its option 2"),
        ("postgresql://u@h/d?password=ab&cret=x", "an option, number 2, that PostgreSQL's client library"),
        ("postgresql://u@h/d?password=ab&", "no value for its option 2"),
        ("postgresql://u:cret@h/d?password=cret", "gives a password more than once"),
        ("postgresql://u@h/d?password=cret&password=cret", "gives a password more than once"),
        ("postgresql://u:cr\net@h/d", "a character that cannot be seen"),
        ("postgresql://u:cr\u200bet@h/d", "a character that cannot be seen"),
        ("postgresql://u@h/d?token=cret", "an option, number 1, that PostgreSQL's client library"),
        ("postgresql://u@h/d?ssl_mode=cret", "(did you mean 'sslmode'?)"),
        ("sqlite://u:cret@h/d", "names a host or a user, which SQLite does not have"),
        ("sqlite://cret.db", "four slashes"),
        ("sqlite:///x.db?cret", "no value for its option 1"),
        ("sqlite:///x.db?cret=1", "an option, number 1, that SQLite does not know"),
        ("sqlite:////x.db?timeout=cret%20cret", "could not convert string to float: '…'"),
        ("cret://u:p@h/d", "names a driver, which is not supported"),
        ("sqlite:////nowhere/u:cret@h/x.db", "there is no folder of DATABASE_URL"),
        ("sqlite:////nowhere/u:cret@h/x.db", "cannot use the database DATABASE_URL:"),
    ],
)
def test_what_a_url_may_not_hold_is_said_without_it(url: str, reason: str) -> None:
    message = said_of(url)
    assert reason in message
    assert "cret" not in message


SECRETS = st.text(
    st.sampled_from("@/:?#[]%&=+;'\"\\ \t\n\r\x00\x1b\u200b\ufeffé😀" + string.ascii_letters + string.digits),
    min_size=6,
    max_size=24,
).filter(lambda text: not any(part.lower() in word.lower() for part in parts_of(text) for word in WORDS))
PLACES = (
    f"postgresql://u:{{}}@{NOWHERE}",
    f"postgresql+psycopg://u:{{}}@{NOWHERE}?sslmode=prefer",
    f"postgresql://u@{NOWHERE}?password={{}}",
    f"postgresql://u@{NOWHERE}?password={{}}&connect_timeout=2",
    f"postgresql://u@{NOWHERE}?sslpassword={{}}",
    f"u:{{}}@{NOWHERE}",
    f"sqlite://u:{{}}@{NOWHERE}",
    f"mysql://u:{{}}@{NOWHERE}",
)


@given(SECRETS, st.sampled_from(PLACES), st.booleans())
@example("sec@ret", PLACES[0], False)
@example("Qx7/Zk3@Wv9", PLACES[0], False)
@example("Qx7[Zk3]Wv9", PLACES[0], False)
@example("Qx7Zk&Zk3Wv9=a", PLACES[2], False)
@example("Qx7Zk&host=Zk3Wv9", PLACES[4], False)
@example("Qx7Zk&sslmode=Zk3Wv9", PLACES[4], False)
@example("'Qx7\"Zk3Wv9", PLACES[0], True)
def test_no_message_shows_any_of_a_password(secret: str, place: str, encoded: bool) -> None:
    message = said_of(place.format(quote(secret, safe="") if encoded else secret))
    # What it says of another password, it says of any: "server" is no part of a secret.
    words = f"{said_of(place.format('Qx7Zk3Wv9'))} &host=&sslmode="
    assert not [part for part in parts_of(secret) if part in message and part not in words]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12))
def test_a_password_that_is_encoded_is_the_one_that_was_meant(password: str) -> None:
    encoded = quote(password, safe="")
    assert Settings(DATABASE_URL=f"postgresql://u:{encoded}@h:5432/d").url().password == password
    assert Settings(DATABASE_URL=f"postgresql://u@h:5432/d?password={encoded}").url().password == password


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p:w@h/d",
        "postgresql://u:p w@h/d",
        "postgresql://u:p+w@h/d",
        "postgresql://u:é@h/d",
        "postgresql://u:@/d?host=/run/postgresql",
        "postgresql://u@[::1]:5432/d",
        "postgresql://u@h1,h2/d",
        "postgresql://h/d?options=-csearch_path%3Dtenant",
        "postgresql://h/d?options=-c+a%3Db",
        "postgresql://?service=catalog",
        "postgresql:///d",
    ],
)
def test_a_url_that_can_be_read_in_one_way_is_read(url: str) -> None:
    assert Settings(DATABASE_URL=url).url() == make_url(url).set(drivername="postgresql+psycopg")


# -- what is shown ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@h:5432/d?sslmode=require", "postgresql://u:***@h:5432/d?sslmode=require"),
        ("postgresql://u@[::1]:5432/d", "postgresql://u@[::1]:5432/d"),
        ("postgresql:///d?host=/run/pg", "postgresql:///d?host=/run/pg"),
        ("postgresql://h/d?options=-ca%3Db&sslmode=x", "postgresql://h/d?sslmode=x&…"),
        ("postgresql://h/d?sslmode=x%20y", "postgresql://h/d?…"),
        ("postgresql://u:p@h/d password%3Dx", "DATABASE_URL"),
        ("postgresql://u%40v:p@h/d", "DATABASE_URL"),
        ("postgresql://u:a@b@h/d", "DATABASE_URL"),
        ("sqlite:////srv/x y.db?timeout=3", "sqlite:////srv/x y.db?timeout=3"),
        ("sqlite:///file:x.db%3Fkey=s?uri=true", "sqlite:///file:x.db?uri=true"),
        ("sqlite:////u:p@h/d", "DATABASE_URL"),
    ],
)
def test_a_url_is_shown_where_each_part_is_plainly_what_it_should_be(url: str, shown: str) -> None:
    assert shown_url(make_url(url)) == shown


@pytest.mark.parametrize(
    ("url", "said", "shown"),
    [
        ("postgresql://u:p@h/d", 'role "u" does not exist', 'role "u" does not exist'),
        ("postgresql://u:p@h/my d", 'database "my d" does not exist', 'database "…" does not exist'),
        ("postgresql://u:a@secret@h/d", "no host 'secret@h': x", "no host '…': x"),
        ("postgresql://h/d?options=-c a.b%3Dsecret", 'invalid value for "a.b": "secret"', "…"),
        ("postgresql://h/d?options=one two", 'invalid option "one', 'invalid option "…"'),
        ("postgresql://u:u@h/d", 'no role "u"', 'no role "u"'),
    ],
)
def test_what_a_driver_quotes_of_a_url_is_shown_where_the_url_shows_it(
    url: str, said: str, shown: str
) -> None:
    message = without_values(said, make_url(url))
    assert shown in message
    assert "secret" not in message


def test_scripts_name_the_database_by_its_setting_where_its_url_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from app.core.config import get_settings

    monkeypatch.setenv("DATABASE_URL", "sqlite:////srv/u:secret@h/d.db")
    get_settings.cache_clear()
    try:
        assert describe_database() == "DATABASE_URL"
    finally:
        get_settings.cache_clear()
