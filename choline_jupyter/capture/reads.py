"""Which names a cell reads from outside itself, and which it binds, by its syntax alone.

Called by `capture.names` and `capture.writers`. A name that the cell certainly binds before it first reads it is its own;
what functions of the cell read is late-bound, so it counts unless the cell binds it anywhere. Where a name may come from
either, it counts as read: to send one too many costs little.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class Names:
    """Global names of a piece of code."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()


def find_names(code: str) -> Names:
    """The names of Python code without magics; none at all where it has a syntax error."""
    try:
        tree = ast.parse(code)
        table = symtable.symtable(code, "cell", "exec")
        order = _Order()
        order.follow(tree.body)
        late = set(_find_late(table)) - order.bound
        declared = set(_find_declared(table))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the parser has no other word for too many brackets
        return Names()
    return Names(frozenset(order.reads | late), frozenset(order.bound | declared))


class _Order:
    """Walks a module's own statements in the order in which they run."""

    def __init__(self) -> None:
        self.reads: set[str] = set()
        self.bound: set[str] = set()  # anywhere
        self._certain: set[str] = set()

    def follow(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            self._follow_one(statement)

    def _follow_one(self, node: ast.stmt) -> None:
        blocks = [block for _, block in ast.iter_fields(node) if _is_block(block)]
        if isinstance(node, _SCOPES) or not blocks:
            self._look(node)
            return
        for _, part in sorted(ast.iter_fields(node), key=lambda field: field[0] == "target"):  # bound behind the rest
            for child in part if isinstance(part, list) else [part]:
                if isinstance(child, ast.AST) and not isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case)):
                    self._look_in(child)
        before = set(self._certain)
        for block in blocks:
            self._follow_block(block, before)
        is_sure = isinstance(node, (ast.With, ast.AsyncWith))
        self._certain = self._certain if is_sure else before

    def _follow_block(self, block: list[ast.AST], before: set[str]) -> None:
        """A part that may run or not, from what was certain before; what it binds is certain in itself."""
        self._certain = set(before)
        for child in block:
            if isinstance(child, ast.stmt):
                self._follow_one(child)
            elif isinstance(child, ast.ExceptHandler):
                if child.type:
                    self._look_in(child.type)
                self._bind(filter(None, [child.name]))
                self.follow(child.body)
            elif isinstance(child, ast.match_case):
                self._look_in(child.pattern)
                self.follow(child.body)

    def _look(self, node: ast.AST) -> None:
        """A statement without blocks: what it reads, then what it binds."""
        self._look_in(node)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self._bind([node.name])

    def _look_in(self, node: ast.AST) -> None:
        loads: set[str] = set()
        stores: set[str] = set()
        for child in _walk(node):
            if isinstance(child, ast.Name):
                (loads if isinstance(child.ctx, ast.Load) else stores).add(child.id)
            elif isinstance(child, ast.AugAssign) and isinstance(child.target, ast.Name):
                loads.add(child.target.id)
            elif isinstance(child, ast.alias):
                stores.add((child.asname or child.name).partition(".")[0])
            elif isinstance(child, (ast.MatchAs, ast.MatchStar)) and child.name:
                stores.add(child.name)
        self.reads |= loads - self._certain
        self._bind(stores)

    def _bind(self, names: Iterable[str]) -> None:
        found = set(names)
        self.bound |= found
        self._certain |= found


def _is_block(value: object) -> bool:
    return (
        isinstance(value, list) and bool(value) and isinstance(value[0], (ast.stmt, ast.ExceptHandler, ast.match_case))
    )


def _walk(top: ast.AST) -> Iterator[ast.AST]:
    """The nodes that are evaluated where the statement stands, in any order."""
    nodes = [top]
    while nodes:
        node = nodes.pop()
        yield node
        nodes += filter(None, _list_evaluated(node))


def _list_evaluated(node: ast.AST) -> list[ast.AST | None]:
    """The parts of a node that are evaluated with it: of a function its decorators, defaults and annotations only."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        annotations = [argument.annotation for argument in ast.walk(node.args) if isinstance(argument, ast.arg)]
        return [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults, node.returns, *annotations]
    if isinstance(node, ast.Lambda):
        return [*node.args.defaults, *node.args.kw_defaults]
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)]
    if isinstance(node, _COMPREHENSIONS):
        return [node.generators[0].iter]
    return list(ast.iter_child_nodes(node))


def _find_late(table: symtable.SymbolTable) -> Iterator[str]:
    """What inner scopes read of the module."""
    for child in table.get_children():
        for symbol in child.get_symbols():
            if symbol.is_global() and symbol.is_referenced():
                yield symbol.get_name()
        yield from _find_late(child)


def _find_declared(table: symtable.SymbolTable) -> Iterator[str]:
    """What functions bind by `global`."""
    for child in table.get_children():
        for symbol in child.get_symbols():
            if symbol.is_declared_global() and symbol.is_assigned():
                yield symbol.get_name()
        yield from _find_declared(child)
