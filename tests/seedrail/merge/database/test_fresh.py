"""The order in which empty tables are loaded from rows that are sorted by table."""

from hypothesis import given
from hypothesis import strategies as st

from seedrail.merge.database.fresh import passes
from seedrail.schema.tables import FrozenForeignKey, FrozenTable


def table(name: str, *parents: str) -> FrozenTable:
    keys = {f"{parent}_id": FrozenForeignKey(parent, "id") for parent in parents}
    return FrozenTable(name, "set", "id", ("name",), {}, (), keys, ())


def test_children_that_sort_before_their_parents_come_in_the_next_pass() -> None:
    tables = [
        table("machines"),
        table("simulations", "machines", "simulations", "users"),
        table("artifacts", "simulations"),
        table("zones", "artifacts"),
    ]
    assert list(passes(tables, str)) == [{"machines", "simulations"}, {"artifacts", "zones"}]


@given(st.permutations("abcdefg"), st.permutations("abcdefg"), st.data())
def test_parents_are_loaded_before_their_children(
    order: list[str], ranked: list[str], data: st.DataObject
) -> None:
    """For any tables without a circle: `order` is one in which they may be made."""
    tables = [
        table(name, *data.draw(st.sets(st.sampled_from(order[: index + 1]))))
        for index, name in enumerate(order)
    ]
    parents = {one.name: {key.table for key in one.foreign_keys.values()} - {one.name} for one in tables}
    loaded: list[str] = []
    for names in passes(tables, ranked.index):
        assert names
        loaded += sorted(names, key=ranked.index)
    assert sorted(loaded) == sorted(order)
    assert all(parents[name] <= set(loaded[:index]) for index, name in enumerate(loaded))
