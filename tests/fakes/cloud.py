"""What every fake cloud has: rentals with their states and bill, faults on command, an HTTP server with routes.

Subclassed by the fake of each provider, which only translates to and from the provider's own JSON. Its clock is real time
plus what a test lets pass by `advance`; its machines are real (`tests.fakes.machine`) unless `has_machines` is off.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from choline_jupyter.model.offer import GIB, MONTH, Price
from tests.fakes.machine import Machine

Answer = tuple[int, Any]


@dataclass
class Fault:
    """The next `count` calls whose name is `call` go wrong: `kind` is a status (`500`, `401`, `429`, `410`), `timeout`
    (carried out, never answered), `500-created` (carried out, then 500), `garbage` (200 and no JSON), `empty` (200, nothing),
    `shape` (200 and JSON of another shape).
    """

    call: str
    kind: str
    count: int = 1


@dataclass
class Rental:
    """One rented machine. `periods` are [from, to or None, USD per hour]: the fake's own bill."""

    handle: str
    label: str
    offer: str
    price: Price
    disk: int
    created_at: float
    state: str = "creating"
    looks: int = 0  # how often it was described: it boots by being looked at, so that no test waits
    listings: int = 0  # that it should have been in
    ended_listings: int = 0  # since it ended
    periods: list[list[Any]] = field(default_factory=list)
    machine: Machine | None = None
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def lives(self) -> bool:
        return self.state != "gone"


