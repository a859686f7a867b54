"""What is installed in this interpreter: which distribution a module belongs to, and how to ask for the same elsewhere.

Called by `capture.packages`. Read once and again only when a folder of `sys.path` has changed, so that a question about
something known costs some stats. Promise: nothing is imported and nothing asked of any index.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import Distribution, distributions
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement

from choline_jupyter.model.index_settings import strip_credentials
from choline_jupyter.model.requirement import normalize

_SITES = ("site-packages", "dist-packages")
_SUFFIXES = sorted([".py", *importlib.machinery.EXTENSION_SUFFIXES], key=len, reverse=True)


@dataclass(frozen=True)
class Installed:
    """One distribution. `home` is the folder of its source, where it was installed from one; `origin` any other URL."""

    name: str
    version: str
    requires: tuple[str, ...] = ()
    home: str = ""
    origin: str = ""

    def spell(self, extras: str = "") -> str:
        """The requirement that gives the same elsewhere: a build's own tag (`+cpu`) is not on every index."""
        if self.origin:
            return f"{self.name}{extras} @ {self.origin}"
        return f"{self.name}{extras}=={self.version.partition('+')[0]}"

    def list_needs(self, extras: frozenset[str] = frozenset()) -> Iterator[Requirement]:
        """What it requires here, with the extras that are asked for."""
        for text in self.requires:
            try:
                need = Requirement(text)
            except InvalidRequirement:  # of an old tool's making
                continue
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                yield need


def _read_name(found: Distribution) -> str:
    """Empty for a damaged one; the backport, which replaces the standard library's once it is imported, raises for that."""
    try:
        return found.metadata["Name"] or ""
    except FileNotFoundError:
        return ""


@dataclass
class Inventory:
    """Everything installed, as of one state of `sys.path`."""

    by_name: dict[str, Installed] = field(default_factory=dict)
    _found: list[Distribution] = field(default_factory=list)

    @classmethod
    def take(cls) -> Inventory:
        """What is there now; the first of a name on `sys.path` counts, as for an import."""
        inventory = cls()
        for found in distributions():
            name = normalize(_read_name(found))
            if name and name not in inventory.by_name:
                inventory.by_name[name] = _read(found)
                inventory._found.append(found)
        return inventory

    def find_owners(self, module: str) -> list[Installed]:
        """The distributions that hold a module (dotted); none for one of the user's own."""
        top = module.partition(".")[0]
        owners = self._owners.get(top, {})
        if len(owners) > 1:  # a namespace that several share: those that have the part in question
            parts = module.split(".")
            for length in range(len(parts), 1, -1):
                narrowed = {name for name, files in owners.items() if "/".join(parts[:length]) in files}
                if narrowed:
                    return [self.by_name[name] for name in sorted(narrowed)]
        return [self.by_name[name] for name in sorted(owners)] or self._find_by_home(top)

    def find_closure(self, *names: str) -> set[str]:
        """Distributions with all that they need, as far as it is here."""
        waiting, closure = list(map(normalize, names)), set[str]()
        while waiting:
            name = waiting.pop()
            if name in self.by_name and name not in closure:
                closure.add(name)
                waiting += [normalize(need.name) for need in self.by_name[name].list_needs()]
        return closure

    @cached_property
    def _owners(self) -> dict[str, dict[str, set[str]]]:
        """By top-level module: the distributions, each with the modules (as paths) of the first two levels."""
        owners: dict[str, dict[str, set[str]]] = {}
        for found in self._found:
            name = normalize(found.metadata["Name"])
            for path in _list_modules(found):
                owners.setdefault(path.partition("/")[0], {}).setdefault(name, set()).add(path)
        return owners

    def _find_by_home(self, top: str) -> list[Installed]:
        """An editable install may leave nothing but a path of its source behind."""
        place = find_place(top)
        homes = [one for one in self.by_name.values() if one.home and place and _is_inside(place, one.home)]
        return sorted(homes, key=lambda one: len(one.home))[-1:]


def find_place(top: str) -> str:
    """The file or folder of a top-level module that is not installed, hence the user's own; empty for any other."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return ""
    places = [spec.origin] if spec and spec.origin and spec.has_location else list(_list_portions(spec))
    return next((place for place in places if not set(_SITES) & set(Path(place).parts)), "")


def _list_portions(spec: importlib.machinery.ModuleSpec | None) -> Iterator[str]:
    if spec and spec.submodule_search_locations:
        yield from spec.submodule_search_locations


_taken: tuple[tuple[object, ...], Inventory] | None = None


def take_inventory() -> Inventory:
    """What is installed, read again only if something may have changed."""
    global _taken  # noqa: PLW0603 - one interpreter has one
    state = tuple((entry, _find_time(entry)) for entry in sys.path)
    if _taken is None or _taken[0] != state:
        _taken = (state, Inventory.take())
    return _taken[1]


def _find_time(folder: str) -> int:
    try:
        return Path(folder or ".").stat().st_mtime_ns
    except OSError:
        return 0


def _read(found: Distribution) -> Installed:
    home = origin = ""
    try:
        told = json.loads(found.read_text("direct_url.json") or "{}")
    except ValueError:
        told = {}
    url = str(told.get("url", ""))
    if url.startswith("file:") and "dir_info" in told:
        home = unquote(urlsplit(url).path)
    elif url:
        origin = _spell_origin(url, told)
    return Installed(found.metadata["Name"], found.version, tuple(found.requires or ()), home, origin)


def _spell_origin(url: str, told: dict[str, dict[str, str]]) -> str:
    """A URL as PEP 508 has it, without a password."""
    plain = strip_credentials(url)
    if "vcs_info" in told:
        return f"{told['vcs_info'].get('vcs', 'git')}+{plain}@{told['vcs_info'].get('commit_id', 'HEAD')}"
    digest = str(told.get("archive_info", {}).get("hash", ""))
    return f"{plain}#{digest}" if digest else plain


def _list_modules(found: Distribution) -> Iterator[str]:
    """The modules that a distribution holds, as paths without suffix, down to the second level."""
    declared = (found.read_text("top_level.txt") or "").split()
    yield from declared
    for line in (found.read_text("RECORD") or "").splitlines():
        path = line.partition(",")[0].strip('"')
        first, _, rest = path.partition("/")
        if first.endswith((".dist-info", ".egg-info", ".data")) or first in ("..", "__pycache__"):
            continue
        name = _strip_suffix(first if not rest else "/".join([first, rest.partition("/")[0]]))
        if name and name.replace("/", "").isidentifier():
            yield name


def _strip_suffix(path: str) -> str:
    """Of a file of code; empty for any other file of the top level."""
    for suffix in _SUFFIXES:
        if path.endswith(suffix):
            return path.removesuffix(suffix)
    return path if "/" in path else ""


def _is_inside(place: str, home: str) -> bool:
    return Path(os.path.realpath(place)).is_relative_to(os.path.realpath(home))
