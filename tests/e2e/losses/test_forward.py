"""A port of a session's machine, seen from here: pages, large answers, several at once, nothing there, cut connections."""

from __future__ import annotations

import hashlib
import socket
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from choline_jupyter.model.session import Trust
from choline_jupyter.session.live import LiveSession
from tests.e2e.losses.engine_client import EngineClient, read_reply

SERVER = """
import hashlib, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
LARGE = bytes(range(256)) * 20_000
class Page(BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        data = LARGE if self.path == '/large' else hashlib.sha256(body).hexdigest().encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    do_GET = do_POST = answer
    def log_message(self, *words): pass
server = ThreadingHTTPServer(('127.0.0.1', 0), Page)
threading.Thread(target=server.serve_forever, daemon=True).start()
"""
LARGE = bytes(range(256)) * 20_000


@pytest.fixture
def session(client: EngineClient) -> LiveSession:
    made = client.open("pages")
    assert read_reply(client.run(made, SERVER))["status"] == "ok"
    return made


def forward(client: EngineClient, session: LiveSession) -> str:
    port = int(client.evaluate(session, "server.server_address[1]"))
    return client.call(client.engine.forward(session.row, port))


def fetch(url: str, data: bytes | None = None) -> bytes:
    with urllib.request.urlopen(url, data, timeout=30) as answer:
        return bytes(answer.read())


def test_pages_come_and_go_both_ways_several_at_once(client: EngineClient, session: LiveSession) -> None:
    url = forward(client, session)
    assert forward(client, session) == url  # the same one
    assert url.startswith("http://127.0.0.1:")
    with ThreadPoolExecutor(8) as pool:
        sent = [bytes([number]) * 300_000 for number in range(8)]
        answers = list(pool.map(lambda data: fetch(url, data), sent))
    assert answers == [hashlib.sha256(data).hexdigest().encode() for data in sent]
    assert fetch(f"{url}/large") == LARGE


def test_a_strangers_pages_have_an_address_of_their_own(client: EngineClient, session: LiveSession) -> None:
    """Cookies are kept by address: those of the Jupyter at 127.0.0.1 are not sent to a rented machine."""
    port = int(client.evaluate(session, "server.server_address[1]"))
    url = client.call(client.engine.forward(replace(session.row, trust=Trust.RENTED), port))
    assert url.startswith("http://127.0.0.2:")
    assert fetch(f"{url}/large") == LARGE


def test_nothing_there_is_said_and_the_session_goes_on(client: EngineClient, session: LiveSession) -> None:
    url = forward(client, session)
    client.run(session, "server.shutdown(); server.server_close()")
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetch(url)
    with caught.value:
        assert b"Nothing listens at port" in caught.value.read()
    assert client.evaluate(session, "1 + 1") == "2"


def test_a_browser_that_hangs_up_harms_nobody(client: EngineClient, session: LiveSession) -> None:
    url = forward(client, session)
    port = int(url.rpartition(":")[2])
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", port)) as browser:
            browser.sendall(b"GET /large HTTP/1.0\r\n\r\n")
            assert browser.recv(100)
    assert fetch(f"{url}/large") == LARGE
