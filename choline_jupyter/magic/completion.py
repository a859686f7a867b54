"""Completion of `%%choline` and `%choline` lines: options, verbs, and the names that some options take.

Registered by `magic.load_ipython_extension` with IPython's own completer, so it serves every front end that asks its
kernel: JupyterLab, Notebook, VS Code, terminals. Promise: it asks no machine and never raises.
"""

from __future__ import annotations

from typing import Any

from choline_jupyter.model.gpu import list_models
from choline_jupyter.providers.config import ConfigError, read_hosts
from choline_jupyter.providers.registry import list_names
from choline_jupyter.session.option_table import CELL, TABLE


def complete(shell: Any, event: Any) -> list[str]:  # noqa: ARG001 - IPython calls it so
    """IPython's hook: what may stand where the cursor is. `event` has the line so far and the word that is begun."""
    line, word = str(event.line), str(event.symbol)
    words = line[: len(line) - len(word)].split()
    if not words:
        return []
    last = words[-1].removeprefix("--") if words[-1].startswith("--") else ""
    found = list_values(last) or list_names_behind(words)
    return [name for name in found if name.startswith(word)]


def list_names_behind(words: list[str]) -> list[str]:
    """Options, and behind `%choline` alone its verbs; `words` begin with the magic."""
    if words[0] == CELL:
        return _spell(CELL)
    verb = next((word for word in words[1:] if TABLE.find_verb(word)), None)
    return _spell(verb) if verb else [one.name for one in TABLE.verbs]


def list_values(option: str) -> list[str]:
    """The names that an option takes, as far as this machine knows them."""
    try:
        if option == "provider":
            return list_names()
        if option == "host":
            return sorted(read_hosts())
    except ConfigError:
        return []
    return list_models() if option == "gpu" else []


def _spell(target: str) -> list[str]:
    return [f"--{option.name}" for option in TABLE.list_options(target)]
