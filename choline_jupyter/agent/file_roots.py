"""Roots: the folders whose files a session's kernel may ask for, and what each is called on both sides.

Made by the supervisor from a session's `files`; used by `agent.file_requests`. A root has three names: on the client, as
the kernel sees it (the same, unless that path could not be had here), and where the supervisor finds it (another one
when the session has its own mount namespace).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional


class Root(NamedTuple):
    """One folder: absolute, normalised paths."""

    path: str
    seen: str
    folder: str


class Spot(NamedTuple):
    """One path inside a root, by its three names."""

    path: str
    seen: str
    place: str


class Roots:
    """The roots of one session, the innermost first."""

    def __init__(self, roots: Iterable[Root]) -> None:
        self._roots = sorted(roots, key=lambda root: -len(root.path))

    @property
    def seen(self) -> list[str]:
        """As the kernel sees them."""
        return [root.seen for root in self._roots]

    def find_seen(self, seen: str) -> Optional[Spot]:
        """What the kernel means by a path; None for one outside of all roots."""
        for root in self._roots:
            if _is_below(seen, root.seen):
                rest = seen[len(root.seen) :]
                return Spot(root.path + rest, seen, root.folder + rest)
        return None

    def find_path(self, path: str) -> Optional[Spot]:
        """What the client means by a path; None for one outside of all roots."""
        for root in self._roots:
            if _is_below(path, root.path):
                rest = path[len(root.path) :]
                return Spot(path, root.seen + rest, root.folder + rest)
        return None


def read_roots(wish: Mapping[str, Any], places: Mapping[str, tuple[str, str]]) -> Roots:
    """`files` of a session's spec: `roots` are the client's paths.

    `places`: folders of the client that are not at their own path here, as the kernel sees each and as we do.
    """
    return Roots(_make_root(_normalise(str(path)), places) for path in wish.get("roots", ()))


def join_paths(paths: Iterable[str]) -> str:
    """A list of paths as the shim reads it: "//" stands inside no normalised path, so it can stand between two."""
    return "/".join(path for path in paths if path not in ("", "/"))


def _make_root(path: str, places: Mapping[str, tuple[str, str]]) -> Root:
    for folder, (seen, place) in places.items():
        if _is_below(path, folder):
            rest = path[len(folder) :]
            return Root(path, seen + rest, place + rest)
    return Root(path, path, path)


def _normalise(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError("%r is not an absolute path" % path)
    return os.path.normpath(path).replace("//", "/", 1)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")
