"""The one registry of providers: the project's own in a table, others' through the entry-point group `choline.providers`.

Called by `session`. A provider of another package is used only when the user has named it once in config.toml
(`[providers] enabled = ["name"]`): installing a package gives it no access to anybody's money. None of them is imported
before it is asked for, and the project's own names cannot be taken.
"""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points

from choline_jupyter.providers.config import read_enabled
from choline_jupyter.providers.provider import Provider

GROUP = "choline.providers"  # name = provider, value = its class
BUILT_IN = {
    "lambda": "choline_jupyter.providers.lambda_cloud:LambdaProvider",
    "local": "choline_jupyter.providers.local:LocalProvider",
    "runpod": "choline_jupyter.providers.runpod:RunPodProvider",
    "modal": "choline_jupyter.providers.modal_cloud.provider:ModalProvider",
    "ssh": "choline_jupyter.providers.ssh:SSHProvider",
    "vast": "choline_jupyter.providers.vast.provider:VastProvider",
}


def list_names() -> list[str]:
    """The names of the providers that can be used, sorted. Raises ConfigError."""
    return sorted({*BUILT_IN, *(set(read_enabled()) & set(list_others()))})


def list_others() -> list[str]:
    """The names of other packages' providers, enabled or not, sorted."""
    return sorted({entry.name for entry in entry_points(group=GROUP)} - set(BUILT_IN))


def load_provider(name: str) -> Provider:
    """A provider by its name; raises KeyError for one that is not installed or not enabled, and ConfigError."""
    if name in BUILT_IN:
        module, _, kind = BUILT_IN[name].partition(":")
        made: Provider = getattr(importlib.import_module(module), kind)()
        return made
    if name in list_names():
        [entry, *_] = [entry for entry in entry_points(group=GROUP) if entry.name == name]
        loaded: Provider = entry.load()()
        return loaded
    raise KeyError(name)
