"""Exit codes: the reference's table, the help of the scripts and the errors' classes say the same."""

import re

from app.core.errors import AppError
from app.core.exits import HUNG_UP, INTERRUPTED, TERMINATED, exit_code_of
from app.features.users import errors as _accounts  # noqa: F401 - its classes are looked for below
from app.scripts.exits import ACCOUNT_EXIT_CODES, ACCOUNT_MEANINGS, EXIT_CODES, MEANINGS, TOKENS_EXPIRE
from scripts.reference import exits
from seedrail import SeedError
from seedrail.commands.output import EXIT_CODES as LOOKING
from seedrail.documents import faults  # noqa: F401 - likewise
from seedrail.failures import ENDED, KINDS, UNUSABLE
from seedrail.merge.report import conflicts  # noqa: F401 - likewise

TABLE = re.compile(r"^\| (\d+) \| .+ \|$", re.MULTILINE)


def codes_in(text: str) -> set[int]:
    return {int(code) for code in re.findall(r"(?:: |; )(\d+) \w", text)}


def kin(base: type[Exception]) -> set[type[Exception]]:
    return {base, *(one for child in base.__subclasses__() for one in kin(child))}


def codes_of_classes() -> set[int]:
    return {
        kind.exit_code for base in (AppError, SeedError) for kind in kin(base) if "exit_code" in vars(kind)
    }


def codes_in_table() -> set[int]:
    return {int(code) for code in TABLE.findall(exits.table())}


def test_the_table_has_every_code_of_an_error_and_no_other() -> None:
    alembics_own = 255
    no_errors = {0, TOKENS_EXPIRE, HUNG_UP, INTERRUPTED, TERMINATED, alembics_own}
    of_looking = {10, 11, 12}
    assert codes_in_table() == no_errors | codes_of_classes() | of_looking


def test_what_each_scripts_help_says_is_what_its_table_has() -> None:
    assert codes_in(EXIT_CODES) == {*MEANINGS} == {0, 1, 2, 6, 8, 129, 130, 143}
    assert codes_in(ACCOUNT_EXIT_CODES) == {*ACCOUNT_MEANINGS} == {*range(11), 129, 130, 143}
    assert codes_in(LOOKING) <= codes_in_table()


def test_a_failure_of_the_database_is_told_by_one_of_two_codes() -> None:
    assert {kind.exit_code for kind in KINDS} == {ENDED, UNUSABLE}
    assert {ENDED, UNUSABLE} <= codes_of_classes()


def test_an_error_of_alembics_own_is_a_refusal() -> None:
    from alembic.util import CommandError

    assert exit_code_of(CommandError("Can't locate revision")) == 1
