"""The lines of `env.py` that seeds need, added to its text: the rest of it stays as it is, comments too."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from seedrail.errors import SetupError
from seedrail.quoting import one_line, shown

HOOKS = ("include_name", "process_revision_directives", "autogenerate_plugins", "on_version_apply")
"""What `seedrail.options` sets: those of the project's own are given to it instead."""

_SEEDS = "seed_catalog"
_PLACE = """
# add the seeds here, as docs/seeding-your-own.md of seedrail declares them
# from myapp.seeds import seed_catalog
seed_catalog = seedrail.SeedCatalog([])
"""
_WIDE = 88
"""Characters of a line that is not to be longer."""
_BEGIN = "with seedrail.begin(context):"


_Argument = ast.expr | ast.keyword


@dataclass(frozen=True)
class Wired:
    """An `env.py` with the lines added; `missing` says what could not be, for people to do."""

    before: str
    after: str
    missing: tuple[str, ...] = ()


def wired(source: str, seeds: str | None = None) -> Wired:
    """`source` with its seeds: those of `seeds`, a `module:name`, or a place for them.

    SetupError where it is no Python, and where it migrates with arguments, which seed revisions do not take.
    """
    edits = _Edits(source)
    module, _, name = (seeds or "").partition(":")
    bound = _bound(edits.tree)
    missing = []
    if not edits.options(name or _SEEDS):
        missing.append("give `**seedrail.options(seed_catalog)` to context.configure")
    if not edits.begin():
        missing.append(f"put `{_BEGIN}` around context.run_migrations()")
    if not edits.empty:
        lines = [] if "seedrail" in bound else ["import seedrail"]
        unknown = edits.gave and (name or _SEEDS) not in bound
        if module and unknown:
            lines.append(f"from {module} import {name}")
        edits.imports(lines, _PLACE if unknown and not module else "")
    return Wired(source, edits.made(), tuple(missing))


