"""What every part of the backend leans on: settings, the database, errors."""
