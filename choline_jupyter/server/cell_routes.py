"""The REST routes for what stands in a notebook's cells and for its checkpoints; part of `server.routes.ROUTES`.

Called by the Jupyter server for the front end's requests, with the same promises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tornado.web

from choline_jupyter.errors import UnknownJob
from choline_jupyter.model.event import Kind
from choline_jupyter.model.gpu import list_models
from choline_jupyter.providers.config import ConfigError, read_hosts
from choline_jupyter.server.checkpoint_state import list_checkpoints
from choline_jupyter.server.element_state import describe_element
from choline_jupyter.server.handlers import RecordHandler, make_refusal
from choline_jupyter.session.rent.suppliers import load_rented

if TYPE_CHECKING:
    from jupyter_server.base.handlers import APIHandler

    from choline_jupyter.ledger.event_store import EventStore
    from choline_jupyter.model.event import Event
    from choline_jupyter.model.job import JobRow
    from choline_jupyter.session.bridge import Bridge

_ID = r"([a-z][a-z0-9-]{1,62})"
_HOSTS = 8


class JobHandler(RecordHandler):
    """`GET jobs/ID`: one job with all that its element in the cell shows."""

    @tornado.web.authenticated
    async def get(self, id: str) -> None:
        row = await self.find_job(id)
        self.answer(await self.read(describe_element, self.shared.record.fleet, row, self.root))


class PlacesHandler(RecordHandler):
    """`GET places`: where a cell can run: hosts of the configuration and of earlier sessions, GPUs by their names."""

    @tornado.web.authenticated
    async def get(self) -> None:
        self.answer(await self.read(self._read))

    def _read(self, store: EventStore) -> dict[str, Any]:
        rows = sorted(store.list_sessions(), key=lambda row: row.created_at, reverse=True)
        used = [row.machine for row in rows if row.provider == "ssh"]
        try:
            configured, notice = sorted(read_hosts()), ""
        except ConfigError as error:
            configured, notice = [], str(error)
        ready = [provider.name for provider in load_rented()]
        hosts = list(dict.fromkeys([*used, *configured]))[:_HOSTS]
        return {"hosts": hosts, "gpus": list_models(), "providers": ready, "notice": notice}


class CheckpointsHandler(RecordHandler):
    """`GET checkpoints`: those of the projects that jobs have run in, here and on their machines."""

    @tornado.web.authenticated
    async def get(self) -> None:
        self.answer({"checkpoints": await self.read(list_checkpoints, self.root)})


class PullHandler(RecordHandler):
    """`POST jobs/ID/pull`: bring home what a job has written; answers when it is here, with what is to be said of it."""

    @tornado.web.authenticated
    async def post(self, id: str) -> None:
        job = await self.find_job(id)
        announced = await self.read(_list_announced, job)
        if not announced:
            raise make_refusal(UnknownJob(f"There is no file of job {id} to bring.", "It has written none."))
        row = await self.find_session(job.session)

        async def pull(bridge: Bridge) -> list[str]:
            session = await bridge.engine.join(row, follow=False)
            return await session.pull(announced)

        self.answer({"said": await self.act(pull)})


def _list_announced(store: EventStore, job: JobRow) -> list[Event]:
    return [event for event in store.read_job(job.id) if event.kind in (Kind.ARTIFACT, Kind.CHECKPOINT)]


CELL_ROUTES: list[tuple[str, type[APIHandler]]] = [
    (f"jobs/{_ID}", JobHandler),
    (f"jobs/{_ID}/pull", PullHandler),
    ("places", PlacesHandler),
    ("checkpoints", CheckpointsHandler),
]