class _Edits:
    """Places in a source, in bytes as the parser counts them, and what comes there."""

    def __init__(self, source: str) -> None:
        try:
            self.tree = ast.parse(source)
        except (SyntaxError, ValueError) as error:
            raise SetupError(f"env.py cannot be read: {one_line(error)}; nothing was written") from None
        self.source = source.encode()
        self._starts = [0]
        for line in self.source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._newline = b"\r\n" if b"\r\n" in self.source else b"\n"
        self._all: list[tuple[int, int, bytes]] = []
        self._contexts = _aliases(self.tree)
        self.gave = False
        """Whether seeds were given to a call."""
        self._refuse_arguments()

    @property
    def empty(self) -> bool:
        """Whether nothing is to be added."""
        return not self._all

    def made(self) -> str:
        """The source with all edits."""
        text = self.source
        for start, end, new in sorted(self._all, reverse=True):
            text = text[:start] + new.replace(b"\n", self._newline) + text[end:]
        return text.decode()

    def options(self, seeds: str) -> bool:
        """Give the seeds to each `context.configure`; False where none is called."""
        calls = [*self._calls("configure")]
        for call in calls:
            if not any(one.arg is None and _is_ours(one.value, "options") for one in call.keywords):
                self._configure(call, seeds)
                self.gave = True
        return bool(calls)

    def begin(self) -> bool:
        """Begin runs with the seeds, where Alembic's own begins are; False where there is neither."""
        found = any(_is_ours(node, "begin") for node in ast.walk(self.tree))
        for node in ast.walk(self.tree):
            if isinstance(node, ast.With):
                for item in node.items:
                    call = item.context_expr
                    if isinstance(call, ast.Call) and self._is(call, "begin_transaction") and not call.args:
                        context = ast.unparse(call.func).rpartition(".")[0]
                        self._replace(call, f"seedrail.begin({context})")
                        found = True
        return found

    def imports(self, lines: list[str], place: str) -> None:
        """Lines behind the last import of the module, and a block behind what it sets after that."""
        imports = [one for one in self.tree.body if isinstance(one, ast.Import | ast.ImportFrom)]
        after = self._line_end(imports[-1]) if imports else 0
        text = "".join(line + "\n" for line in lines)
        targets = [one for one in self.tree.body if "target_metadata" in _bound(ast.Module([one], []))]
        metadata = max([after, *(self._line_end(one) for one in targets)])
        # Of two edits in one place the order would be lost.
        both = metadata == after
        self._all.append((after, after, (text + place * both).encode()))
        self._all.append((metadata, metadata, b"" if both else place.encode()))

    # -- one call

    def _configure(self, call: ast.Call, seeds: str) -> None:
        hooks = [one for one in call.keywords if one.arg in HOOKS]
        given = "".join(f", {self._text(one)}" for one in hooks)
        ours = f"**seedrail.options({seeds}{given})".encode()
        given_to: list[_Argument] = [*call.args, *call.keywords]
        arguments = sorted(given_to, key=lambda one: self._span(one)[0])
        if hooks:
            self._spread(call, [one for one in arguments if one not in hooks], ours)
        elif arguments:
            self._add(call, arguments, ours)
        else:
            close = self._span(call)[1] - 1
            self._all.append((close, close, ours))

    def _add(self, call: ast.Call, arguments: list[_Argument], ours: bytes) -> None:
        """One more argument behind the last one: in a line of its own where the others have theirs."""
        last = arguments[-1]
        start, close = self._span(last)[1], self._span(call)[1] - 1
        # What follows is a comma, comments, and where lines end.
        comma = re.match(rb"(?:[^,#]|#[^\n]*\n)*,", self.source[start:close])
        after = start + comma.end() if comma else start
        missing = b"" if comma else b","
        if b"\n" in self.source[after:close]:
            line = self._start_of_line(close)
            self._all.append((after, after, missing))
            self._all.append((line, line, self._indent(last) + ours + b",\n"))
        elif b"\n" in self.source[self._span(call)[0] : close]:
            self._all.append((after, close, missing + b"\n" + b" " * last.col_offset + ours))
        elif close - self._start_of_line(close) + len(ours) < _WIDE:
            self._all.append((start, close, b", " + ours))
        else:
            self._spread(call, arguments, ours)

    def _spread(self, call: ast.Call, kept: list[_Argument], ours: bytes) -> None:
        """The call with each argument on a line: as one line it would be too long, or some move to ours."""
        outer = self._indent(call)
        lines = [*(self._text(one).encode() for one in kept), ours]
        inside = b"".join(b"\n" + outer + b"    " + line + b"," for line in lines)
        start = self._span(call.func)[1]
        self._replace_span(start, self._span(call)[1], b"(" + inside + b"\n" + outer + b")")

    # -- places

    def _calls(self, name: str) -> Iterator[ast.Call]:
        calls = (node for node in ast.walk(self.tree) if isinstance(node, ast.Call))
        return (call for call in calls if self._is(call, name))

    def _is(self, call: ast.Call, name: str) -> bool:
        return ast.unparse(call.func) in {f"{context}.{name}" for context in self._contexts}

    def _refuse_arguments(self) -> None:
        for call in self._calls("run_migrations"):
            if call.args or call.keywords:
                raise SetupError(
                    f"env.py gives arguments to the revisions ({shown(ast.unparse(call))}), as for several"
                    " databases, and those of seeds take none; nothing was written\n"
                    "  give the database that has seeds an Alembic project of its own"
                )

    def _span(self, node: ast.expr | ast.keyword | ast.stmt) -> tuple[int, int]:
        start = self._starts[node.lineno - 1] + node.col_offset
        return start, self._starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)

    def _text(self, node: ast.expr | ast.keyword) -> str:
        start, end = self._span(node)
        return self.source[start:end].decode()

    def _replace(self, node: ast.expr, text: str) -> None:
        self._replace_span(*self._span(node), text.encode())

    def _replace_span(self, start: int, end: int, text: bytes) -> None:
        self._all.append((start, end, text))

    def _start_of_line(self, place: int) -> int:
        return max(start for start in self._starts if start <= place)

    def _line_end(self, node: ast.stmt) -> int:
        return self._starts[node.end_lineno or 0]

    def _indent(self, node: ast.expr | ast.keyword) -> bytes:
        line = self.source[self._starts[node.lineno - 1] :]
        return line[: len(line) - len(line.lstrip(b" \t"))]


def _bound(tree: ast.Module) -> set[str]:
    """The names that a module's own statements give a meaning to."""
    names: set[str] = set()
    for node in tree.body:
        match node:
            case ast.Import() | ast.ImportFrom():
                names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.Assign():
                parts = (one for target in node.targets for one in ast.walk(target))
                names |= {one.id for one in parts if isinstance(one, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
    return names


def _aliases(tree: ast.Module) -> set[str]:
    """What the module calls Alembic's context."""
    found = {"context", "alembic.context"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "alembic":
            found |= {one.asname for one in node.names if one.name == "context" and one.asname}
    return found


def _is_ours(node: ast.AST, name: str) -> bool:
    """A call of the library's function of that name, however it was imported."""
    if not isinstance(node, ast.Call):
        return False
    return ast.unparse(node.func) in (name, f"seedrail.{name}")
