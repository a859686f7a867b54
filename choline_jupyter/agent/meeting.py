"""Whether machines reach each other: one listens and says who it is, the others connect to each of its addresses.

Used by `agent.node`. An address is believed only when who answers there says the word that was told beforehand: 127.0.0.1 is
another machine for each of them. The port that has been reached is the one at which the ranks meet afterwards.
"""

from __future__ import annotations

import fcntl
import secrets
import socket
import struct
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

_SIOCGIFADDR = 0x8915
_PATIENCE = 3.0
_MOST = 64  # targets at a time

Target = Sequence[object]  # address, port, word


class Meeting:
    """Owns a listening socket and the thread `choline-meeting`, which says `word` to whoever connects, until `close`."""

    def __init__(self) -> None:
        self.word = secrets.token_hex(16)
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("", 0))
        self._listener.listen(_MOST)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._answer, name="choline-meeting", daemon=True).start()

    def close(self) -> None:
        """Leave the port to others."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # what waits in accept would keep it
        self._listener.close()

    def _answer(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            with caller, suppress(OSError):
                caller.settimeout(_PATIENCE)
                caller.sendall(self.word.encode())
                caller.recv(1)  # the caller hangs up first, so that the port is not kept for it


def list_addresses() -> list[tuple[str, str]]:
    """The machine's IPv4 addresses and their interfaces, the loopback last."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            with suppress(OSError):
                told = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                found.append((socket.inet_ntoa(told[20:24]), name))
    return sorted(found, key=lambda one: one[0].startswith("127."))


def reach(targets: Sequence[Target]) -> list[bool]:
    """Which of these places answer with their word. Blocks for some seconds at most."""
    if not targets:
        return []
    with ThreadPoolExecutor(min(_MOST, len(targets))) as pool:
        return list(pool.map(_knock, targets))


def _knock(target: Target) -> bool:
    address, port, word = target
    try:
        with socket.create_connection((str(address), int(str(port))), _PATIENCE) as caller:
            return _read(caller, len(str(word))) == str(word).encode()
    except OSError:
        return False


def _read(caller: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = caller.recv(size - len(data))
        if not piece:
            break
        data += piece
    return data
