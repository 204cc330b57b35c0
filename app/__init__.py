"""Seedrail: the backend of a catalog of Earth-system simulations."""
