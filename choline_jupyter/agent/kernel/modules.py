"""The user's own modules in a kernel: those whose files have come anew are loaded again, as IPython's autoreload does.

Called by `agent.kernel.luggage` when files have come. Objects that were made of a module's classes go on with the new code.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection, Iterator
from typing import Any


class Modules:
    """Remembers the objects of modules that were loaded again, which the next time has to renew, too."""

    def __init__(self) -> None:
        self._objects: dict[Any, Any] = {}

    def reload(self, paths: Collection[str]) -> Iterator[str]:
        """Load again what was loaded from these files; gives one sentence for each that cannot be."""
        importlib.invalidate_caches()
        for module in list(sys.modules.values()):
            if getattr(module, "__file__", None) in paths:
                yield from self._renew(module)

    def _renew(self, module: Any) -> Iterator[str]:
        from IPython.extensions.autoreload import superreload

        try:
            superreload(module, old_objects=self._objects)
        except BaseException as error:  # noqa: BLE001 - the user's own code runs here
            yield "the module %s could not be loaded again: %s: %s" % (module.__name__, type(error).__name__, error)
