"""Which modules a text imports, and what its `pip install` lines ask for: by its syntax alone.

Called by `capture.packages` with cells (magics and all, or already turned into Python), the text of definitions and of
modules. A text that is no Python gives what its lines of pip say, and nothing else.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_PIP = re.compile(r"\s*[%!]{1,2}\s*(?P<line>(?:\S*python[\d.]*\s+-m\s+)?(?:uv\s+)?pip3?\s+install\s.*)")
_PIP_CALL = re.compile(r"\s*(?:\S*python[\d.]*\s+-m\s+)?(?:uv\s+)?pip3?\s+install\s")
_MAGIC = re.compile(r"\s*[%!]|\s*\?|.*\?\s*$")
_RUNNERS = {"system", "getoutput", "run_line_magic", "run_cell_magic"}
_LOADERS = {"import_module", "__import__"}
_MISSING = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
# Options of `pip install` that have a value of their own behind them.
_VALUED = frozenset((
    "-r", "--requirement", "-c", "--constraint", "-e", "--editable", "-t", "--target", "-i", "--index-url",
    "--extra-index-url", "-f", "--find-links", "--platform", "--python-version", "--implementation", "--abi", "--root",
    "--prefix", "--src", "--upgrade-strategy", "-C", "--config-settings", "--global-option", "--no-binary",
    "--only-binary", "--progress-bar", "--report", "--python", "--trusted-host", "--cert", "--proxy", "--retries",
    "--timeout", "--exists-action", "--cache-dir", "--log", "--index", "--default-index", "--torch-backend",
))  # fmt: skip


@dataclass(frozen=True)
class Imports:
    """Modules by their dotted names. `optional` ones are those whose absence the text itself provides for."""

    modules: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    pip: tuple[str, ...] = ()  # what stands behind `pip install`, word by word, without options


def find_imports(text: str) -> Imports:
    """What a text imports and installs."""
    lines = [match["line"] for line in _join_lines(text) if (match := _PIP.match(line))]
    tree = _parse(read_python(text))
    if tree is None:
        return Imports(pip=tuple(_read_pip(lines)))
    walk = _Walk()
    walk.visit(tree)
    required = walk.found - {""}
    return Imports(
        frozenset(required), frozenset(walk.optional - required - {""}), tuple(_read_pip([*lines, *walk.commands]))
    )


def read_python(text: str) -> str:
    """The text as Python: of a cell, without its magics; `pass` keeps a block that has nothing else."""
    if _parse(text):
        return text
    kept = []
    for line in text.splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        kept.append(f"{indent}pass" if _MAGIC.match(line) else line)
    return "\n".join(kept)


def _parse(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the parser has no other word for too many brackets
        return None


class _Walk(ast.NodeVisitor):
    """Gathers imports wherever they stand; those behind `if TYPE_CHECKING` do not run."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self.optional: set[str] = set()
        self.commands: list[str] = []
        self._is_optional = False

    def visit_Import(self, node: ast.Import) -> None:
        self._add(alias.name for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level == 0 and node.module:
            self._add(
                f"{node.module}.{alias.name}" if "." not in node.module and alias.name != "*" else node.module
                for alias in node.names
            )

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, (ast.Name, ast.Attribute)) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for child in node.orelse:
                self.visit(child)
        else:
            self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> None:
        before = self._is_optional
        self._is_optional = before or any(_catches_absence(handler) for handler in node.handlers)
        for child in node.body:
            self.visit(child)
        self._is_optional = before
        for part in (*node.handlers, *node.orelse, *node.finalbody):
            self.visit(part)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        words = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if name in _LOADERS and words and not words[0].startswith("."):
            self._add(words[:1])
        elif name in _RUNNERS and _PIP_CALL.match(" ".join(words) + " "):
            self.commands.append(" ".join(words))
        self.generic_visit(node)

    def _add(self, names: Iterable[str]) -> None:
        (self.optional if self._is_optional else self.found).update(names)


def _catches_absence(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in _MISSING for kind in kinds)


def _join_lines(text: str) -> list[str]:
    """The lines, with those that a backslash continues in one."""
    return text.replace("\\\n", " ").splitlines()


def _read_pip(commands: Iterable[str]) -> Iterator[str]:
    """The requirements that `pip install ...` names; a name that the shell or IPython fills in is not known."""
    for command in commands:
        try:
            words = shlex.split(command.partition(" #")[0])
        except ValueError:
            continue
        words = words[words.index("install") + 1 :]
        is_value = False
        for word in words:
            if word in ("&&", "||", ";", "|", ">", ">>"):
                break
            is_plain = not is_value and not word.startswith("-") and not set("{}$`") & set(word)
            is_value = word in _VALUED
            if is_plain:
                yield word
