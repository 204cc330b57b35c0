"""The errors of the application: sentences for an operator, never a traceback."""

import re

_SECRET = re.compile(r"(password=)[^&\s]*", re.IGNORECASE)


class AppError(Exception):
    """The base of everything that is reported as a message with a non-zero exit code."""


class ConfigurationError(AppError):
    """A setting is missing, malformed or contradicts another one."""


class DatabaseUnavailable(AppError):
    """The database refused, timed out or does not exist.

    Built from the URL without its password and the driver's first line.
    """

    def __init__(self, url: str, cause: BaseException) -> None:
        # Such as `?sslpassword=…`, which SQLAlchemy does not hide.
        self.url = url = _SECRET.sub(r"\1***", url)
        lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
        reason = lines[0] if lines else type(cause).__name__
        super().__init__(f"cannot use the database {url}: {reason}")
