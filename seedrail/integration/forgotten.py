"""What is missing in `env.py` or `alembic.ini`, said at the first command, with the line to add."""

import logging

from alembic.runtime.migration import MigrationContext

from seedrail.errors import SetupError

SEEDS = "seedrail_seeds"
"""The option of `context.configure` that holds the seeds: Alembic keeps what it does not know."""

NOT_BEGUN = (
    "env.py runs migrations without their seeds: write `with seedrail.begin(context):` where it says"
    " `with context.begin_transaction():`"
)

_NO_OPTIONS = (
    "env.py does not give the seeds to Alembic: add `**seedrail.options(seeds)` to context.configure"
)
_ONE_TRANSACTION = (
    "env.py asks for several transactions, and a run with seeds is one: take transaction_per_migration and"
    " transactional_ddl=False out of context.configure"
)
_NO_SCRIPT = (
    "env.py does not know how to write a script: add"
    ' `if context.is_offline_mode(): context.configure(url=…, literal_binds=True, dialect_opts={"paramstyle":'
    ' "named"}, **seedrail.options(seeds))`'
)
_NOT_HEARD = (
    "what the seeds do is not shown, for no level is set for their logger: add seedrail to the keys of"
    " [loggers] in alembic.ini, and a section [logger_seedrail] with level = INFO, handlers =,"
    " qualname = seedrail"
)

log = logging.getLogger("seedrail")


def check(context: MigrationContext) -> None:
    """Raise SetupError where `context.configure` was not told what a run needs; warn of a mute logger."""
    options = context.opts
    if SEEDS not in options:
        raise SetupError(_NO_OPTIONS)
    if options.get("transaction_per_migration") or options.get("transactional_ddl") is False:
        raise SetupError(_ONE_TRANSACTION)
    # A driver that counts on percent signs doubles them in literals.
    if context.as_sql and not (options.get("literal_binds") and "format" not in context.dialect.paramstyle):
        raise SetupError(_NO_SCRIPT)
    if context.config is not None and context.config.cmd_opts is not None:
        _be_heard(quiet=getattr(context.config.cmd_opts, "quiet", False))


def _be_heard(*, quiet: bool) -> None:
    """On a command line: warnings are heard in any case, and that the rest is not is said."""
    for name, one in logging.root.manager.loggerDict.items():
        # Alembic's env.py configures logging after its imports, and that mutes every logger it does not name.
        if isinstance(one, logging.Logger) and name.partition(".")[0] == log.name:
            one.disabled = False
    if log.level == logging.NOTSET and log.getEffectiveLevel() > logging.INFO and not quiet:
        log.warning(_NOT_HEARD)
