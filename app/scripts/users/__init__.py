"""Provisioning of accounts."""
