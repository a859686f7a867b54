"""The agent's digest: which code this is, so that both sides of a channel can tell whether they are the same.

Called by the supervisor for HELLO and by transports that push the agent. SHA-256 over the names and contents of the
packages that an agent consists of.
"""

from __future__ import annotations

import functools
import hashlib
import pkgutil

PACKAGES = ("agent", "wire", "store", "model")


@functools.lru_cache(maxsize=1)
def find_digest() -> str:
    """The first 16 hexadecimal digits of the digest of the running agent's source."""
    digest = hashlib.sha256()
    for name in list_files():
        digest.update(name.encode() + b"\0" + read_file(name) + b"\0")
    return digest.hexdigest()[:16]


def list_files() -> list[str]:
    """The agent's source files, relative to the package, sorted."""
    import choline_jupyter.agent as package

    root = _find_root(package.__path__[0])
    names = []
    for part in PACKAGES:
        names += _walk(root, part)
    return sorted(names)


def read_file(name: str) -> bytes:
    """One source file, from a folder or a zip alike."""
    return pkgutil.get_data("choline_jupyter", name) or b""


def _find_root(path: str) -> str:
    return path.rpartition("/")[0]


def _walk(root: str, part: str) -> list[str]:
    found = []
    for module in pkgutil.iter_modules([root + "/" + part]):
        inner = part + "/" + module.name
        found += _walk(root, inner) if module.ispkg else [inner + ".py"]
    return [*found, part + "/__init__.py"]