class Cloud:
    """Owns one thread with an HTTP server while it is open, one more for each request, and its machines. Any thread may
    call it: a lock lets in one at a time.
    """

    def __init__(self, *, has_machines: bool = False, key: str = "fake-key") -> None:
        self.key, self.has_machines = key, has_machines
        self.rentals: dict[str, Rental] = {}
        self.faults: list[Fault] = []
        self.calls: list[str] = []  # the names of all calls so far
        self.list_lag = 0  # listings that do not have a new rental yet
        self.boot_looks = 2  # looks until a rental runs
        self.destroy_looks = 0  # listings that still have a destroyed rental
        self.offset = 0.0
        self.hidden: list[Path] = []  # folders of the user that its machines do not share
        self.lock = threading.RLock()
        self.routes: list[tuple[str, re.Pattern[str], str, Callable[..., Answer]]] = []
        self.ended = threading.Event()  # something has ended
        self._hung = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def tell(self) -> dict[str, str]:
        """What the file of CHOLINE_FAKE_CLOUD says of it."""
        return {"url": self.url, "key": self.key}

    def route(self, method: str, path: str, call: str, serve: Callable[..., Answer]) -> None:
        """`path` is a regular expression of the whole path; its groups, the body and the query are passed to `serve`."""
        self.routes.append((method, re.compile(path), call, serve))

    def now(self) -> float:
        return time.time() + self.offset

    def advance(self, seconds: float) -> None:
        """Let time pass in the cloud."""
        with self.lock:
            self.offset += seconds

    def fail(self, call: str, kind: str, count: int = 1) -> None:
        self.faults.append(Fault(call, kind, count))

    def rent(self, rental: Rental, startup: str = "", environment: dict[str, str] | None = None, key: str = "") -> None:
        """Begin to bill, and boot its machine."""
        self.rentals[rental.handle] = rental
        self.charge(rental, rental.price.find_hourly(rental.disk))
        if self.has_machines:
            rental.machine = Machine(startup, environment, key, hidden=self.hidden)

    def copy(self, handle: str, name: str, label: str) -> None:
        """One more rental like another, as if it had been rented long ago; it has no machine."""
        with self.lock:
            rental = self.rentals[handle]
            self.rentals[name] = replace(rental, handle=name, label=label, periods=[], machine=None)

    def charge(self, rental: Rental, hourly: float) -> None:
        """From now on it costs so much."""
        now = self.now()
        if rental.periods and rental.periods[-1][1] is None:
            rental.periods[-1][1] = now
        rental.periods.append([now, None, hourly])

    def end(self, handle: str) -> None:
        """It is gone: no further cent."""
        rental = self.rentals[handle]
        if rental.lives:
            self.charge(rental, 0.0)
            rental.state = "gone"
            self.ended.set()
            if rental.machine:
                rental.machine.end()

    def bill(self, handle: str) -> float:
        """What it has cost so far, in USD."""
        now = self.now()
        periods: list[tuple[float, float | None, float]] = [(a, b, rate) for a, b, rate in self.rentals[handle].periods]
        return sum((now if end is None else end) * rate / 3600 - begin * rate / 3600 for begin, end, rate in periods)

    def list_alive(self) -> list[Rental]:
        """What costs money now, whatever any listing says."""
        with self.lock:
            return [rental for rental in self.rentals.values() if rental.lives]

    def look(self, rental: Rental) -> str:
        """Its state when somebody looks: it comes up by being looked at."""
        rental.looks += 1
        if rental.state == "creating" and rental.looks > self.boot_looks and self.is_up(rental):
            rental.state = "running"
        return rental.state

    def is_up(self, rental: Rental) -> bool:
        return rental.machine is None or rental.machine.listens()

    def list_visible(self) -> list[Rental]:
        """What a listing shows now: new ones later, ended ones still, as `list_lag` and `destroy_looks` say."""
        return [rental for rental in self.rentals.values() if self._is_visible(rental)]

    def _is_visible(self, rental: Rental) -> bool:
        if rental.lives:
            rental.listings += 1
            return rental.listings > self.list_lag
        rental.ended_listings += 1
        return rental.ended_listings <= self.destroy_looks

    def close(self) -> None:
        self._hung.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for rental in self.rentals.values():
            if rental.machine:
                rental.machine.end()

    def serve(self, method: str, path: str, headers: Any, body: Any, query: dict[str, list[str]]) -> Answer | None:
        """One request; None: the connection is cut without an answer."""
        for wanted, pattern, call, function in self.routes:
            match = pattern.fullmatch(path)
            if wanted == method and match:
                with self.lock:
                    self.calls.append(call)
                    return self._serve(call, partial(function, *match.groups(), body=body, query=query), headers)
        return 404, {"error": "no such path"}

    def allows(self, headers: Any) -> bool:
        return bool(headers.get("Authorization") == f"Bearer {self.key}")

    def deny(self) -> Answer:
        return 401, {"error": "unauthorized"}

    def _serve(self, call: str, perform: Callable[[], Answer], headers: Any) -> Answer | None:
        fault = next((fault for fault in self.faults if fault.call == call and fault.count > 0), None)
        if fault:
            fault.count -= 1
            return self._go_wrong(fault.kind, perform)
        return perform() if self.allows(headers) else self.deny()

    def _go_wrong(self, kind: str, perform: Callable[[], Answer]) -> Answer | None:
        if kind in ("timeout", "500-created"):
            perform()
        if kind == "timeout":
            return None
        if kind in ("garbage", "empty", "shape"):
            return 200, {"garbage": b"<html>hello</html>", "empty": b"", "shape": {"surprise": 1}}[kind]
        return int(kind.partition("-")[0]), b"Too many requests" if kind == "429" else {
            "error": f"made to fail: {kind}"
        }


def find_gib(size: int) -> float:
    return size / GIB


def find_month(rate: float) -> float:
    """USD per hour of a price per month."""
    return rate / MONTH


def _make_handler(cloud: Cloud) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Serves one connection in a thread of the server."""

        protocol_version = "HTTP/1.1"

        def handle_one_call(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(size)
            parts = urlsplit(self.path)
            answer = cloud.serve(
                self.command, parts.path, self.headers, json.loads(raw) if raw else None, parse_qs(parts.query)
            )
            if answer is None:
                self.close_connection = True
                return
            status, data = answer
            text = data if isinstance(data, bytes) else json.dumps(data).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json" if not isinstance(data, bytes) else "text/plain")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
            except ConnectionError:  # a machine that has ended itself does not hear the answer
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_one_call  # noqa: N815 - names of http.server

        def log_message(self, format: str, *values: Any) -> None:
            pass

    return Handler
