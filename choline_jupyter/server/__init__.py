"""The Jupyter Server extension: REST below `choline/api/` for the front end.

Called by the Jupyter server when it loads its extensions. Promises that every route asks for the server's own
authentication, and that loading it starts no thread, process or connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_server.utils import url_path_join

from choline_jupyter.server.routes import ROUTES

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

__all__ = ["load"]


def load(app: ServerApp) -> None:
    """Add choline's routes to the server `app`, below its base URL."""
    base_url = app.web_app.settings["base_url"]
    handlers = [(url_path_join(base_url, "choline", "api", path), handler) for path, handler in ROUTES]
    app.web_app.add_handlers(".*$", handlers)
