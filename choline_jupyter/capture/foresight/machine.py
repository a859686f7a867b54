"""The evaluation's state: where in the code it stands, which modules it has run, what is uncertain.

Made by `foresee` for one question. It walks syntax trees with abstract values; the user's code never runs. What a
statement, an expression or a call means is in `statements`, `expressions` and `calls`.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from choline_jupyter.capture.foresight import calls, expressions, imports, live, statements
from choline_jupyter.capture.foresight.budget import Budget, Exhausted
from choline_jupyter.capture.foresight.disk import Disk
from choline_jupyter.capture.foresight.locate import Finder
from choline_jupyter.capture.foresight.parse import parse_file
from choline_jupyter.capture.foresight.record import Record
from choline_jupyter.capture.foresight.value import (
    UNKNOWN,
    Function,
    Instance,
    Items,
    Module,
    Opaque,
    Scope,
    Table,
    Value,
    unite,
)

_DEEPEST = 30


class Machine:
    """Walks code. Not shared between threads."""

    def __init__(
        self, disk: Disk, record: Record, finder: Finder, budget: Budget, namespace: Mapping[str, Any]
    ) -> None:
        self.disk, self.record, self.finder, self.budget = disk, record, finder, budget
        self.start = record.directory
        self.label = ""
        self.line = 0
        self.doubt = 0  # uncertain branches around this statement
        self.guards = 0  # those that ask whether a file exists
        self.arguments: Value = UNKNOWN  # sys.argv
        self.hooked: list[Function] = []  # given to a library by a decorator
        self.instances: list[Instance] = []
        self.faults: list[Exception] = []  # mistakes of this code, kept for its tests
        self.flags = Table()  # absl's
        self.is_context = False
        self.stack: list[Function] = []
        self._modules: dict[str, Module] = {}
        self._namespace = namespace

    def evaluate(self, node: ast.AST, scope: Scope) -> Value:
        """What an expression may be."""
        self.budget.spend(2)
        return expressions.evaluate(self, node, scope)

    def run(self, body: Sequence[ast.stmt], scope: Scope) -> str:
        """Walks statements; says how they end: `` (at their end), `return`, `break` or `continue`, if that is sure."""
        for statement in body:
            self.budget.spend(1)
            if len(self.stack) < 2:
                self.line = statement.lineno
            try:
                ended = statements.run_one(self, statement, scope)
            except Exhausted:
                raise
            except RecursionError:
                continue
            except Exception as fault:  # noqa: BLE001 - ours; it must not cost the user more than this statement's needs
                self.faults.append(fault)
                continue
            if ended:
                return ended
        return ""

    def call(self, target: Any, call: calls.Call) -> Value:
        """What a call of one alternative gives."""
        if len(self.stack) > _DEEPEST:
            return UNKNOWN
        return calls.call(self, target, call)

    def why(self, what: str) -> str:
        """The reason of a need that arises here."""
        place = f"{self.label}:{self.line}" if self.label.endswith(".py") else self.label
        return f"{what} in {place}" if place else what

    @contextmanager
    def doubting(self, *, is_doubtful: bool = True, is_guard: bool = False) -> Iterator[None]:
        """While it lasts, names keep what they were besides what they get."""
        self.doubt += is_doubtful
        self.guards += is_guard
        try:
            yield
        finally:
            self.doubt -= is_doubtful
            self.guards -= is_guard

    def look_up_live(self, name: str) -> Value | None:
        """What the notebook holds under this name: plain data, or something of a local module."""
        if name not in self._namespace:
            return None
        held = self._namespace[name]
        module, inner = live.find_origin(held)
        if not module:
            return live.convert(held)
        if module == "__main__" or not self.finder.find(module):
            return None
        found = self.import_module(module)[1]
        return unite(*(imports.find_in(self, each, inner) for each in found)) if inner else found

    def refresh(self, scope: Scope) -> None:
        """Puts what the notebook holds now in the place of what its earlier cells seem to have made."""
        for name in [name for name in scope.names if name in self._namespace]:
            value = live.convert(self._namespace[name])
            if value is not None:
                scope.names[name] = value

    # ---- modules

    def import_module(self, name: str) -> tuple[Value, Value]:
        """The top and the last module of a dotted name, run if they are local and were not yet."""
        files = self.finder.find(name)
        if not files:
            return (Opaque(name.partition(".")[0]),), (Opaque(name),)
        parts = name.split(".")
        above: Module | None = None
        top: Module | None = None
        for depth, file in enumerate(files):
            module = self.load(".".join(parts[: depth + 1]), file)
            if above is not None:
                above.scope.names[parts[depth]] = (module,)
            above, top = module, top or module
        is_whole = len(files) == len(parts) and above is not None
        return (top,), (above,) if is_whole else UNKNOWN

    def load(self, name: str, path: str) -> Module:
        """A local module, walked the first time; a package without code has no path."""
        known = self._modules.get(path or name)
        if known is None:
            known = Module(name, path, self.name_of(path), is_package=not path or path.endswith("/__init__.py"))
            self._modules[path or name] = known
            if path:
                self.record.add(path, "module", self.why(f"import {name}"))
                self.run_file(path, known)
        return known

    def run_file(self, path: str, module: Module, *, is_muted: bool = False) -> None:
        """Walks a file's code in a module's scope, whatever stands around the place that asked for it.

        What an import reads counts even if an earlier cell imported: it is imported anew on the other side.
        """
        tree = parse_file(path) if path.endswith(".py") else None
        if tree is None or len(self.stack) > _DEEPEST:
            return
        saved = self.label, self.line, self.doubt, self.guards, self.record.is_muted, self.stack
        self.label, self.doubt, self.guards, self.record.is_muted = self.name_of(path), 0, 0, is_muted
        self.stack = []
        try:
            self.run(tree.body, module.scope)
        finally:
            self.label, self.line, self.doubt, self.guards, self.record.is_muted, self.stack = saved

    def run_script(self, text: str, arguments: list[Value], name: str = "__main__") -> Module | None:
        """Walks a script of the disk as a program of its own."""
        path = self.record.locate(text)
        if self.disk.find_kind(path) != "file" or len(self._modules) > 2000:
            return None
        key = f"{path} {[value[:2] for value in arguments]!r}"
        if key in self._modules:
            return self._modules[key]
        module = self._modules[key] = Module(name, path, self.name_of(path))
        if not self.record.is_muted:
            self.record.add(path, "module", self.why("run"))
        with self.as_program(path, arguments):
            self.run_file(path, module, is_muted=self.record.is_muted)
        return module

    @contextmanager
    def as_program(self, path: str, arguments: list[Value] | None) -> Iterator[None]:
        """While it lasts, `sys.argv` and the search path are those of a script."""
        saved = self.arguments, list(self.finder.folders)
        self.arguments = UNKNOWN if arguments is None else (Items([(path,), *arguments]),)
        self.finder.folders = [os.path.dirname(path), *self.finder.folders]
        try:
            yield
        finally:
            self.arguments, self.finder.folders = saved

    def make_module(self, label: str) -> Module:
        """A module without a file: the notebook, or code on a command line."""
        return Module("__main__", label=label)

    def change_directory(self, text: str) -> None:
        """`%cd`. Earlier cells have run already: one that went upwards has left its mark in where the notebook is now."""
        path = self.record.locate(text or "~")
        if self.disk.find_kind(path) != "folder" or (self.is_context and self.record.directory.startswith(path)):
            return
        self.record.directory = path
        self.finder.folders = [*self.finder.folders, path]

    def run_content(self, path: str, scope: Scope) -> None:
        """`exec` of a file's text in a scope."""
        tree = parse_file(path)
        if tree is None or len(self.stack) > _DEEPEST:
            return
        if not self.record.is_muted:
            self.record.add(path, "module", self.why("exec"))
        self.run(tree.body, scope)

    def name_of(self, path: str) -> str:
        """A file as the user would name it."""
        return path[len(self.start) + 1 :] if path.startswith(self.start + "/") else path
