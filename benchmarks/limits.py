"""The limits: what the databases and the parsers need for the same work by themselves."""

import gc
import json
import sqlite3
from pathlib import Path

import psycopg

from benchmarks import rows
from benchmarks.contender import FILES, KINDS, Contender, Task, Work


def load(task: Task) -> Work:
    """The finished rows into the empty tables, in one transaction: COPY, or executemany."""
    finished = rows.stored_rows(task.kind, task.native_seeded)

    def postgresql() -> None:
        with psycopg.connect(task.native) as connection, connection.cursor() as cursor:
            for table, values in finished.items():
                with cursor.copy(f"COPY {table} ({rows.listed(table)}) FROM STDIN") as copy:
                    for row in values:
                        copy.write_row(row)

    def sqlite() -> None:
        connection = sqlite3.connect(task.native)
        with connection:
            for table, values in finished.items():
                marks = ", ".join("?" * len(rows.columns(table)))
                # Names are constants of this package; every value is bound.
                insert = f"INSERT INTO {table} ({rows.listed(table)}) VALUES ({marks})"  # noqa: S608
                connection.executemany(insert, values)
        connection.close()

    return sqlite if task.kind == "sqlite" else postgresql


def load_text(task: Task) -> Work:
    """COPY of text that stands ready in memory: not even a row is formatted."""
    finished = rows.copy_text(task.native_seeded)

    def run() -> None:
        with psycopg.connect(task.native) as connection, connection.cursor() as cursor:
            for table, text in finished.items():
                with cursor.copy(f"COPY {table} ({rows.listed(table)}) FROM STDIN") as copy:
                    copy.write(text)

    return run


def delete(task: Task) -> Work:
    """One DELETE for each table, of the ids that the seed inserted."""
    ids = rows.ids(task.kind, task.native_seeded)
    children_first = list(reversed(rows.TABLES))
    # Names are constants of this package; every value is bound.
    listed = {table: json.dumps(ids[table]) for table in children_first}

    def postgresql() -> None:
        with psycopg.connect(task.native) as connection:
            for table in children_first:
                connection.execute(f"DELETE FROM {table} WHERE id = ANY(%s::uuid[])", [ids[table]])  # noqa: S608

    def sqlite() -> None:
        connection = sqlite3.connect(task.native)
        with connection:
            for table in children_first:
                query = f"DELETE FROM {table} WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608
                connection.execute(query, [listed[table]])
        connection.close()

    return sqlite if task.kind == "sqlite" else postgresql


def validate(task: Task) -> Work:
    """json.loads and the typed validation of every element."""
    from app.features.catalog import DOCUMENTS
    from app.features.simulations.schemas import SimulationDocument

    document = Path(DOCUMENTS) / "simulations.json"

    def run() -> list[SimulationDocument]:
        elements = json.loads(document.read_bytes())
        return [SimulationDocument.model_validate(element) for element in elements]

    return run


def validate_uncollected(task: Task) -> Work:
    """The same without the garbage collector, which walks millions of new objects that all stay."""
    work = validate(task)

    def run() -> object:
        gc.disable()
        return work()

    return run


def idle(task: Task) -> Work:
    """Nothing at all, with everything imported: what the memory of the others is compared with."""
    from benchmarks.ours import import_everything

    import_everything(task)
    return lambda: None


_ALEMBIC = ("-m", "alembic")

LIMITS = (
    Contender("limit", "limit", "COPY or executemany", load, after="seeded"),
    Contender(
        "limit-text",
        "limit",
        "COPY of ready text",
        load_text,
        after="seeded",
        limit="limit",
        kinds=("postgresql",),
    ),
    Contender("limit-delete", "limit", "one DELETE by ids a table", delete, start="seeded", after="empty"),
    Contender(
        "limit-document",
        "limit",
        "json.loads + typed validation",
        validate,
        kinds=FILES,
    ),
    Contender(
        "limit-document-uncollected",
        "limit",
        "the same, no garbage collector",
        validate_uncollected,
        limit="limit-document",
        kinds=FILES,
        largest=20_000,
        plotted=False,
    ),
    Contender(
        "limit-nothing",
        "limit",
        "bare alembic upgrade",
        tree="bare",
        start="bare",
        command=(*_ALEMBIC, "upgrade", "head"),
        repeats=3,
    ),
    Contender(
        "limit-current",
        "limit",
        "bare alembic current",
        tree="bare",
        start="bare",
        command=(*_ALEMBIC, "current"),
        repeats=3,
        plotted=False,
    ),
    Contender("idle", "limit", "idle process", idle, kinds=(*KINDS, *FILES), plotted=False),
)
