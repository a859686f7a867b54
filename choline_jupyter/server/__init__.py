"""The Jupyter Server extension: REST below `choline/api/` for the front end, and news on the server's event stream.

Called by the Jupyter server when it loads its extensions. Promises: every route asks for the server's own
authentication; loading it starts no process or connection; it owns no job: ending the server ends nothing else.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from jupyter_server.utils import url_path_join

from choline_jupyter.server.handlers import SETTING, Shared
from choline_jupyter.server.news import SCHEMA, SCHEMA_ID, News
from choline_jupyter.server.record import Reading, Record
from choline_jupyter.server.routes import ROUTES

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

__all__ = ["load", "unload"]

_ACTIONS = 4  # that may wait for machines at the same time


def load(app: ServerApp) -> None:
    """Add choline's routes to the server `app`, below its base URL, and its news to the server's events."""
    record, reading = Record(), Reading("choline-reading")
    acting, counting = Reading("choline-acting", _ACTIONS), Reading("choline-counting")
    app.web_app.settings[SETTING] = shared = Shared(record, reading, acting, counting)
    base_url = app.web_app.settings["base_url"]
    handlers = [(url_path_join(base_url, "choline", "api", path), handler) for path, handler in ROUTES]
    app.web_app.add_handlers(".*$", handlers)
    assert app.event_logger is not None  # the server makes it before it loads extensions
    app.event_logger.register_event_schema(SCHEMA)
    emit = partial(app.event_logger.emit, schema_id=SCHEMA_ID)

    async def begin() -> None:
        shared.news = News(record, reading, emit)
        await shared.news.start()

    app.io_loop.add_callback(begin)  # it waits until there is a loop that runs


def unload(app: ServerApp) -> None:
    """Let go of what `load` has opened, in a server that ends before its process does; called in its loop."""
    shared: Shared | None = app.web_app.settings.get(SETTING)
    if shared:
        shared.close()
