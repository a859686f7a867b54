"""What `doctor` finds: whether this machine has what choline needs, and what to mend.

Called by `session.verbs`. Each finding is one line; a line that starts with `!` says what to do.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import Any

from choline_jupyter.providers.config import ConfigError
from choline_jupyter.providers.provider import FREE
from choline_jupyter.providers.registry import list_names, load_provider
from choline_jupyter.session.engine import Engine

Ask = Callable[[str, str], dict[str, Any] | None]
_PACKAGES = ("ipykernel", "ipython", "jupyter_client")
_ROOM = 1 << 30


def examine(engine: Engine, ask: Ask) -> Iterator[str]:
    """The findings, best read from top to bottom."""
    yield f"  Python {platform.python_version()} at {sys.executable}"
    yield from _check_packages()
    yield from _check_platform()
    yield from _check_folder(engine)
    yield from _check_agent(ask)
    yield from check_providers()


def check_providers() -> Iterator[str]:
    """One line for each provider that rents machines out: whether it is ready, and what it lacks. Asks nobody."""
    for name in list_names():
        try:
            provider = load_provider(name)
            missing = provider.check_ready()
        except (ImportError, ConfigError) as error:
            yield f"! {name}: {error}"
            continue
        if FREE in provider.capabilities:
            continue
        warning = "; its machines do not end by themselves, this laptop must be there" if provider.needs_laptop else ""
        yield f"  {name}: not set up. {missing}" if missing else f"  {name}: ready{warning}"


def _check_packages() -> Iterator[str]:
    for name in _PACKAGES:
        try:
            yield f"  {name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            yield f"! {name} is missing: python -m pip install {name}"


def _check_platform() -> Iterator[str]:
    if sys.platform.startswith("linux"):
        yield f"  {platform.system()} {platform.release()}, {os.cpu_count()} processors"
    else:
        yield f"! {platform.system()}: the `local` provider is tested on Linux only"


def _check_folder(engine: Engine) -> Iterator[str]:
    free = shutil.disk_usage(engine.directory).free
    mark = "  " if free > _ROOM else "! "
    yield f"{mark}{engine.directory} has {free / 1e9:.1f} GB free for outputs"
    for notice in (engine.notice, engine.store.notice, engine.store.failure):
        if notice:
            yield f"! {notice}"


def _check_agent(ask: Ask) -> Iterator[str]:
    agent = ask("local", "this machine")
    if agent is None:
        yield "  No agent runs on this machine; the first cell starts one"
        return
    yield f"  The agent runs (pid {agent['pid']}) and hosts {len(agent['sessions'])} sessions"
    if agent.get("notice"):
        yield f"! {agent['notice']}"
