"""What code says of itself, and tables of it."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from inspect import getsource
from itertools import pairwise


def docs_of(class_: type) -> Mapping[str, str]:
    """The docstrings of a class's attributes, each as one line."""
    [body] = (one.body for one in ast.walk(ast.parse(getsource(class_))) if isinstance(one, ast.ClassDef))
    return dict(_attributes(body))


def _attributes(body: Iterable[ast.stmt]) -> Iterator[tuple[str, str]]:
    for one, following in pairwise(body):
        match one, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, " ".join(text.split())


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of Markdown."""
    titles = list(titles)
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: object) -> str:
    """A code span in a cell of a table."""
    return "`" + str(text).replace("|", "\\|") + "`"
