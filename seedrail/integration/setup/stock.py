"""Whether an `env.py` is one of Alembic's own templates: its functions are, whatever models it names."""

import ast
from collections.abc import Iterator
from pathlib import Path

from alembic.config import Config

from seedrail.integration.setup.environment import HOOKS

_OURS = (*HOOKS, "transaction_per_migration", "transactional_ddl")


def is_stock(source: str) -> bool:
    """Whether everything that a template of the installed Alembic does is done there, in the same way.

    Imports, other statements and other arguments of `context.configure` may have been added.
    """
    found = {*_acts(source)}
    return any({*_acts(text)} <= found for text in _templates())


def _templates() -> Iterator[str]:
    folder = Path(Config().get_template_directory())
    yield from (path.read_text("utf-8") for path in sorted(folder.glob("*/env.py")))


def _acts(source: str) -> Iterator[str]:
    """Functions and conditions, without docstrings, annotations, and what projects set."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.If):
            yield ast.dump(_Plain().visit(node))


class _Plain(ast.NodeTransformer):
    """Leaves out what may differ."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """A function without docstring and annotations."""
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """The same."""
        return self._function(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """A call of `configure` without what projects add to it, and others as older templates had them."""
        self.generic_visit(node)
        if ast.unparse(node.func) == "config.get_section":
            node.args = node.args[:1]
        if ast.unparse(node.func) == "context.configure":
            node.keywords = [one for one in node.keywords if one.arg in (*_STOCK, *_OURS, None)]
        return node

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns = None
        for argument in node.args.args:
            argument.annotation = None
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        return node


_STOCK = ("url", "connection", "target_metadata", "literal_binds", "dialect_opts")
