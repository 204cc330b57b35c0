"""Field types of the seed documents: strict JSON values with camelCase keys, nothing coerced or dropped."""

import re
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from seedrail import name_problem

_TIMESTAMP = re.compile(
    r"\d{4}-\d{2}-\d{2}T(\d{2}):\d{2}(?::\d{2}(?:[.,](\d+))?)?(?:Z|[+-](\d{2})(?::?(\d{2}))?)", re.ASCII
)
_WITHOUT_OFFSET = re.compile(r"\d{4}-\d{2}-\d{2}([T ][\d:.,]+)?", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class Document(BaseModel):
    """The base of document models: camelCase keys, no unknown ones, no coercion."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", strict=True, validate_by_name=False, frozen=True
    )


def _timestamp(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueError("should be a date and time as a string, like 2015-01-01T00:00:00Z")
    match = _TIMESTAMP.fullmatch(value)
    if match is None:
        if _WITHOUT_OFFSET.fullmatch(value):
            raise ValueError("has no offset from UTC (such as Z or +02:00)")
        raise ValueError("is not an ISO 8601 date and time like 2015-01-01T00:00:00Z")
    hour, fraction, *offset = (part or "0" for part in match.groups())
    if len(fraction) > 6:
        raise ValueError("is finer than a microsecond: at most 6 digits may follow the seconds")
    # Python's own reading of these differs from release to release.
    if int(hour) > 23 or int(offset[0]) > 23 or int(offset[1]) > 59:
        raise ValueError("is a time or an offset that does not exist (23:59 is the last minute)")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"is a date or time that does not exist ({error})") from None
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999 in UTC") from None


def _uuid(value: Any) -> UUID:
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise ValueError("should be a UUID as a string")
    return UUID(value)


def _name(value: str) -> str:
    problem = name_problem(value)
    if problem:
        raise ValueError(problem)
    return value


def by_value(kind: type[Enum]) -> BeforeValidator:
    """The validator of a field that takes one of an enum's values."""
    members = {member.value: member for member in kind}

    def parse(value: Any) -> Enum:
        if isinstance(value, str) and value in members:
            return members[value]
        raise ValueError(f"should be one of {', '.join(map(repr, members))}")

    return BeforeValidator(parse)


Timestamp = Annotated[datetime, BeforeValidator(_timestamp)]
"""ISO 8601 with an offset, to the microsecond; becomes UTC."""

Identifier = Annotated[UUID, BeforeValidator(_uuid)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_name)]
"""What somebody reads and looks for: one line that shows all that is in it."""
Line = Annotated[str, StringConstraints(max_length=255)]
Locator = Annotated[str, StringConstraints(max_length=2048)]
RequiredLocator = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
Bytes = Annotated[int, Field(ge=0, lt=2**63)]
