"""The lines that `env.py` gets: where they go, and which files are Alembic's own."""

import ast
from pathlib import Path

import pytest
from alembic.config import Config

from seedrail.errors import SetupError
from seedrail.integration.setup.environment import wired
from seedrail.integration.setup.stock import is_stock
from tests.support.project import ROOT

TEMPLATES = sorted(Path(Config().get_template_directory()).glob("*/env.py"))
ALONE = [one for one in TEMPLATES if one.parent.name != "multidb"]
HEAD = "import seedrail\nfrom alembic import context\nseed_catalog = None\n"


def by_template(path: Path) -> str:
    return path.parent.name


def body(call: str, seeds: str | None = None) -> str:
    """What becomes of one line."""
    source = f"{HEAD}{call}\nwith context.begin_transaction():\n    context.run_migrations()\n"
    found = wired(source, seeds)
    assert found.after.startswith(HEAD)
    assert found.after.endswith("\nwith seedrail.begin(context):\n    context.run_migrations()\n")
    return found.after.removeprefix(HEAD).partition("\nwith seedrail")[0]


@pytest.mark.parametrize("path", ALONE, ids=by_template)
def test_a_template_is_stock_gets_its_lines_and_is_then_left_alone(path: Path) -> None:
    source = path.read_text("utf-8")
    assert is_stock(source)
    once = wired(source)
    assert once.missing == ()
    assert once.after.count("**seedrail.options(seed_catalog)") == 2
    assert once.after.count("with seedrail.begin(context):") == 2
    assert wired(once.after).after == once.after
    # Only lines that had to change are others.
    gone = {*source.splitlines()} - {*once.after.splitlines()}
    assert all("context." in line or "target_metadata=target_metadata" in line for line in gone)


@pytest.mark.parametrize("path", ALONE, ids=by_template)
def test_what_projects_add_leaves_it_stock_and_what_they_do_otherwise_does_not(path: Path) -> None:
    source = path.read_text("utf-8")
    added = source.replace("target_metadata = None", "from app import Base\ntarget_metadata = Base.metadata")
    added = added.replace(
        "target_metadata=target_metadata", "compare_type=True, target_metadata=target_metadata"
    )
    added += "\n\ndef of_ones_own():\n    pass\n"
    assert is_stock(added.replace(" -> None:", ":"))
    for other in (
        "include_name=mine, target_metadata=target_metadata",
        "transaction_per_migration=True, target_metadata=target_metadata",
    ):
        assert not is_stock(source.replace("target_metadata=target_metadata", other))
    assert not is_stock(source.replace("context.run_migrations()", "other()"))
    assert not is_stock("")


@pytest.mark.parametrize(
    ("call", "becomes"),
    [
        ("context.configure()", "context.configure(**seedrail.options(seed_catalog))"),
        ("context.configure(url=1)", "context.configure(url=1, **seedrail.options(seed_catalog))"),
        ("context.configure(url=1,)", "context.configure(url=1, **seedrail.options(seed_catalog))"),
        (
            "context.configure(\n    url=1  # why, (oh) why\n)",
            "context.configure(\n    url=1,  # why, (oh) why\n    **seedrail.options(seed_catalog),\n)",
        ),
        (
            "context.configure(url=1,\n                  b={\n 2: 3})",
            "context.configure(url=1,\n                  b={\n 2: 3},\n"
            "                  **seedrail.options(seed_catalog))",
        ),
        (
            "context.configure(url='é', include_name=mine, b=2)",
            "context.configure(\n    url='é',\n    b=2,\n"
            "    **seedrail.options(seed_catalog, include_name=mine),\n)",
        ),
        (
            "context.configure(\n    include_name=mine,\n    b=2,\n    on_version_apply=[a, b],\n)",
            "context.configure(\n    b=2,\n"
            "    **seedrail.options(seed_catalog, include_name=mine, on_version_apply=[a, b]),\n)",
        ),
        (
            "context.configure(include_name=f)",
            "context.configure(**seedrail.options(seed_catalog, include_name=f))",
        ),
        ("context.configure(**seedrail.options(other, text_up_to=1))", None),
    ],
)  # fmt: skip
def test_each_way_to_write_the_call_keeps_what_it_says(call: str, becomes: str | None) -> None:
    assert body(call) == (becomes or call)


def test_a_line_that_would_be_too_long_becomes_several() -> None:
    assert body("context.configure(connection=connection, target_metadata=target_metadata)") == (
        "context.configure(\n    connection=connection,\n    target_metadata=target_metadata,\n"
        "    **seedrail.options(seed_catalog),\n)"
    )


def test_seeds_are_imported_behind_the_last_import_or_get_a_place() -> None:
    source = "import sys\nfrom alembic import context as ctx\n\nctx.configure()\n"
    source += "with ctx.begin_transaction(): pass\n"
    named = wired(source, "shop.seeds:catalog").after
    assert "as ctx\nimport seedrail\nfrom shop.seeds import catalog\n\nctx.configure(" in named
    assert "**seedrail.options(catalog)" in named
    assert "with seedrail.begin(ctx): pass" in named
    placed = wired(source).after
    assert "import seedrail\n\n# add the seeds here" in placed
    ast.parse(placed)


def test_line_ends_stay_as_they_are() -> None:
    source = TEMPLATES[0].read_text("utf-8").replace("\n", "\r\n")
    assert "\n" not in wired(source).after.replace("\r\n", "")


def test_what_cannot_be_added_is_said() -> None:
    assert wired("from elsewhere import run\nrun()\n").missing == (
        "give `**seedrail.options(seed_catalog)` to context.configure",
        "put `with seedrail.begin(context):` around context.run_migrations()",
    )
    own = "from alembic import context\ncontext.configure()\nwith mine(): context.run_migrations()\n"
    assert wired(own).missing == ("put `with seedrail.begin(context):` around context.run_migrations()",)


def test_the_catalogs_own_environment_needs_nothing() -> None:
    source = (ROOT / "migrations/env.py").read_text("utf-8")
    assert wired(source).after == source
    assert wired(source).missing == ()


def test_several_databases_and_broken_files_are_refused() -> None:
    several = next(one for one in TEMPLATES if one.parent.name == "multidb").read_text("utf-8")
    with pytest.raises(SetupError, match="gives arguments to the revisions"):
        wired(several)
    with pytest.raises(SetupError, match=r"env\.py cannot be read: "):
        wired("(")
