"""A network segment of our own: network namespaces of this machine on one bridge, as machines of one rack are.

    with Segment() as segment:
        first, second = segment.add(), segment.add()      # names of namespaces
        segment.find_address(first)                       # reachable from here and from the others

`kill` ends everything that runs in a namespace, as a machine that loses its power does; its address stays.
"""

from __future__ import annotations

import itertools
import os
import subprocess
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from typing_extensions import Self

_NUMBERS = itertools.count(os.getpid() % 200)


def require_segment() -> None:
    """Skip the test on a machine that gives us no network namespaces."""
    try:
        with Segment() as segment:
            segment.add()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs a kernel feature: network namespaces and bridges ({error})")


class Segment:
    """Owns a bridge and the namespaces on it; `close` ends what still runs in them."""

    def __init__(self) -> None:
        self._number = next(_NUMBERS) % 250
        self._bridge = f"chs{os.getpid() % 10**6}.{self._number}"
        self._namespaces: list[str] = []
        _call("link", "add", self._bridge, "type", "bridge")
        _call("address", "add", f"10.215.{self._number}.1/24", "dev", self._bridge)
        _call("link", "set", self._bridge, "up")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self) -> str:
        """One more machine."""
        place = len(self._namespaces) + 2
        name = f"chs{os.getpid()}-{self._number}-{place}"
        number = f"{os.getpid() % 10**6}.{self._number}.{place}"
        outside, inside = f"cx{number}", f"cy{number}"
        _call("netns", "add", name)
        self._namespaces.append(name)
        _call("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name)
        _call("link", "set", outside, "master", self._bridge, "up")
        _call("-n", name, "address", "add", f"10.215.{self._number}.{place}/24", "dev", inside)
        _call("-n", name, "link", "set", inside, "up")
        _call("-n", name, "link", "set", "lo", "up")
        return name

    def find_address(self, namespace: str) -> str:
        return f"10.215.{self._number}.{self._namespaces.index(namespace) + 2}"

    def list_pids(self, namespace: str) -> list[int]:
        """What runs there."""
        told = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, check=True)
        return [int(pid) for pid in told.stdout.split()]

    def kill(self, namespace: str) -> None:
        """End everything there at once; returns when nothing is left."""
        while pids := self.list_pids(namespace):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, 9)

    def close(self) -> None:
        for namespace in self._namespaces:
            self.kill(namespace)
            _call("netns", "del", namespace)  # its devices go with it
        _call("link", "del", self._bridge)


def _call(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
