"""What the account services refuse; each kind has an exit code in the scripts."""

from app.core.errors import AppError


class AccountError(AppError):
    """The base of what the account services refuse; nothing was changed."""


class AccountConflict(AccountError):
    """What is there already contradicts what was asked for."""

    exit_code = 3


class PolicyError(AccountError):
    """A password, an expiry or a scope that is not allowed."""

    exit_code = 4


class AccountNotFound(AccountError):
    """No such account or token."""

    exit_code = 5


class InvalidName(AccountError):
    """An email address or a service name that is none."""

    exit_code = 2
