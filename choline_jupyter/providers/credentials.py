"""Keys of the providers' APIs: found where the providers' own tools keep them, else where `choline login` put them.

Called by providers. Order: environment variable, the provider's own file, the OS keyring, a 0600 file of ours. Promise: a
key is returned to the provider's code alone; `repr` of nothing here shows it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_SERVICE = "choline"
_LINE = re.compile(r"""^\s*["']?api_?key["']?\s*[=:]\s*["']?([^\s"']+)""", re.IGNORECASE | re.MULTILINE)


class Secret(str):
    """A key as text that does not show itself in a traceback or a log."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(***)"


def find_key(provider: str, variables: Sequence[str], files: Sequence[str] = ()) -> Secret | None:
    """The key of a provider's API, or None. `files` may begin with ~ or hold $VARIABLES; one holds the key alone, or a line
    like `api_key = "..."`.
    """
    for variable in variables:
        if os.environ.get(variable):
            return Secret(os.environ[variable].strip())
    for name in files:
        key = _read(Path(os.path.expandvars(name)).expanduser())
        if key:
            return key
    return _ask_keyring(provider) or _read(_find_file(provider))


def save_key(provider: str, key: str) -> str:
    """Keep a key for `find_key`; returns where it is now, in words."""
    with suppress(Exception):  # keyring raises what its back ends raise; a machine without one has a failing one
        import keyring

        keyring.set_password(_SERVICE, provider, key)
        if keyring.get_password(_SERVICE, provider) == key:
            return "the system's keyring"
    path = _find_file(provider)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(key + "\n")
    new.replace(path)
    return str(path)


def _ask_keyring(provider: str) -> Secret | None:
    with suppress(Exception):
        import keyring

        found = keyring.get_password(_SERVICE, provider)
        return Secret(found) if found else None
    return None


def _read(path: Path) -> Secret | None:
    with suppress(OSError, UnicodeDecodeError):
        text = path.read_text().strip()
        line = _LINE.search(text)
        found = line[1] if line else text if len(text.split()) == 1 else ""
        return Secret(found) if found else None
    return None


def _find_file(provider: str) -> Path:
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "choline" / "keys" / provider
