"""Where a provider's API is: its own address, or with CHOLINE_FAKE_CLOUD the fake one that runs on this machine.

Called by the rented providers. CHOLINE_FAKE_CLOUD is the path of the file that `python -m tests.fakes` writes (or 1 for
`fake-cloud.json` in the temporary folder): an object of `{provider: {"url": ..., "key": ...}}`. It is for developers; no
account is ever touched with it.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from choline_jupyter.providers.credentials import Secret


class Endpoint(NamedTuple):
    """An address without a slash at its end, and the key that the fake one takes (None: find the user's own)."""

    url: str
    key: Secret | None = None
    more: dict[str, str] = {}  # noqa: RUF012 - never written to


def find_endpoint(provider: str, url: str, variable: str = "") -> Endpoint:
    """`url`, or what the environment's `variable` says instead; the fake cloud's where there is one."""
    fake = os.environ.get("CHOLINE_FAKE_CLOUD")
    if fake:
        told = read_fakes(fake).get(provider, {})
        more = {key: str(value) for key, value in told.items() if key not in ("url", "key")}
        return Endpoint(str(told.get("url", "http://127.0.0.1:9")).rstrip("/"), Secret(told.get("key", "")), more)
    return Endpoint((os.environ.get(variable) or url).rstrip("/"))


def find_fakes(value: str) -> Path:
    """The file that CHOLINE_FAKE_CLOUD's value means."""
    return Path(tempfile.gettempdir()) / "fake-cloud.json" if value == "1" else Path(value)


def read_fakes(value: str) -> dict[str, dict[str, str]]:
    """The fake providers; none when the file is not there, so that no real one is asked by mistake."""
    try:
        told = json.loads(find_fakes(value).read_text())
        return told if isinstance(told, dict) else {}
    except (OSError, ValueError):
        return {}
