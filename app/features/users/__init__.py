"""Accounts of people and services."""

from app.features.users.models import ApiToken, AuditEvent, User, UserKind, UserRole

__all__ = ["ApiToken", "AuditEvent", "User", "UserKind", "UserRole"]
