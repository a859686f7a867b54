"""The one registry of providers: the entry-point group `choline.providers` (name = provider, value = its class).

Called by `session.engine`. The built-in ones are declared through the same group, so there is no second list; only an
uninstalled checkout falls back to importing `local` by name.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from choline_jupyter.providers.provider import Provider

GROUP = "choline.providers"


def list_names() -> list[str]:
    """The names of the installed providers, sorted; `local` is always among them."""
    return sorted({entry.name for entry in entry_points(group=GROUP)} | {"local"})


def load_provider(name: str) -> Provider:
    """A provider by its name; raises KeyError for one that is not installed."""
    if name == "local":
        from choline_jupyter.providers.local import LocalProvider

        return LocalProvider()
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            loaded = entry.load()
            provider: Provider = loaded()
            return provider
    raise KeyError(name)
