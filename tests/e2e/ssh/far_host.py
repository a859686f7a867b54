"""A host behind an sshd and an engine that uses it, with nothing of this machine's user: for tests that break the way.

Made by test_links.py and test_lossy_links.py. The job is one that counts, so that a line that is missing or doubled shows.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import psutil
import pytest

from choline_jupyter.model.event import Event
from choline_jupyter.providers.ssh import SSHProvider
from choline_jupyter.session.connection import PING
from choline_jupyter.session.live import LiveSession
from choline_jupyter.session.spec import SessionSpec
from choline_jupyter.transport.address import parse_address
from choline_jupyter.transport.openssh import OpenSSHTransport
from choline_jupyter.transport.paramiko_ssh import ParamikoTransport
from tests.e2e.kernels.isolation import MARK, Isolation
from tests.e2e.losses.agent_processes import wait_until
from tests.e2e.losses.engine_client import EngineClient, read_reply, read_text
from tests.e2e.losses.tapped_transport import TappedTransport
from tests.e2e.ssh.server import Server
from tests.net.link import Link
from tests.net.proxy import Proxy

LINGER = ("--linger", "1")
COUNT = """
import os, pathlib, time
kept, number = os.getpid(), 0
while not pathlib.Path('stop').exists():
    print(number, 'x' * (number * 7919 % 500), flush=number % 3 == 0)
    number += 1
    time.sleep(0.002)
print('the end', number)
"""


class FarHost:
    """One session there, its counting job and what has come of it. Used by one thread."""

    tap: TappedTransport
    session: LiveSession

    def __init__(self, home: Isolation, server: Server, proxy: Proxy | None, ping: float) -> None:
        self.home, self.server, self._proxy = home, server, proxy
        port = proxy.port if proxy else server.port
        self.address = f"{server.address.rpartition(':')[0]}:{port}"
        self.client = EngineClient(ping)
        self._events: list[Event] = []
        self._job = ""

    @property
    def proxy(self) -> Proxy:
        assert self._proxy
        return self._proxy

    @property
    def is_connected(self) -> bool:
        return self.session.connection.is_connected

    def open(self) -> LiveSession:
        """The session, found or made."""
        spec = SessionSpec("far", "ssh", self.address, str(self.home.folder))
        self.session = self.client.call(self.client.engine.open(spec))
        return self.session

    def start(self) -> None:
        """Open the session if need be, start to count, and see that lines come."""
        self.open()
        self._job = self.client.start(self.session, COUNT)
        self.read_lines(5)

    def read_lines(self, count: int) -> None:
        """Until so many more lines have come."""
        expected = read_text(self._events).count("\n") + count
        while read_text(self._events).count("\n") < expected:
            event = self.session.feed.get(60)
            assert event is not None, self.session.failure
            if event.job == self._job:
                self._events.append(event)

    def wait_for_another_channel(self, opened: int) -> None:
        """Until more channels than so many have been opened."""
        wait_until(lambda: self.tap.opened > opened and self.is_connected)

    def finish(self) -> list[Event]:
        """The job's events, when it has been told to end."""
        (self.home.folder / "stop").touch()
        return [*self._events, *self.client.finish(self.session, self._job)]

    def expect_everything(self) -> None:
        """Every line came once and in order, the job ran once, and the kernel is the same."""
        events = self.finish()
        assert read_reply(events)["status"] == "ok"
        lines = read_text(events).splitlines()
        assert lines[-1] == f"the end {len(lines) - 1}"
        expected = [f"{number} {'x' * (number * 7919 % 500)}" for number in range(len(lines) - 1)]
        assert lines[:-1] == expected
        assert self.client.evaluate(self.session, "kept == os.getpid(), number") == f"(True, {len(lines) - 1})"

    def power_off(self) -> None:
        """Kill everything that runs there, the server's connections included; the disk stays."""
        self.server.stop()
        doomed = [process for process in psutil.process_iter() if self._is_there(process)]
        assert doomed
        for process in doomed:
            process.kill()
        psutil.wait_procs(doomed, timeout=20)

    def _is_there(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("HOME") == str(self.server.home)
        except psutil.Error:
            return False


@contextmanager
def make_far_host(
    monkeypatch: pytest.MonkeyPatch, link: Link | None = None, *, ping: float = PING, by_paramiko: bool = False
) -> Iterator[FarHost]:
    """Behind a link or, without one, behind a proxy on the loopback. At the end nothing of it runs here or there.

    That holds also when the test fails: each end is tried, whatever becomes of the others.
    """
    home = Isolation()
    settings = f"PATH={Path(sys.executable).parent}:/usr/bin:/bin {MARK}={home.environment[MARK]}"
    server = Server(settings, link.address, link.namespace) if link else Server(settings)
    home.environment["PATH"] = f"{server.client}:{home.environment['PATH']}"
    monkeypatch.chdir(home.folder)
    with ExitStack() as ends:
        ends.callback(server.close)
        proxy = None if link else ends.enter_context(Proxy(server.name, server.port))
        ends.enter_context(patch.dict(os.environ, home.environment))
        ends.callback(home.close)
        far = FarHost(home, server, proxy, ping)
        ends.callback(far.client.close)
        way = _make_way(far, by_paramiko)
        monkeypatch.setattr(SSHProvider, "connect", lambda provider, label, access: way)
        far.tap = way
        ends.callback(far.client.stop_all)
        if proxy:
            ends.callback(proxy.thaw)  # a test that failed may have left it frozen
        yield far


def _make_way(far: FarHost, by_paramiko: bool) -> TappedTransport:
    address, key = parse_address(far.address), far.server.fingerprint
    if not by_paramiko:
        return TappedTransport(OpenSSHTransport(address, accept_key=key, options=LINGER))
    files = {"identityfile": "id", "userknownhostsfile": "known_hosts"}
    settings = {name: str(far.server.folder / file) for name, file in files.items()}
    return TappedTransport(ParamikoTransport(address, None, key, LINGER, {**settings, "identitiesonly": "yes"}))
