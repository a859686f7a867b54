"""The REST routes that start a session without a cell, below `choline/api/`. Listed in `START_ROUTES`.

Called by the Jupyter server for the panel; `server.routes` has them in its list. Promises: nothing is rented that nobody has
agreed to, at a price or for an amount above the one agreed to; the server starts a process and owns nothing of it: it goes on
when the server ends, and can be seen and cancelled from the next one.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tornado.web

from choline_jupyter.errors import RequestError, UnknownSession
from choline_jupyter.model.names import make_identifier
from choline_jupyter.server.handlers import RecordHandler
from choline_jupyter.server.job_state import find_contents_path, find_notebook
from choline_jupyter.session.options import parse_cell
from choline_jupyter.session.ranks import count_ranks, name_session
from choline_jupyter.session.rent.limits import read_limits
from choline_jupyter.session.rent.suppliers import is_rented
from choline_jupyter.session.rent.wish import read_wish
from choline_jupyter.session.start_record import Start, Starts
from choline_jupyter.session.starter import begin_start

if TYPE_CHECKING:
    from jupyter_server.base.handlers import APIHandler

    from choline_jupyter.ledger.event_store import EventStore

_ID = r"([a-z][a-z0-9-]{1,62})"
_LEAST = 0.01
_OPTIONS = frozenset({"gpu", "provider", "spot"})  # what an offer says to write (`server.offer_state`)


class StartHandler(RecordHandler):
    """`POST starts`: have a session started on a machine like an offer's, within what the person has agreed to.

    The body has the offer's `options` and `hour` (USD at most), `what` it is, `budget` in USD, `lease` in minutes, the `path` of
    the notebook that it is for (or nothing), and `agreed: true`.
    """

    @tornado.web.authenticated
    async def post(self) -> None:
        body = self.get_json_body() or {}
        self.answer({"start": await self.read(self._begin, body)})

    def _begin(self, store: EventStore, body: Any) -> str:
        start = read_request(body, self.root, {row.name for row in store.list_sessions() if row.state.is_open})
        begin_start(Starts(store.directory), start)
        return start.id


class EndStartHandler(RecordHandler):
    """`POST starts/ID/end`: cancel a start that goes on, which ends its machine; forget one that came to nothing."""

    @tornado.web.authenticated
    async def post(self, id: str) -> None:
        self.answer({"cancelled": await self.read(self._end, id)})

    def _end(self, store: EventStore, id: str) -> bool:
        starts = Starts(store.directory)
        start = starts.find(id)
        if not start:
            raise UnknownSession(f"There is no start {id}.", "Its session may be there by now.")
        is_cancelled = not start.problem and starts.cancel(id)
        if not is_cancelled:
            starts.remove(id)
        return is_cancelled


def read_request(body: Any, root: str, taken: set[str]) -> Start:
    """The start that a request means; `taken` are the names of open sessions. Raises RequestError."""
    if not isinstance(body, dict) or not body.get("options"):
        raise RequestError("There is no machine in this request.", "Name the options of an offer.")
    if body.get("agreed") is not True:
        raise RequestError("Nothing was rented: nobody has agreed to it.", "Say `agreed` when a person has.")
    words = [*_read_options(body["options"]), *_write_limits(body)]
    options = parse_cell(" ".join(words)).options
    read_limits(options)
    ranks = count_ranks(options, read_wish(options).count)
    path = str(body.get("path") or "")
    name = find_notebook(path, root) if path else ""
    directory = str(Path(name).parent) if name and Path(name).parent.is_dir() else root
    if not name or name_session(name, ranks) in taken:
        name = _find_name(options.text("gpu") or options.text("provider") or "", ranks, taken)
    return Start(make_identifier("s"), name, directory, tuple(words), str(body.get("what") or "")[:200], time.time())


def describe_start(start: Start, root: str) -> dict[str, Any]:
    """As the panel shows it."""
    return {
        "id": start.id,
        "name": start.name,
        "notebook": find_contents_path(start.name, root),
        "what": start.what,
        "since": start.since,
        "stage": start.stage,
        "text": start.text,
        "problem": start.problem,
    }


def _read_options(options: Any) -> list[str]:
    """Words of a `%%choline` line; nothing but what an offer says."""
    words = []
    for name, value in options:
        if name not in _OPTIONS or not isinstance(value, str) or any(mark in value for mark in " \t\n\"'\\"):
            raise RequestError("That is no offer's option.", "Search for offers again.")
        words += [f"--{name}={value}" if value else f"--{name}"]
    if not any(word.startswith("--provider=") and _is_supplier(word.partition("=")[2]) for word in words):
        raise RequestError("There is no provider that rents in this request.", "Search for offers again.")
    return words


def _is_supplier(name: str) -> bool:
    try:
        return is_rented(name)
    except KeyError:
        return False


def _write_limits(body: dict[str, Any]) -> list[str]:
    hour, budget, lease = (_read_amount(body.get(name), name) for name in ("hour", "budget", "lease"))
    return [f"--max-price={hour:.2f}", f"--budget={budget:.2f}", f"--lease={max(1, round(lease))}m"]


def _read_amount(value: Any, name: str) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value < _LEAST:
        raise RequestError(f"A machine is rented with a {name}, and {str(value)[:20]!r} is none.", "Give a number.")
    return float(value)


def _find_name(kind: str, ranks: int, taken: set[str]) -> str:
    """A name that no session has."""
    names = (kind if number == 1 else f"{kind}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name_session(name, ranks) not in taken)


START_ROUTES: list[tuple[str, type[APIHandler]]] = [("starts", StartHandler), (f"starts/{_ID}/end", EndStartHandler)]
