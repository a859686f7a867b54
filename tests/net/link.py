"""A network of our own between this machine and a network namespace of it, as slow and as bad as a test wants it.

    with Link() as link:
        link.change(delay=0.1, loss=0.2)     # 200 ms there and back, every fifth packet lost each way
        subprocess.run(["ip", "netns", "exec", link.namespace, "some", "program"])  # over there, at `link.address`

The kernels of many machines have no netem, so packets go through a process (relay.py) that sits between two TUN devices.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pytest

from tests.net.relay import open_device

if TYPE_CHECKING:
    from typing_extensions import Self

_RELAY = Path(__file__).with_name("relay.py")
_NUMBERS = itertools.count(os.getpid() % 200)
_PATIENCE = 10.0


def require_link() -> None:
    """Skip the test on a machine that gives us no TUN devices or network namespaces."""
    name = f"chp{os.getpid()}"
    try:
        os.close(open_device(name))
        subprocess.run(["ip", "netns", "add", name], check=True, capture_output=True)
        subprocess.run(["ip", "netns", "del", name], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs a kernel feature: TUN devices and network namespaces ({error})")


class Link:
    """Owns a namespace, two devices and the process between them; `close` ends what still runs in the namespace."""

    def __init__(self) -> None:
        number = next(_NUMBERS) % 250
        self.namespace = f"chl{os.getpid()}-{number}"
        self.here, self.address = f"10.214.{number}.1", f"10.214.{number}.2"
        self._devices = f"cha{os.getpid() % 10**7}.{number}", f"chb{os.getpid() % 10**7}.{number}"
        _call("ip", "netns", "add", self.namespace)
        try:
            self._relay = self._start()
            self._raise_devices()
        except BaseException:
            _call("ip", "netns", "del", self.namespace)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def change(
        self,
        *,
        delay: float = 0.0,
        loss: float = 0.0,
        loss_there: float = 0.0,
        loss_back: float = 0.0,
        rate: float = 0.0,
    ) -> None:
        """From now on: `delay` in seconds each way, `loss` the share of packets lost each way, or only on one.

        `rate` is in bytes a second each way; 0 is as fast as this machine is.
        """
        state = {"delay": delay, "loss": [max(loss, loss_there), max(loss, loss_back)], "rate": rate}
        assert self._relay.stdin
        self._relay.stdin.write(json.dumps(state).encode() + b"\n")
        self._relay.stdin.flush()
        self._confirm()

    def silence(self) -> None:
        """Nothing passes any more, and nobody is told."""
        self.change(loss=1.0)

    def close(self) -> None:
        for pid in subprocess.run(
            ["ip", "netns", "pids", self.namespace], capture_output=True, text=True, check=True
        ).stdout.split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), 9)
        self._relay.communicate(timeout=_PATIENCE)
        _call("ip", "netns", "del", self.namespace)

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(_RELAY), *self._devices, self.namespace]
        # no mark of a test's user in its environment: it is not theirs
        environment = {"PATH": os.environ["PATH"]}
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)

    def _raise_devices(self) -> None:
        self._confirm()
        here, there = self._devices
        _call("ip", "address", "add", self.here, "peer", self.address, "dev", here)
        _call("ip", "link", "set", here, "up")
        inside = ("ip", "-n", self.namespace)
        _call(*inside, "address", "add", self.address, "peer", self.here, "dev", there)
        _call(*inside, "link", "set", there, "up")
        _call(*inside, "link", "set", "lo", "up")

    def _confirm(self) -> None:
        assert self._relay.stdout
        assert self._relay.stdout.readline() == b"done\n", "the relay has ended"


def _call(*command: str) -> None:
    subprocess.run(command, check=True)
