"""The suppliers: the installed providers that rent machines out, and which of them can be used now.

Called by `session.rent` and the verbs. A provider that cannot be loaded (its package is not installed) is not ready, and
`explain_missing` says why.
"""

from __future__ import annotations

from choline_jupyter.providers.provider import FREE, STOP, Provider
from choline_jupyter.providers.registry import list_names, load_provider


def load_rented(*, is_any: bool = False) -> list[Provider]:
    """Those that are ready; with `is_any` all that rent out, also those that lack a key."""
    loaded = [load_provider(name) for name in list_names()]
    rented = [provider for provider in loaded if FREE not in provider.capabilities]
    return rented if is_any else [provider for provider in rented if not provider.check_ready()]


def is_rented(name: str) -> bool:
    """Whether a provider of this name rents machines out; raises KeyError for one that is not installed."""
    return FREE not in load_provider(name).capabilities


def can_stand(name: str) -> bool:
    """Whether machines of this provider may be stopped, and run again later with the disk that they had."""
    try:
        return STOP in load_provider(name).capabilities
    except KeyError:  # it is not installed any more
        return False


def explain_missing() -> list[str]:
    """One line for each provider that cannot be used yet."""
    return [f"{one.name}: {said}" for one in load_rented(is_any=True) if (said := one.check_ready())]
