"""What is typed on a command line and may be a secret: refused, and never repeated."""

from typing import Any

from typer.core import TyperCommand

from app.core.errors import ConfigurationError
from app.features.users.tokens import is_alike
from app.scripts.exits import exit_codes


class Discreet(TyperCommand):
    """A command without arguments but its options, that says nothing of a token or of words beside them.

    Everybody on the machine can read a command line, and the shell keeps it. An error message goes further:
    into logs.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # They are refused below, without being shown.
        self.allow_extra_args = True

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, or end with a sentence."""
        with exit_codes():
            if any(map(is_alike, args)):
                raise ConfigurationError(
                    "a token is on the command line, where others can read it, and in the shell's history:"
                    " revoke it (provision_service_account --revoke - reads it from a pipe, or asks for it)"
                )
        rest = super().parse_args(ctx, args)
        with exit_codes():
            if ctx.args and not ctx.resilient_parsing:
                raise ConfigurationError(
                    "unexpected extra argument, which no option takes and which is not shown: a value with"
                    " spaces wants quotes, and passwords and tokens are no arguments at all"
                )
        return rest
