"""What the account services refuse; each kind has an exit code in the scripts."""

from app.core.errors import AppError
from app.features.users.tokens import redacted


class AccountError(AppError):
    """The base of what the account services refuse; nothing was changed.

    A token that was given in place of a name is not repeated.
    """

    def __init__(self, message: str) -> None:
        super().__init__(redacted(message))


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


class NoToken(AccountError):
    """A text that should hold a token's value, and does not; it is not quoted."""

    exit_code = 2

    def __init__(self, damaged: bool) -> None:
        self.damaged = damaged
        super().__init__(
            "what was read begins like a token and is none, for its checksum does not match: it was cut,"
            " or has a typing error"
            if damaged
            else "there is no token in what was read: one is srl_ and 49 letters and digits"
        )
