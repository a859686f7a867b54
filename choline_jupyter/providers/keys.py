"""Keys for rented machines: one of ours that opens them, and a fresh host key for each, made here.

Called by `session.renting`. The host key travels in the create call over the provider's HTTPS, so that the machine can be
told from any other at the first contact (nothing protects it from its owner).
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from choline_jupyter.providers.rented import IDENTITY


class KeyPair(NamedTuple):
    """`private` is OpenSSH's text, `public` one line `ssh-ed25519 AAAA...`."""

    private: str
    public: str


def make_key() -> KeyPair:
    """A new ed25519 key."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return KeyPair(private.decode(), public.decode())


def find_own_key(keys: Path) -> str:
    """The public key of this client, made at the first call; the private one is the 0600 file `id` in `keys`."""
    public = keys / f"{IDENTITY}.pub"
    if not public.exists():
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_first(keys / IDENTITY, make_key().private)
        new = _write_beside(public, f"{_find_public(keys / IDENTITY)} choline\n")
        new.replace(public)
    return public.read_text().strip()


def _find_public(private: Path) -> str:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_ssh_private_key(private.read_bytes(), None).public_key()
    return key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def _write_first(path: Path, text: str) -> None:
    """Whole, and only where there is none: of several that are the first at once all go on with one key."""
    new = _write_beside(path, text)
    with suppress(FileExistsError):
        os.link(new, path)
    new.unlink()


def _write_beside(path: Path, text: str) -> Path:
    """A file of its own in the same folder, readable by its owner only."""
    number, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    with os.fdopen(number, "w") as file:
        file.write(text)
    return Path(name)
