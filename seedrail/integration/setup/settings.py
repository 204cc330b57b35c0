"""Alembic's configuration: two settings are added to its text, and what else is there stays as it is."""

import re
import tomllib
from collections.abc import Callable
from configparser import Error, RawConfigParser
from pathlib import Path

from alembic.config import Config
from alembic.util import asbool

from seedrail.integration.setup.edits import BY_HAND, MADE, THERE, Edit, Piece, near, newline_of, text_of

_OPTION = "revision_environment"
_WHY = "# env.py puts each revision on its rail, so it has to run for every `alembic revision`."
_LOGGER = "logger_seedrail"
_SECTION = [f"[{_LOGGER}]", "level = INFO", "handlers =", "qualname = seedrail"]


def settings(config: Config) -> list[Piece]:
    """That env.py runs for each revision, and that what the seeds do is logged."""
    ini = Path(config.config_file_name) if config.config_file_name else None
    text = text_of(ini) if ini else None
    environment, text_then = _environment(config, ini, text)
    return [environment, _logger(ini, text_then)]


def environment_runs(config: Config) -> bool:
    """Whether env.py runs for every `alembic revision`."""
    return bool(asbool(str(config.get_alembic_option(_OPTION, "false")).lower()))


def _environment(config: Config, ini: Path | None, text: str | None) -> tuple[Piece, str | None]:
    """The setting, and the text of the ini with it: the logger goes into that."""
    if environment_runs(config):
        return Piece("settings", THERE, "env.py runs for every `alembic revision`"), text
    section = config.config_ini_section
    if ini and text is not None and config.file_config.has_option(section, "script_location"):
        after = _inserted(text, f"[{section}]")
        if after and _ini_says(after, section, _OPTION) == "true":
            return Piece("settings", MADE, f"{near(ini)}: {_OPTION} = true", Edit(ini, text, after)), after
    elif config.toml_file_name:
        toml = Path(config.toml_file_name)
        before = text_of(toml) or ""
        after = _inserted(before, "[tool.alembic]")
        if after and _toml_says(after):
            return Piece("settings", MADE, f"{near(toml)}: {_OPTION} = true", Edit(toml, before, after)), text
    return Piece("settings", BY_HAND, f"set {_OPTION} = true where script_location is set"), text


def _inserted(text: str, header: str) -> str | None:
    """The text with the option in a section: in place of what it says there, or below script_location."""
    lines = text.splitlines(keepends=True)
    bounds = _bounds(lines, header)
    if bounds is None:
        return None
    start, end = bounds
    new = newline_of(text)
    live, comment = (_first(lines, start, end, rf"{mark}{_OPTION}\s*[=:]") for mark in (r"\s*", r"\s*#\s*"))
    place = live if live is not None else comment
    if place is not None:
        lines[place] = f"{_OPTION} = true{new}"
        return "".join(lines)
    location = _first(lines, start, end, r"\s*script_location\s*[=:]")
    place = _after_value(lines, start if location is None else location)
    return "".join([*_ended(lines[:place], new), _WHY + new, f"{_OPTION} = true{new}", *lines[place:]])


def _logger(ini: Path | None, text: str | None) -> Piece:
    parser = _parsed(text) if text is not None else None
    if ini is None or text is None or parser is None or not parser.has_option("loggers", "keys"):
        told = "is set up elsewhere: let it have the logger seedrail, at INFO"
        return Piece("logging", THERE, told)
    if _heard(parser):
        return Piece("logging", THERE, f"{near(ini)} has a logger for seedrail")
    lines, new = text.splitlines(keepends=True), newline_of(text)
    bounds = _bounds(lines, "[loggers]")
    keys = _first(lines, *bounds, r"\s*keys\s*[=:]") if bounds else None
    if keys is not None:
        last = _after_value(lines, keys) - 1
        lines[last] = lines[last].rstrip().rstrip(",") + ",seedrail" + new
        if not parser.has_section(_LOGGER):
            place = _after_loggers(lines)
            lines[place:place] = [new, *(line + new for line in _SECTION)]
            lines = [*_ended(lines[:place], new), *lines[place:]]
        after = "".join(lines)
        found = _parsed(after)
        if found and _heard(found):
            return Piece(
                "logging", MADE, f"{near(ini)}: the logger seedrail, at INFO", Edit(ini, text, after)
            )
    return Piece("logging", BY_HAND, f"give {near(ini)} a logger for seedrail, at INFO")


def _heard(parser: RawConfigParser) -> bool:
    keys = [key.strip() for key in parser.get("loggers", "keys", fallback="").split(",")]
    names = (parser.get(f"logger_{key}", "qualname", fallback="") for key in keys)
    return "seedrail" in names


def _after_loggers(lines: list[str]) -> int:
    """Behind the last section of a logger, before the empty lines that follow it."""
    headers = [place for place, line in enumerate(lines) if re.match(r"\[logger_", line)]
    _, end = _bounds(lines, lines[headers[-1]].strip()) or (0, len(lines)) if headers else (0, len(lines))
    while end and not lines[end - 1].strip():
        end -= 1
    return end


# -- lines of a text


def _bounds(lines: list[str], header: str) -> tuple[int, int] | None:
    """The lines of a section: its header, and the first line that is no longer in it."""
    start = _first(lines, 0, len(lines), re.escape(header) + r"\s*([#;].*)?$")
    if start is None:
        return None
    end = _first(lines, start + 1, len(lines), r"\[")
    return start, len(lines) if end is None else end


def _first(lines: list[str], start: int, end: int, pattern: str) -> int | None:
    return next((place for place in range(start, end) if re.match(pattern, lines[place])), None)


def _after_value(lines: list[str], place: int) -> int:
    """The line after an option, whose value may go on in lines that are indented."""
    place += 1
    while place < len(lines) and lines[place].strip() and lines[place][0] in " \t":
        place += 1
    return place


def _ended(lines: list[str], newline: str) -> list[str]:
    """Lines of which the last one ends, as the last one of a file may not."""
    return [*lines[:-1], lines[-1] if lines[-1].endswith("\n") else lines[-1] + newline] if lines else lines


# -- what a text says


def _parsed(text: str) -> RawConfigParser | None:
    parser = RawConfigParser()
    return parser if _worked(lambda: parser.read_string(text)) else None


def _worked(parse: Callable[[], object]) -> bool:
    try:
        parse()
    except (Error, ValueError):
        return False
    return True


def _ini_says(text: str, section: str, option: str) -> str | None:
    parser = _parsed(text)
    return parser.get(section, option, fallback=None) if parser else None


def _toml_says(text: str) -> bool:
    try:
        return tomllib.loads(text)["tool"]["alembic"][_OPTION] is True
    except (tomllib.TOMLDecodeError, KeyError):
        return False
