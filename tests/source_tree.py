"""The project's own source files, for the tests that read them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "choline_jupyter"


def python_modules(folder: Path = PACKAGE) -> list[Path]:
    """Every module below `folder`, as paths relative to the repository."""
    # node_modules can appear below the built front end; nothing of it is ours.
    found = (path.relative_to(ROOT) for path in folder.rglob("*.py"))
    return sorted(path for path in found if "node_modules" not in path.parts)


def typescript_modules() -> list[Path]:
    """Every TypeScript file of the front end, as paths relative to the repository."""
    source = ROOT / "labextension" / "src"
    return sorted(path.relative_to(ROOT) for path in source.rglob("*.ts*"))


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=str(path))


def module_name(path: Path) -> str:
    """`choline_jupyter/wire/frame.py` -> `choline_jupyter.wire.frame`; an `__init__` has its package's name."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """The part of the package a module belongs to: `choline_jupyter.wire.frame` -> `wire`; the root's is empty."""
    return module.split(".")[1] if "." in module else ""


def imports_of(path: Path) -> set[str]:
    """Full names of all modules that `path` imports, anywhere in it, relative ones resolved."""
    found: set[str] = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(path, node)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return found


def _base(path: Path, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    # For a package's __init__ one dot is the package itself, for a module its parent.
    package = module_name(path).split(".") + (["__init__"] if path.name == "__init__.py" else [])
    return ".".join([*package[: -node.level], *([node.module] if node.module else [])])
