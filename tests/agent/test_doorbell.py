"""The doorbell: every append is noticed, few of them cost a datagram."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from choline_jupyter.agent.doorbell import Bell, Ringer

PATIENCE = 30.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short: the path of a socket is limited to about 100 bytes."""
    with tempfile.TemporaryDirectory(prefix="chb-") as name:
        yield Path(name)


@pytest.fixture
def supervisor(folder: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(folder / "bell"))
        bound.settimeout(PATIENCE)
        yield bound


def heard(supervisor: socket.socket) -> list[bytes]:
    """What lies in the socket now."""
    found = []
    supervisor.setblocking(False)
    try:
        while True:
            found.append(supervisor.recv(512))
    except BlockingIOError:
        return found
    finally:
        supervisor.settimeout(PATIENCE)


def test_only_an_armed_bell_rings_and_only_once(folder: Path, supervisor: socket.socket) -> None:
    bell, ringer = Bell(folder / "byte"), Ringer(folder / "byte", folder / "bell", "s-1/0")
    ringer.ring()
    assert heard(supervisor) == []
    bell.arm()
    for _ in range(5):
        ringer.ring()
    assert heard(supervisor) == [b"s-1/0"]


def test_a_notice_goes_at_once_and_quiets_the_bell(folder: Path, supervisor: socket.socket) -> None:
    bell, ringer = Bell(folder / "byte"), Ringer(folder / "byte", folder / "bell", "s-1/0")
    bell.arm()
    ringer.tell("done j-1")
    ringer.ring()
    ringer.tell("input")
    assert heard(supervisor) == [b"s-1/0 done j-1", b"s-1/0 input"]


def test_without_a_supervisor_ringing_does_no_harm(folder: Path) -> None:
    Bell(folder / "byte").arm()
    ringer = Ringer(folder / "byte", folder / "nobody", "s-1/0")
    ringer.ring()
    ringer.tell("done j-1")


def test_a_full_queue_never_blocks(folder: Path, supervisor: socket.socket) -> None:
    ringer = Ringer(folder / "byte", folder / "bell", "s-1/0")
    for _ in range(10_000):
        ringer.tell("input")
    assert heard(supervisor)


def test_no_wake_up_is_lost(folder: Path, supervisor: socket.socket) -> None:
    """A rank appends as fast as it can; the supervisor sleeps after each look, and must see the last append."""
    count, appended = 20_000, [0]
    bell, ringer = Bell(folder / "byte"), Ringer(folder / "byte", folder / "bell", "s-1/0")

    def append() -> None:
        for number in range(1, count + 1):
            appended[0] = number
            ringer.ring()

    rank = threading.Thread(target=append)
    rank.start()
    wakes = 0
    while True:
        bell.arm()
        if appended[0] == count:
            break
        supervisor.recv(512)  # times out when a wake-up was lost
        wakes += 1
    rank.join()
    assert wakes <= count
