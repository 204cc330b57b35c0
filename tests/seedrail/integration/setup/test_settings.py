"""Alembic's configuration as text: two settings come, and nothing else changes."""

from configparser import RawConfigParser
from difflib import ndiff
from pathlib import Path

import pytest
from alembic.config import Config

from seedrail.integration.setup.edits import BY_HAND, MADE, THERE
from seedrail.integration.setup.settings import settings

SHORT = "[alembic]\nscript_location = m\n"
LOGGERS = "[loggers]\nkeys = root\n[logger_root]\nlevel = INFO\nhandlers =\n"


def after(ini: Path, section: str = "alembic", toml: Path | None = None) -> str:
    """The text of the ini with all that is added, once it is written and read again."""
    config = Config(str(ini), toml_file=toml, ini_section=section)
    for piece in settings(config):
        if piece.edit:
            piece.edit.path.write_bytes(piece.edit.after.encode())
    again = settings(Config(str(ini), toml_file=toml, ini_section=section))
    assert all(one.edit is None for one in again)
    return ini.read_bytes().decode()


@pytest.mark.parametrize(
    ("text", "added"),
    [
        (SHORT, ["revision_environment = true"]),
        (SHORT + "# revision_environment = false\n", ["revision_environment = true"]),
        (SHORT + "revision_environment = no\n", ["revision_environment = true"]),
        (SHORT.rstrip() + "\n\n[other]\nrevision_environment = true", ["revision_environment = true"]),
        (SHORT + "revision_environment = true\n", []),
        ("[alembic]\nscript_location =\n  m\n[x]\n", ["revision_environment = true"]),
    ],
)
def test_the_setting_stands_once_in_its_section(text: str, added: list[str], tmp_path: Path) -> None:
    ini = tmp_path / "alembic.ini"
    ini.write_text(text)
    written = after(ini)
    parser = RawConfigParser()
    parser.read_string(written)
    assert parser["alembic"]["revision_environment"] == "true"
    assert parser["alembic"]["script_location"].strip() == "m"
    lines = [line[2:].strip() for line in ndiff(text.splitlines(), written.splitlines()) if line[0] == "+"]
    assert [line for line in lines if line and line[0] != "#"] == added


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "text",
    [
        LOGGERS,
        LOGGERS.replace("keys = root", "keys: root,"),
        LOGGERS.replace("keys = root", "keys =\n    root"),
        LOGGERS.rstrip(),
        LOGGERS + "[logger_seedrail]\nlevel = INFO\nhandlers =\nqualname = seedrail\n",
        "[logger_root]\nlevel = INFO\nhandlers =\n\n\n[handlers]\nkeys=\n[loggers]\nkeys = root\n",
    ],
)
def test_the_logger_is_among_the_keys_and_has_its_section(text: str, newline: str, tmp_path: Path) -> None:
    ini = tmp_path / "alembic.ini"
    ini.write_bytes((SHORT + text).replace("\n", newline).encode())
    written = after(ini)
    assert "\n" not in written.replace("\r\n", "") or newline == "\n"
    parser = RawConfigParser()
    parser.read_string(written)
    assert [key.strip() for key in parser["loggers"]["keys"].split(",")] == ["root", "seedrail"]
    assert dict(parser["logger_seedrail"]) == {"level": "INFO", "handlers": "", "qualname": "seedrail"}
    assert dict(parser["logger_root"]) == {"level": "INFO", "handlers": ""}


def test_a_logger_of_another_section_name_counts(tmp_path: Path) -> None:
    ini = tmp_path / "alembic.ini"
    ini.write_text(
        f"{SHORT}[loggers]\nkeys = root, seeding\n[logger_root]\n[logger_seeding]\nqualname = seedrail\n"
    )
    assert [one.state for one in settings(Config(str(ini)))] == [MADE, THERE]


def test_logging_that_is_set_up_elsewhere_is_left_alone(tmp_path: Path) -> None:
    ini = tmp_path / "alembic.ini"
    ini.write_text(SHORT)
    assert [one.state for one in settings(Config(str(ini)))] == [MADE, THERE]


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ('[tool.alembic]\nscript_location = "m"\n', MADE),
        ('[tool.alembic]\n# revision_environment = false\nscript_location = "m"\n[tool.x]\n', MADE),
        ('[tool.alembic]\nscript_location = "m"\nrevision_environment = true\n', THERE),
        ('tool.alembic.script_location = "m"\n', BY_HAND),
    ],
)
def test_pyproject_toml_has_the_setting_where_it_has_the_others(
    text: str, state: str, tmp_path: Path
) -> None:
    toml = tmp_path / "pyproject.toml"
    toml.write_text(text)
    environment, _ = settings(Config(toml_file=toml))
    assert environment.state == state
    if environment.edit:
        toml.write_text(environment.edit.after)
        assert Config(toml_file=toml).get_alembic_boolean_option("revision_environment")
        assert settings(Config(toml_file=toml))[0].state == THERE


def test_another_section_gets_its_own(tmp_path: Path) -> None:
    ini = tmp_path / "alembic.ini"
    ini.write_text("[alembic]\nscript_location = a\n[second]\nscript_location = b\n")
    assert after(ini, "second").endswith("script_location = b\n# env.py puts each revision on its rail, so it"
        " has to run for every `alembic revision`.\nrevision_environment = true\n")  # fmt: skip
