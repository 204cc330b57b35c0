"""Alembic's environment: the application's database and models, and the seeds on their rail."""

import logging
from collections.abc import Sequence
from logging.config import fileConfig

from alembic import context
from sqlalchemy import Engine

import seedrail
from app.core.alembic_env import (
    is_quiet,
    keep_imports,
    offline_options,
    render_item,
    reported,
    seed_options,
    unseen_expressions,
)
from app.core.config import get_settings
from app.core.dropping import ask_before_dropping
from app.core.engines import connected, new_engine
from app.core.types import METADATA
from app.core.waiting import wait_for_database
from seedrail import SeedCatalog, StandIn

config = context.config
keep_imports(config)


def seed_catalog() -> SeedCatalog:
    """The seed sets, with the models that they fill; imported when something asks for them."""
    from app.features.catalog import seed_catalog

    return seed_catalog()


def seed_owner(name: str, setting: str) -> Sequence[StandIn]:
    """The account that seeded rows fall back to; imported when a run goes up."""
    from app.features.owner import seed_owner

    return seed_owner(name, setting)


def run(**options: object) -> None:
    """Configure Alembic for a connection or a script, and run the command's migrations."""
    context.configure(
        target_metadata=METADATA,
        render_as_batch=True,
        render_item=render_item,
        **seedrail.options(seed_catalog),
        **options,
    )
    arguments = context.get_x_argument(as_dictionary=True)
    ask_before_dropping(context.get_context(), arguments)
    told = seed_options(config, arguments, seed_owner)
    with seedrail.begin(context, told, lock_timeout=get_settings().lock_timeout):
        context.run_migrations()


with reported(config), unseen_expressions():
    # A test or a service may lend its own engine or connection.
    lent = config.attributes.get("connection")
    if config.config_file_name is not None and lent is None:
        fileConfig(config.config_file_name, disable_existing_loggers=False)
        logging.disable(logging.INFO if is_quiet(config) else logging.NOTSET)
    if context.is_offline_mode():
        run(**offline_options(config))
    elif lent is not None and not isinstance(lent, Engine):
        run(connection=lent)
    else:
        if lent is None:
            wait_for_database(quiet=is_quiet(config))
        engine = lent or new_engine(migrating=True)
        with connected(engine, lock_timeout=get_settings().lock_timeout) as connection:
            run(connection=connection)
