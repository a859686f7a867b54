"""The REST routes, below `choline/api/`: one handler class each, listed once in `ROUTES`.

Called by the Jupyter server for the front end's requests. Promises answers in JSON and no access without the server's
own authentication.
"""

from __future__ import annotations

import json
import platform

import tornado.web
from jupyter_server.base.handlers import APIHandler

import choline_jupyter


class VersionHandler(APIHandler):
    """`GET version` answers `{"version": ..., "python": ...}`: what the server runs."""

    @tornado.web.authenticated
    def get(self) -> None:
        self.finish(json.dumps({"version": choline_jupyter.__version__, "python": platform.python_version()}))


ROUTES: list[tuple[str, type[APIHandler]]] = [("version", VersionHandler)]
