"""The REST routes, below `choline/api/`: one handler class each, listed once in `ROUTES`.

Called by the Jupyter server for the front end's requests. Promises: answers in JSON, no access without the server's
own authentication, no state changed by a GET, and nothing owned here: what a job does, it does without this server.
"""

from __future__ import annotations

import json
import platform
from typing import TYPE_CHECKING, Any

import tornado.web
from jupyter_server.base.handlers import APIHandler

import choline_jupyter
from choline_jupyter.model.session import Trust
from choline_jupyter.server.cell_routes import CELL_ROUTES
from choline_jupyter.server.handlers import RecordHandler, read_seconds
from choline_jupyter.server.job_state import describe_job, describe_output, find_notebook
from choline_jupyter.server.messages import read_page
from choline_jupyter.server.money_routes import MONEY_ROUTES
from choline_jupyter.server.session_state import ask_agents, describe_life, describe_session
from choline_jupyter.server.start_routes import START_ROUTES, describe_start
from choline_jupyter.session.keeping import find_keeper
from choline_jupyter.session.start_record import Starts

if TYPE_CHECKING:
    from choline_jupyter.ledger.event_store import EventStore
    from choline_jupyter.model.job import JobRow
    from choline_jupyter.session.bridge import Bridge

_ID = r"([a-z][a-z0-9-]{1,62})"
_LISTED = 200
_OF_NOTEBOOK = 500


class VersionHandler(APIHandler):
    """`GET version` answers `{"version": ..., "python": ...}`: what the server runs."""

    @tornado.web.authenticated
    def get(self) -> None:
        self.finish(json.dumps({"version": choline_jupyter.__version__, "python": platform.python_version()}))


class StateHandler(RecordHandler):
    """`GET state`: all that the panel shows first: open sessions and those being started, the newest jobs, what is wrong."""

    @tornado.web.authenticated
    async def get(self) -> None:
        self.answer(await self.read(self._read))

    def _read(self, store: EventStore) -> dict[str, Any]:
        jobs = store.list_jobs(limit=_LISTED + 1)
        return {
            "sessions": [describe_session(row, self.root) for row in store.list_sessions() if row.state.is_open],
            "starts": [describe_start(start, self.root) for start in Starts(store.directory).list_all()],
            "jobs": [_describe(store, row, self.root) for row in jobs[:_LISTED]],
            "more": len(jobs) > _LISTED,
            "notice": self.shared.record.notice,
            "keeper": find_keeper(),
        }


class HistoryHandler(RecordHandler):
    """`GET history?before=SECONDS`: a page of the jobs that were made before that time, newest first."""

    @tornado.web.authenticated
    async def get(self) -> None:
        before = self.get_query_argument("before")
        self.answer(await self.read(lambda store: self._read(store, read_seconds(before))))

    def _read(self, store: EventStore, before: float) -> dict[str, Any]:
        jobs = store.changes.list_jobs_before(before, _LISTED + 1)
        return {"jobs": [_describe(store, row, self.root) for row in jobs[:_LISTED]], "more": len(jobs) > _LISTED}


class SessionsHandler(RecordHandler):
    """`GET sessions`: what goes on in each open session, asked of the machines themselves."""

    @tornado.web.authenticated
    async def get(self) -> None:
        rows = [row for row in await self.read(lambda store: store.list_sessions()) if row.state.is_open]
        agents = await self.act(lambda bridge: ask_agents(bridge.engine, rows)) if rows else {}
        self.answer({"sessions": [describe_life(row, agents) for row in rows]})


class JobsHandler(RecordHandler):
    """`GET jobs?ids=ID,...`: these jobs as they are now, with how far they are. Ids that nobody knows are left out."""

    @tornado.web.authenticated
    async def get(self) -> None:
        ids = list(filter(None, self.get_query_argument("ids").split(",")))[:_LISTED]
        self.answer({"jobs": await self.read(self._read, ids)})

    def _read(self, store: EventStore, ids: list[str]) -> list[dict[str, Any]]:
        rows = store.changes.find_jobs(ids)
        return [{**describe_job(row, self.root), **describe_output(store, row)} for row in rows]


class EventsHandler(RecordHandler):
    """`GET jobs/ID/events?after=PLACE`: the messages of a job behind a place in its output, and the job."""

    @tornado.web.authenticated
    async def get(self, id: str) -> None:
        row = await self.find_job(id)
        page = await self.read(self._read, row, self.get_query_argument("after", ""))
        self.answer(page)

    def _read(self, store: EventStore, row: JobRow, after: str) -> dict[str, Any]:
        session = next((one for one in store.list_sessions() if one.id == row.session), None)
        # Of a session that is not known any more nothing is known of its machine either.
        trust = session.trust if session else Trust.RENTED
        return {**read_page(store, row, trust, after), "job": describe_job(row, self.root)}


class CellsHandler(RecordHandler):
    """`GET cells?path=NOTEBOOK`: the newest job of each cell of a notebook, with the code that it ran."""

    @tornado.web.authenticated
    async def get(self) -> None:
        notebook = find_notebook(self.get_query_argument("path"), self.root)
        self.answer({"cells": await self.read(self._read, notebook)})

    def _read(self, store: EventStore, notebook: str) -> list[dict[str, Any]]:
        newest: dict[str, JobRow] = {}
        for row in store.list_jobs(notebook=notebook, limit=_OF_NOTEBOOK):
            if row.cell_id:
                newest.setdefault(row.cell_id, row)
        return [{**describe_job(row, self.root), "code": row.code} for row in newest.values()]


class InterruptHandler(RecordHandler):
    """`POST jobs/ID/interrupt`: interrupt a job; its session keeps its state."""

    @tornado.web.authenticated
    async def post(self, id: str) -> None:
        job = await self.find_job(id)
        row = await self.find_session(job.session)

        async def interrupt(bridge: Bridge) -> None:
            session = await bridge.engine.join(row, follow=False)
            session.interrupt(id)

        await self.act(interrupt)
        self.answer({"interrupted": id})


class LeaseHandler(RecordHandler):
    """`POST sessions/ID/lease`: the user is still there: the lease of a session, and of its machine, begins anew."""

    @tornado.web.authenticated
    async def post(self, id: str) -> None:
        row = await self.find_session(id)
        await self.act(lambda bridge: bridge.engine.extend(row))
        self.answer({"extended": id})


class StopHandler(RecordHandler):
    """`POST sessions/ID/stop`: end a session and what runs in it; answers when nothing of it runs any more, and whether its
    rented machine is known to be gone.
    """

    @tornado.web.authenticated
    async def post(self, id: str) -> None:
        row = await self.find_session(id)
        is_gone = await self.act(lambda bridge: bridge.engine.stop(row))
        self.answer({"stopped": id, "gone": is_gone})


def _describe(store: EventStore, row: JobRow, root: str) -> dict[str, Any]:
    """In a list only open jobs say how far they are: of the others it is asked for when somebody looks."""
    return {**describe_job(row, root), **(describe_output(store, row) if row.state.is_open else {})}


ROUTES: list[tuple[str, type[APIHandler]]] = [
    ("version", VersionHandler),
    ("state", StateHandler),
    ("sessions", SessionsHandler),
    (f"sessions/{_ID}/lease", LeaseHandler),
    (f"sessions/{_ID}/stop", StopHandler),
    ("jobs", JobsHandler),
    (f"jobs/{_ID}/events", EventsHandler),
    (f"jobs/{_ID}/interrupt", InterruptHandler),
    ("cells", CellsHandler),
    ("history", HistoryHandler),
    *START_ROUTES,
    *MONEY_ROUTES,
    *CELL_ROUTES,
]
