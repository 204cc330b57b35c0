"""Column shapes that several features share: the primary key, the edit times, enums by value."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID, uuid4

from sqlalchemy import Enum, String, Uuid, func
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import UTCDateTime

UuidKey = Annotated[UUID, mapped_column(Uuid, primary_key=True, default=uuid4)]
Short = Annotated[str, mapped_column(String(255))]
Locator = Annotated[str, mapped_column(String(2048))]


def enum_column(kind: type[StrEnum], name: str) -> Enum:
    """An enum stored by value as text with a named CHECK, so that adding a value needs no new type."""
    return Enum(
        kind,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=32,
        values_callable=lambda members: [member.value for member in members],
    )


class Timestamps:
    """`created_at` and `updated_at`, for tables whose rows are edited."""

    created_at: Mapped[datetime] = mapped_column(UTCDateTime, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime, server_default=func.now(), onupdate=func.now())
