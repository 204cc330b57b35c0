"""Machines: reference data, wanted in every environment."""

from app.features.machines.models import Machine

__all__ = ["Machine"]
