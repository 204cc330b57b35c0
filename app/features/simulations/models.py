"""Simulations, what they produced (artifacts) and what is written about them (external links)."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import JSON_OBJECT, Base, UTCDateTime
from app.features.columns import Locator, Short, Timestamps, UuidKey, enum_column


class SimulationType(StrEnum):
    """What a simulation was run for."""

    UNKNOWN = "unknown"
    PRODUCTION = "production"
    EXPERIMENTAL = "experimental"
    PROJECTION = "projection"
    TEST = "test"


class SimulationStatus(StrEnum):
    """How far a simulation has come."""

    UNKNOWN = "unknown"
    CREATED = "created"
    QUEUED = "queued"
    RUNNING = "running"
    FAILED = "failed"
    COMPLETED = "completed"


class ArtifactKind(StrEnum):
    """What an artifact is."""

    OUTPUT = "output"
    ARCHIVE = "archive"
    RUN_SCRIPT = "run_script"
    POSTPROCESSING_SCRIPT = "postprocessing_script"


class LinkKind(StrEnum):
    """What an external link leads to."""

    DIAGNOSTIC = "diagnostic"
    PERFORMANCE = "performance"
    DOCS = "docs"
    OTHER = "other"


class Simulation(Timestamps, Base):
    """One run of a model configuration (a case) on one machine from one model date."""

    __tablename__ = "simulations"
    __table_args__ = (UniqueConstraint("case_name", "machine_id", "simulation_start_date"),)

    id: Mapped[UuidKey]
    name: Mapped[Short]
    case_name: Mapped[Short]
    compset: Mapped[Short]
    compset_alias: Mapped[Short]
    grid_name: Mapped[Short]
    grid_resolution: Mapped[Short]
    simulation_type: Mapped[SimulationType] = mapped_column(enum_column(SimulationType, "simulation_type"))
    status: Mapped[SimulationStatus] = mapped_column(enum_column(SimulationStatus, "status"))
    initialization_type: Mapped[Short]
    machine_id: Mapped[UUID] = mapped_column(ForeignKey("machines.id"), index=True)
    simulation_start_date: Mapped[datetime] = mapped_column(UTCDateTime)
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("simulations.id"), index=True)
    description: Mapped[str | None] = mapped_column(Text)
    campaign: Mapped[Short | None]
    experiment_type: Mapped[Short | None]
    group_name: Mapped[Short | None]
    simulation_end_date: Mapped[datetime | None] = mapped_column(UTCDateTime)
    run_start_date: Mapped[datetime | None] = mapped_column(UTCDateTime)
    run_end_date: Mapped[datetime | None] = mapped_column(UTCDateTime)
    compiler: Mapped[Short | None]
    key_features: Mapped[str | None] = mapped_column(Text)
    known_issues: Mapped[str | None] = mapped_column(Text)
    notes_markdown: Mapped[str | None] = mapped_column(Text)
    git_repository_url: Mapped[Locator | None]
    git_branch: Mapped[Short | None]
    git_tag: Mapped[Short | None]
    git_commit_hash: Mapped[str | None] = mapped_column(String(64))
    hpc_username: Mapped[Short | None]
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    last_updated_by: Mapped[UUID | None] = mapped_column(
        ForeignKey("users.id", ondelete="SET NULL"), index=True
    )
    extra: Mapped[dict[str, Any] | None] = mapped_column(JSON_OBJECT)


class Artifact(Timestamps, Base):
    """A file or directory that a simulation left behind."""

    __tablename__ = "artifacts"
    __table_args__ = (UniqueConstraint("simulation_id", "kind", "uri"),)

    id: Mapped[UuidKey]
    simulation_id: Mapped[UUID] = mapped_column(ForeignKey("simulations.id", ondelete="CASCADE"))
    kind: Mapped[ArtifactKind] = mapped_column(enum_column(ArtifactKind, "kind"))
    uri: Mapped[Locator]
    label: Mapped[Short | None]
    checksum: Mapped[Short | None]
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)


class ExternalLink(Timestamps, Base):
    """A page about a simulation: diagnostics, performance, documentation."""

    __tablename__ = "external_links"
    __table_args__ = (UniqueConstraint("simulation_id", "kind", "url"),)

    id: Mapped[UuidKey]
    simulation_id: Mapped[UUID] = mapped_column(ForeignKey("simulations.id", ondelete="CASCADE"))
    kind: Mapped[LinkKind] = mapped_column(enum_column(LinkKind, "kind"))
    url: Mapped[Locator]
    label: Mapped[Short | None]
