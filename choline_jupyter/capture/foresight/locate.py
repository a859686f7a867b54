"""Where a module's code lies: on the search path as Python looks for it, editable installs included.

A local module is one that is found outside the standard library and outside site-packages: those are installed on the
other side, not sent.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
import sysconfig
from functools import lru_cache
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from choline_jupyter.capture.foresight.disk import Disk
from choline_jupyter.capture.foresight.parse import parse_file, read_text

_SITES = frozenset({"site-packages", "dist-packages"})
_STANDARD_ZIP = re.compile(r"/python\d+\.zip\Z")
_BINARY = (".so", ".pyd")


class Finder:
    """Looks modules up, nearest folder first."""

    def __init__(self, disk: Disk, search_path: list[str]) -> None:
        self._disk = disk
        self.installed = [path for path in search_path if is_installed(path)]
        self.folders = [path for path in search_path if not is_installed(path)]  # changed by `sys.path` edits
        self._found: dict[tuple[str, tuple[str, ...]], list[str]] = {}

    def find(self, name: str) -> list[str]:
        """The file of each part of a dotted module that lies here, empty for a folder without code; else no files."""
        key = (name, tuple(self.folders))
        if key not in self._found:
            self._found[key] = self._find(name.split("."))
        return self._found[key]

    def _find(self, parts: list[str]) -> list[str]:
        if parts[0] in sys.builtin_module_names:
            return []
        plain = ""
        for folder in self.folders:
            files, is_whole = self._descend(folder, parts)
            if files and (files[0] or is_whole):
                return files
            plain = plain or (folder if files else "")
        if parts[0] in sys.stdlib_module_names or self._is_installed(parts[0]):
            return self._find_editable(parts)
        return self._descend(plain, parts)[0] if plain else self._find_editable(parts)

    def _descend(self, folder: str, parts: list[str]) -> tuple[list[str], bool]:
        """The file of each part below a folder, empty for a package without code; and whether all were found."""
        files: list[str] = []
        for part in parts:
            file, folder = self._find_one(f"{folder}/{part}") if self._disk.may_hold(folder, part) else ("", "")
            if not file and not folder:
                return files, False
            files.append(file)
        return files, bool(files[-1])

    def _find_one(self, stem: str) -> tuple[str, str]:
        kind = self._disk.find_kind
        if kind(stem) == "folder":
            start = stem + "/__init__.py"
            if kind(start) == "file":
                return start, stem
        if kind(stem + ".py") == "file":
            return stem + ".py", ""
        for suffix in sysconfig.get_config_var("EXT_SUFFIX"), ".so":
            if suffix and kind(stem + suffix) == "file":
                return stem + suffix, ""
        return "", stem if kind(stem) == "folder" else ""

    def _is_installed(self, name: str) -> bool:
        return any(name in _list_installed(folder, self._stamp(folder)) for folder in self.installed)

    def _find_editable(self, parts: list[str]) -> list[str]:
        for folder in self.installed:
            for root in _list_editable(folder, self._stamp(folder)):
                name, _, path = root.partition("=")
                if name == parts[0]:
                    stem = path.removesuffix(".py").removesuffix("/__init__")
                    files, _ = self._descend(os.path.dirname(stem), [os.path.basename(stem), *parts[1:]])
                elif not name:
                    files, _ = self._descend(path, parts)
                else:
                    continue
                if any(files):
                    return files
        return []

    def _stamp(self, folder: str) -> int:
        try:
            return os.stat(folder).st_mtime_ns
        except (OSError, ValueError):
            return 0


def is_installed(path: str) -> bool:
    """Whether a folder is one of the standard library's or of installed packages."""
    if _STANDARD_ZIP.search(path) or _SITES & set(PurePosixPath(path).parts):
        return True
    return any(path == root or path.startswith(root + "/") for root in _standard_folders())


@lru_cache(maxsize=1)
def _standard_folders() -> tuple[str, ...]:
    folders = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    return tuple(sorted(folder for folder in folders if folder))


@lru_cache(maxsize=64)
def _list_installed(folder: str, stamp: int) -> frozenset[str]:
    """Names of the regular packages and modules in a folder of installed ones."""
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name.partition(".")[0] for entry in entries if _is_code(entry.name))
    except (OSError, ValueError):
        return frozenset()


def _is_code(name: str) -> bool:
    return "." not in name or name.endswith((".py", *_BINARY))


@lru_cache(maxsize=64)
def _list_editable(folder: str, stamp: int) -> tuple[str, ...]:
    """`name=path`, or `=folder`, that editable installs add to the search path."""
    found: dict[str, None] = {}
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except (OSError, ValueError):
        return ()
    for name in names:
        path = os.path.join(folder, name)
        if name.endswith(".pth"):
            found.update(dict.fromkeys("=" + line for line in read_text(path).splitlines() if line.startswith("/")))
        elif name.startswith("__editable__") and name.endswith("_finder.py"):
            found.update(dict.fromkeys(_read_mapping(path)))
        elif name.endswith(".dist-info"):
            found.update(dict.fromkeys(_read_direct_url(os.path.join(path, "direct_url.json"))))
    return tuple(found)


def _read_mapping(path: str) -> list[str]:
    """The table of an editable install's finder: a literal, read and never run."""
    tree = parse_file(path)
    for node in tree.body if tree else []:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == "MAPPING" for target in targets):
            try:
                table = ast.literal_eval(node.value)  # type: ignore[attr-defined]
            except (ValueError, TypeError, SyntaxError):
                continue
            return [f"{name}={place}" for name, place in table.items()] if isinstance(table, dict) else []
    return []


def _read_direct_url(path: str) -> list[str]:
    text = read_text(path, 10_000)
    if '"editable"' not in text:
        return []
    try:
        record = json.loads(text)
        folder = unquote(urlsplit(record["url"]).path)
        return [f"={folder}", f"={folder}/src"] if record["dir_info"]["editable"] is True else []
    except (ValueError, TypeError, KeyError, RecursionError):
        return []
