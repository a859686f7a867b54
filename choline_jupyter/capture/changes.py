"""What a cell may change without binding it, and what it changes for everything that runs after it.

Called by `capture.history`, by syntax alone. A change is meant broadly: a method that is called, an item or attribute that
is set, an argument of a function that is not known to leave it alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_HARMLESS = frozenset(re.findall(
    r"\w+",
    "abs all any bool callable dict dir display enumerate filter float format getattr hasattr help id int isinstance "
    "iter len list map max min print range repr reversed round set sorted str sum tuple type vars zip",
))  # fmt: skip
_EFFECTS = frozenset(re.findall(
    r"\w+",
    "seed manual_seed manual_seed_all seed_everything set_seed set_random_seed set_printoptions set_option set_options "
    "filterwarnings simplefilter set_theme set_style set_context set_palette set_default_dtype set_default_device "
    "set_default_tensor_type set_float32_matmul_precision use_deterministic_algorithms set_num_threads basicConfig "
    "setrecursionlimit setlocale putenv",
))  # fmt: skip
_EFFECT_PATHS = re.compile(r"(^|\.)(style\.use|rc|environ\.(update|setdefault|pop)|path\.(append|insert|extend))\Z")
_EFFECT_TARGETS = re.compile(r"(^|\.)(environ\[|rcParams\[|options\.\w|backends\.\w|path\Z)")
_ASKS = {"input", "getpass", "raw_input"}


def find_changes(tree: ast.AST) -> set[str]:
    """The names whose values the code may change in place; names of inner functions are among them."""
    found: set[str] = set()
    for node in ast.walk(tree):
        found |= {name for part in _list_changed(node) if (name := _find_root(part))}
    return found


def find_consumed(tree: ast.AST) -> set[str]:
    """The names whose values the code goes through: an iterator has been changed by that, others have not."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            found.add(_find_root(node.iter))
        elif isinstance(node, ast.Starred):
            found.add(_find_root(node.value))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _HARMLESS:
            found |= {_find_root(part) for part in node.args}
    return found - {""}


def find_effects(tree: ast.Module) -> list[ast.stmt]:
    """The statements on the top level that set global state of a library or of the process."""
    return [node for node in tree.body if _has_effect(node)]


def asks_user(tree: ast.AST) -> bool:
    """Whether the code asks somebody something, which nobody should have to answer twice."""
    return any(
        isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in _ASKS for node in ast.walk(tree)
    )


def _list_changed(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            yield node.func.value
        if not (isinstance(node.func, ast.Name) and node.func.id in _HARMLESS):
            yield from node.args
            yield from (keyword.value for keyword in node.keywords)
    elif isinstance(node, (ast.Subscript, ast.Attribute)) and not isinstance(node.ctx, ast.Load):
        yield node.value


def _find_root(node: ast.expr) -> str:
    """The name that an expression such as `a.b[0].c()` begins with; empty for none."""
    while not isinstance(node, ast.Name):
        if isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            return ""
    return node.id


def _has_effect(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        path = ast.unparse(node.value.func)
        return "." in path and (path.rpartition(".")[2] in _EFFECTS or bool(_EFFECT_PATHS.search(path)))
    targets = node.targets if isinstance(node, (ast.Assign, ast.Delete)) else [getattr(node, "target", None)]
    if not isinstance(node, (ast.Assign, ast.AugAssign, ast.Delete)):
        return False
    return any(
        isinstance(target, (ast.Subscript, ast.Attribute)) and _EFFECT_TARGETS.search(ast.unparse(target))
        for target in targets
    )
