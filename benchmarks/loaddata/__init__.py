"""A Django application of unmanaged models over the same tables, and its `loaddata`."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from benchmarks import rows
from benchmarks.contender import Task, Work, scratch

_KEYS = {"machine_id": "machine", "parent_id": "parent", "simulation_id": "simulation"}
_MODELS = {
    "machines": "machine",
    "simulations": "simulation",
    "artifacts": "artifact",
    "external_links": "externallink",
}


def prepare(task: Task) -> Work:
    """Configure Django for the database and write the fixture; `loaddata` is what is timed."""
    import django
    from django.conf import settings
    from django.core.management import call_command

    fixture = _write_fixture(task)
    settings.configure(
        DATABASES={"default": _database(task.url)},
        INSTALLED_APPS=["benchmarks.loaddata"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()
    return lambda: call_command("loaddata", str(fixture), verbosity=0)


def _database(url: str) -> dict[str, Any]:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": parsed.database}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parsed.database,
        "USER": parsed.username,
        "PASSWORD": parsed.password or "",
        "HOST": parsed.query.get("host") or parsed.host or "",
        "PORT": parsed.port or "",
    }


def _write_fixture(task: Task) -> Path:
    path = scratch() / "catalog.json"
    with path.open("w", encoding="utf-8") as file:
        separator = "["
        for table, values in rows.mappings(task.seeded).items():
            for row in values:
                key = row.pop("id")
                fields = {_KEYS.get(name, name): value for name, value in row.items()}
                entry = {"model": f"loaddata.{_MODELS[table]}", "pk": key, "fields": fields}
                file.write(separator + json.dumps(entry, default=str))
                separator = ",\n"
        file.write("]\n")
    return path
