"""Command-line scripts, run as modules from the project's root."""
