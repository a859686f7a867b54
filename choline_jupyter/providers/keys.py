"""Keys for rented machines: one of ours that opens them, and a fresh host key for each, made here.

Called by `session.renting`. The host key travels in the create call over the provider's HTTPS, so that the machine can be
told from any other at the first contact (nothing protects it from its owner).
"""

from __future__ import annotations

import os
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
        made = make_key()
        _write(keys / IDENTITY, made.private)
        _write(public, f"{made.public} choline\n")
    return public.read_text().strip()


def _write(path: Path, text: str) -> None:
    """Whole or not at all; two clients that are the first at once end with one of the two keys, each whole."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    new.replace(path)
