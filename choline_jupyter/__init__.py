"""choline: a notebook cell runs in another machine's kernel and behaves as if it had run here.

This module holds only the hooks that IPython, JupyterLab and the Jupyter server look for and the list of public names.
Importing it loads nothing: each hook and each public name brings its module in when it is first used. It is also
imported on remote machines, so it keeps to Python 3.9 and the standard library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from jupyter_server.serverapp import ServerApp

    from choline_jupyter.errors import CholineError

# Public name -> the module that defines it.
_HOMES = {
    "CholineError": "choline_jupyter.errors",
    "checkpoint": "choline_jupyter.training",
    "log": "choline_jupyter.training",
    "offers": "choline_jupyter.session.rent.inquiry",
    "resume": "choline_jupyter.training",
    "sweep": "choline_jupyter.magic.sweep",
}

__all__ = ["CholineError", "__version__", "checkpoint", "load_ipython_extension", "log", "offers", "resume", "sweep"]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """`%load_ext choline_jupyter`: register `%%choline` and `%choline`."""
    importlib.import_module("choline_jupyter.magic").load_ipython_extension(shell)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "choline-jupyter"}]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "choline_jupyter"}]


def _load_jupyter_server_extension(app: ServerApp) -> None:
    importlib.import_module("choline_jupyter.server").load(app)


def _installed_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("choline-jupyter")
    except PackageNotFoundError as error:
        raise AttributeError("choline-jupyter is not installed here; run: python -m pip install -e .") from error


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _installed_version()
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
