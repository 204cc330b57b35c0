"""The machines that simulations run on."""

from sqlalchemy import Boolean, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import Base
from app.features.columns import Short, Timestamps, UuidKey


class Machine(Timestamps, Base):
    """A supercomputer or cluster, known by its short name."""

    __tablename__ = "machines"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[UuidKey]
    name: Mapped[Short]
    site: Mapped[Short]
    architecture: Mapped[Short]
    scheduler: Mapped[Short]
    gpu: Mapped[bool] = mapped_column(Boolean, server_default=false())
    notes: Mapped[str | None] = mapped_column(Text)
