"""Where a command finds its project: the configuration that `alembic` would read, and no database."""

import os
from configparser import Error as ConfigParserError
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from seedrail.errors import OptionError, SetupError
from seedrail.history.history import SEED_BASE
from seedrail.history.rail import Rail
from seedrail.quoting import one_line, shown


def config_of(file: str | None = None, section: str = "alembic") -> Config:
    """The configuration in `file`, `ALEMBIC_CONFIG` or `alembic.ini`; OptionError where it is not there."""
    name = file or os.environ.get("ALEMBIC_CONFIG") or "alembic.ini"
    beside = Path("pyproject.toml")
    if not Path(name).is_file() and (file or not beside.is_file()):
        raise OptionError(
            f"there is no {shown(name)} here\n"
            "  go to the folder of the project, or name its Alembic configuration: seedrail -c FILE …"
        )
    if Path(name).name == beside.name:
        return _read(Config(toml_file=name, ini_section=section))
    return _read(Config(name, toml_file=str(beside) if beside.is_file() else None, ini_section=section))


def _read(config: Config) -> Config:
    """The configuration, whose files Alembic reads when it is asked for something: a broken one is said."""
    file = config.config_file_name
    try:
        _ = config.file_config
        file = config.toml_file_name
        _ = config.toml_alembic_config
    except (ConfigParserError, ValueError, OSError) as error:
        raise OptionError(
            f"{shown(file)} cannot be read: {one_line(error)}\n  restore it, or mend it there"
        ) from None
    return config


def rail_of(config: Config) -> Rail:
    """The project's seed rail; SetupError where its history has none."""
    rail = Rail(ScriptDirectory.from_config(config))
    if not rail.exists:
        raise SetupError(f"this history has no seeds: no revision is named {SEED_BASE}")
    return rail
