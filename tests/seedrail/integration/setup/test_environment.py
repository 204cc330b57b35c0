"""The lines that `env.py` gets: where they go, and which files are Alembic's own."""

import ast
import io
import tokenize
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from hypothesis import given
from hypothesis import strategies as st

from seedrail.errors import SetupError
from seedrail.integration.setup.environment import HOOKS, wired
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
    # Older templates had no default there.
    assert is_stock(source.replace("config.config_ini_section, {}", "config.config_ini_section"))
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
            "context.configure(\n    **seedrail.options(seed_catalog, include_name=f),\n)",
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


# -- any way to write it

_VALUES = st.sampled_from(
    ["1", "'é'", "[a, b]", "f(x, y=2)", "{\n 'k': 1,\n}", "('a'\n 'b')", "lambda a: (a,)"]
)
_NAMES = ["url", "connection", "compare_type", "include_name", "on_version_apply", "target_metadata"]
_GAPS = st.sampled_from(["", " ", "\n    ", "  # it (is, so\n    ", "\n\n  # so\n    ", " \\\n    "])


@st.composite
def calls(draw: st.DrawFn) -> str:
    """A call of configure with arguments in any order, gaps and comments in between, and any end."""
    names = draw(st.lists(st.sampled_from(_NAMES), unique=True, max_size=5))
    parts = [f"{name}={draw(_VALUES)}" for name in names]
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), "**more")
    if draw(st.booleans()):
        parts.insert(0, "connection_")
    text = "context.configure("
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        comma = "" if last and draw(st.booleans()) else ","
        text += draw(_GAPS) + part + draw(_GAPS).rstrip(" ") * bool(comma) + comma
    end = draw(_GAPS) + ")" + draw(st.sampled_from(["", "  # done", "; more()"]))
    return text + end


@given(call=calls(), indent=st.sampled_from(["", "    ", "\t"]))
def test_any_call_keeps_its_arguments_and_comments_and_gets_the_seeds(call: str, indent: str) -> None:
    inside = "\n".join(indent + line for line in call.split("\n")) if indent else call
    opening = "def run():\n" if indent else ""
    source = f"{HEAD}{opening}{inside}\n{indent}with context.begin_transaction():\n{indent} pass\n"
    try:
        before = _call(source)
    except SyntaxError:
        return
    found = wired(source)
    after = _call(found.after)
    ours = next(one.value for one in after.keywords if "seedrail" in ast.dump(one))
    assert isinstance(ours, ast.Call)
    hooks = [one for one in before.keywords if one.arg in HOOKS]
    assert _dumped([*ours.keywords]) == _dumped(hooks)
    kept = [one for one in [*before.args, *before.keywords] if one not in hooks]
    rest = [one for one in [*after.args, *after.keywords] if "seedrail" not in ast.dump(one)]
    assert _dumped(rest) == _dumped(kept)
    assert _comments(found.after) >= _comments(source) or hooks
    assert wired(found.after).after == found.after


def _call(source: str) -> ast.Call:
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return next(one for one in calls if ast.unparse(one.func) == "context.configure")


def _dumped(nodes: list[Any]) -> list[str]:
    return sorted(ast.dump(node) for node in nodes)


def _comments(source: str) -> Counter[str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return Counter(one.string for one in tokens if one.type == tokenize.COMMENT)
