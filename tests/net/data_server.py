"""A server of files on loopback that behaves as data's servers do, and misbehaves where a test says so.

Used by the tests of datasets. One thread for each connection; `log` has every request, in the order of arrival.
"""

from __future__ import annotations

import hashlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PIECE = 1 << 16
_RANGE = re.compile(r"bytes=(\d+)-\Z")


@dataclass
class File:
    """What is at a path. Of its first answers each is cut behind as many bytes as `cuts` say; `gate` holds one back.

    `status`: it is refused with that, as often as `refusals` say or always; `location`: it is elsewhere.
    """

    data: bytes = b""
    etag: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    has_ranges: bool = True
    has_length: bool = True
    gate: threading.Event | None = None
    gate_at: int = 0
    status: int = 0
    refusals: int = -1
    location: str = ""


@dataclass(frozen=True)
class Request:
    """One request that came; `sent` are the sizes of the pieces of content that were sent."""

    path: str
    headers: Message
    sent: list[int]


class DataServer:
    """`files` are by path, with its query or without; `address` is where they are. `guard(request)` gives a status for those
    it refuses.
    """

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.log: list[Request] = []
        self.guard: Callable[[Request], int] = lambda _: 0
        self.waiting = threading.Event()  # somebody stands before a gate
        server = self

        class Handler(_Handler):
            host = server

        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._httpd.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._httpd.server_port}"
        self._thread = threading.Thread(target=self._httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def put(self, path: str, data: bytes, **more: object) -> File:
        """Have a file at a path, with the tag of its content."""
        etag = f'"{hashlib.md5(data).hexdigest()}"'  # noqa: S324 - as servers do
        file = self.files[path] = File(data, etag, **more)  # type: ignore[arg-type]
        return file

    def count(self, path: str) -> int:
        """How many requests came for a path."""
        return sum(urlsplit(request.path).path == path for request in self.log)

    def count_sent(self) -> int:
        """Bytes of content that were sent since `log` was empty."""
        return sum(sum(request.sent) for request in self.log)

    def close(self) -> None:
        for file in self.files.values():
            if file.gate:
                file.gate.set()
        self._httpd.shutdown()
        self._httpd.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    host: DataServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        request = Request(self.path, self.headers, [])
        self.host.log.append(request)
        file = self.host.files.get(self.path) or self.host.files.get(urlsplit(self.path).path)
        status = self.host.guard(request) or (404 if file is None else 0)
        if file and file.status and file.refusals:
            file.refusals -= 1
            status = status or file.status
        if status or file is None:
            self._answer(status, file.headers if file else {}, b"")
        elif file.location:
            self._answer(302, {**file.headers, "Location": file.location}, b"")
        elif self.headers.get("If-Match") not in (None, file.etag):
            self._answer(412, {}, b"")
        elif file.etag and self.headers.get("If-None-Match") == file.etag:
            self._answer(304, {"ETag": file.etag}, b"")
        else:
            self._serve(file, request)

    def _serve(self, file: File, request: Request) -> None:
        found = _RANGE.match(self.headers.get("Range") or "") if file.has_ranges else None
        is_same = self.headers.get("If-Range") in (None, file.etag)
        start = int(found[1]) if found and is_same else 0
        if start and start >= len(file.data):
            self._answer(416, {"Content-Range": f"bytes */{len(file.data)}"}, b"")
            return
        headers = {**({"ETag": file.etag} if file.etag else {}), **file.headers}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(file.data) - 1}/{len(file.data)}"
        self.send_response(206 if start else 200)
        for name, value in headers.items():
            self.send_header(name, value)
        if file.has_length:
            self.send_header("Content-Length", str(len(file.data) - start))
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        self._send(file, file.data[start:], start, request)

    def _send(self, file: File, data: bytes, start: int, request: Request) -> None:
        cut = file.cuts.pop(0) if file.cuts else len(data)
        for position in range(0, min(cut, len(data)), PIECE):
            if file.gate and start + position >= file.gate_at and not file.gate.is_set():
                self.host.waiting.set()
                file.gate.wait()
            piece = data[position : min(position + PIECE, cut)]
            request.sent.append(len(piece))  # first: who has it all may look at once
            try:
                self.wfile.write(piece)
            except OSError:  # it was enough for who asked
                return
        if cut < len(data):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Not on the test's screen."""


@contextmanager
def serve_data() -> Iterator[DataServer]:
    """A server for the time of a test."""
    server = DataServer()
    try:
        yield server
    finally:
        server.close()
