"""How a document may write a value: several ways to try, the likeliest first."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice, product
from typing import Any

from seedrail.documents.edit.text.style import Literal
from seedrail.documents.integrity import Placed, camel
from seedrail.documents.sources import ABSENT
from seedrail.schema.types import ColumnType

REMOVED = object()
"""In place of a value: its key goes."""

_WAYS = 16
"""How many ways to write a link are tried."""

Known = Mapping[tuple[str, str], Placed]
"""Rows of the documents by table and seed id."""


def ways(type_: ColumnType, value: Any, written: Any) -> Iterator[Any]:
    """Ways to write a canonical value where `written` stands, or stands elsewhere for the same column."""
    if value is None:
        yield None
        yield REMOVED
    elif type_.kind == "decimal":
        plain = isinstance(written, int | float)
        yield from ((Literal(value), value) if plain else (value, Literal(value)))
    elif type_.kind == "float" and float(value).is_integer():
        whole = int(value)
        yield from ((whole, value) if isinstance(written, int) else (value, whole))
    elif type_.kind == "timestamp" and isinstance(written, str) and written.endswith("+00:00"):
        yield from (value.removesuffix("Z") + "+00:00", value)
    else:
        yield value


def ways_to_link(
    known: Known, row: Placed, column: str, target: str, examples: Sequence[Placed]
) -> list[Any]:
    """Ways to write a link to another row: as others that lead there, or as links to other rows are written.

    `examples` are rows whose links stand in the same column, the row itself first.
    """
    return list(islice(_links(known, row, column, target, examples), _WAYS))


def _links(known: Known, row: Placed, column: str, target: str, examples: Sequence[Placed]) -> Iterator[Any]:
    table = row.table.foreign_keys[column].table
    for one in examples:
        if one.values.get(column) == target and (written := _written(one, column)) is not ABSENT:
            yield written
    to = _parts(known, table, target)
    for one in examples:
        other = one.values.get(column)
        if other is not None and other != target and (written := _written(one, column)) is not ABSENT:
            yield from _substituted(written, _parts(known, table, other), to)
    yield from _plain(known, table, target)


def _written(row: Placed, column: str) -> Any:
    return row.source.value(row.place(column))


Part = tuple[Any, Any]
"""A part of a natural key in its canonical form, and as the document writes it."""


def _parts(known: Known, table: str, id_: str) -> list[Part]:
    """The natural key of a row, parents' parts in place of links."""
    row = known.get((table, id_))
    if row is None:
        return [(id_, id_)]
    parts: list[Part] = []
    for name in row.table.key:
        link, value = row.table.foreign_keys.get(name), row.values[name]
        if link is not None and (link.table, value) in known:
            parts += _parts(known, link.table, value)
        else:
            written = _written(row, name)
            parts.append((value, value if written is ABSENT or isinstance(written, dict | list) else written))
    return parts


def _substituted(written: Any, old: Sequence[Part], new: Sequence[Part]) -> Iterator[Any]:
    """A reference with the parts of another key in place of its own."""
    if len(old) != len(new):
        return
    leaves = list(_leaves(written, ()))
    fitting = [
        [number for number, part in enumerate(old) if any(_alike(leaf, one) for one in part)]
        for _, leaf in leaves
    ]
    if not all(fitting):
        return
    for numbers in product(*fitting):
        changed = {path: new[number][1] for (path, _), number in zip(leaves, numbers, strict=True)}
        yield _with(written, (), changed)


def _leaves(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    if not isinstance(value, dict | list):
        yield path, value
    for key, member in members:
        yield from _leaves(member, (*path, key))


def _with(value: Any, path: tuple[Any, ...], changed: Mapping[tuple[Any, ...], Any]) -> Any:
    if isinstance(value, dict):
        return {key: _with(member, (*path, key), changed) for key, member in value.items()}
    if isinstance(value, list):
        return [_with(member, (*path, index), changed) for index, member in enumerate(value)]
    return changed[path]


def _alike(one: Any, other: Any) -> bool:
    """Whether two scalars are the same, or the same moment."""
    if type(one) is type(other) and one == other:
        return True
    if not (isinstance(one, str) and isinstance(other, str)):
        return False
    try:
        moments = datetime.fromisoformat(one), datetime.fromisoformat(other)
        return moments[0] == moments[1]
    except (ValueError, TypeError):
        return False


def _plain(known: Known, table: str, id_: str) -> Iterator[Any]:
    """Where nothing shows how: the key's one part by itself, or an object of its parts."""
    parts = _parts(known, table, id_)
    if len(parts) == 1:
        yield parts[0][1]
    if (table, id_) in known:
        yield _object(known, table, id_, camel)
        yield _object(known, table, id_, str)


def _object(known: Known, table: str, id_: str, spelled: Any) -> dict[str, Any]:
    row, members = known[table, id_], {}
    for name in row.table.key:
        link, value = row.table.foreign_keys.get(name), row.values[name]
        if link is not None and (link.table, value) in known:
            members[spelled(name.removesuffix("_id"))] = _object(known, link.table, value, spelled)
        else:
            members[spelled(name)] = value
    return members
