"""The child process of a link: carries packets between two TUN devices, late, or not at all.

Started by link.py, which says on standard input how the link is from now on (one JSON object a line, confirmed by a line)
and whose end of that pipe is this process's end. The devices are gone with it.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import random
import select
import struct
import sys
import time
from collections import deque
from contextlib import suppress

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_SET_DEVICE = 0x400454CA  # TUNSETIFF
_TUN_WITHOUT_HEADER = 0x1001  # IFF_TUN | IFF_NO_PI
_PACKET = 1 << 16
_SEED = 20  # of the losses: the n-th packet has the same fate in every run
_ROOM = 10_000  # packets on their way; what comes on top is dropped, as by a router


def open_device(name: str, namespace: str = "") -> int:
    """A TUN device, in a network namespace if one is named. Raises OSError."""
    if not namespace:
        return _open_device(name)
    libc = ctypes.CDLL(None, use_errno=True)
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        _enter(libc, there)
        device = _open_device(name)
        _enter(libc, here)
    finally:
        os.close(here)
        os.close(there)
    return device


class Relay:
    """Both ways of one link. A way is 0 (from here to there) or 1 (back)."""

    def __init__(self, devices: tuple[int, int]) -> None:
        self._devices = devices
        self._queues: tuple[deque[tuple[float, bytes]], ...] = (deque(), deque())
        self._delay, self._loss, self._rate = 0.0, (0.0, 0.0), 0.0
        self._free = [0.0, 0.0]  # when the last packet of each way has left
        self._words = b""
        self._chance = random.Random(_SEED)

    def run(self) -> None:
        """Until standard input ends."""
        poll = select.poll()
        for descriptor in (0, *self._devices):
            poll.register(descriptor, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll(self._find_pause())}
            if 0 in ready and not self._hear():
                return
            for way in (0, 1):
                if self._devices[way] in ready:
                    self._take(way)
                self._pass_on(way)

    def _hear(self) -> bool:
        data = os.read(0, _PACKET)
        *lines, self._words = (self._words + data).split(b"\n")
        for line in lines:
            state = json.loads(line)
            self._delay, self._loss, self._rate = state["delay"], tuple(state["loss"]), state["rate"]
            os.write(1, b"done\n")
        return bool(data)

    def _take(self, way: int) -> None:
        """What has come on one side sets out, if it does not get lost."""
        while packet := _read(self._devices[way]):
            if len(self._queues[way]) < _ROOM and self._chance.random() >= self._loss[way]:
                self._queues[way].append((self._let_go(way, len(packet)) + self._delay, packet))

    def _let_go(self, way: int, size: int) -> float:
        """When a packet has left: one after the other, at the rate of the link."""
        now = time.monotonic()
        if not self._rate:
            return now
        self._free[way] = max(now, self._free[way]) + size / self._rate
        return self._free[way]

    def _pass_on(self, way: int) -> None:
        queue = self._queues[way]
        while queue and queue[0][0] <= time.monotonic():
            with suppress(OSError):  # the other side is not up yet, or full: lost, as on any network
                os.write(self._devices[1 - way], queue[0][1])
            queue.popleft()

    def _find_pause(self) -> float | None:
        """Milliseconds until the next packet arrives."""
        due = [queue[0][0] for queue in self._queues if queue]
        return max(0.0, (min(due) - time.monotonic()) * 1000) if due else None


def _enter(libc: ctypes.CDLL, namespace: int) -> None:
    if libc.setns(namespace, _NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "setns")


def _open_device(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _SET_DEVICE, struct.pack("16sH22x", name.encode(), _TUN_WITHOUT_HEADER))
    return device


def _read(device: int) -> bytes:
    try:
        return os.read(device, _PACKET)
    except BlockingIOError:
        return b""


if __name__ == "__main__":
    here, there, namespace = sys.argv[1:]
    relay = Relay((open_device(here), open_device(there, namespace)))
    os.write(1, b"done\n")
    relay.run()
