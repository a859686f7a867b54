"""The doorbell: how a rank tells the supervisor that its journal grew, at the price of a memory read.

The supervisor arms the bell (one byte in a shared file) before it goes to sleep; a rank that has appended looks at
the byte and only if it is set clears it and sends a datagram. So a rank that prints 5,000 lines a second wakes the
supervisor as often as the supervisor is ready to read, not 5,000 times. Whatever is lost with a killed supervisor
does no harm: the next one reads the journal from where its clients are, bell or no bell.

No wake-up is missed: the supervisor arms first and then looks at the journal once more; the rank appends first and
then looks at the byte.
"""

from __future__ import annotations

import mmap
import os
import socket
from pathlib import Path

_ARMED, _QUIET = 1, 0
_USUAL_QUEUE = 10


class Bell:
    """One rank's byte, mapped by both sides."""

    def __init__(self, path: Path) -> None:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(fd).st_size < 1:
                os.ftruncate(fd, 1)
            self._byte = mmap.mmap(fd, 1)
        finally:
            os.close(fd)

    def arm(self) -> None:
        """Supervisor: wake me at the next append."""
        self._byte[0] = _ARMED

    def disarm(self) -> bool:
        """Rank: whether the supervisor wants to be woken; it is asked once."""
        if self._byte[0] == _QUIET:
            return False
        self._byte[0] = _QUIET
        return True

    def close(self) -> None:
        self._byte.close()


class Ringer:
    """The rank's side. Any thread may call it; a datagram is sent whole or not at all and never blocks."""

    def __init__(self, bell: Path, address: Path, name: str) -> None:
        self._bell = Bell(bell)
        self._address, self._name = str(address), name.encode()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def ring(self) -> None:
        """Something was appended."""
        if self._bell.disarm():
            self._send(self._name)

    def tell(self, notice: str) -> None:
        """Something was appended that must not wait for the next round, such as the end of a job."""
        self._bell.disarm()
        self._send(self._name + b" " + notice.encode())

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendto(data, self._address)
        except OSError:
            pass  # no supervisor, or one with a full queue: either reads the journal anyway


def find_queue_length() -> int:
    """How many datagrams wait for a reader here before more are refused (unix(7))."""
    try:
        return int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text())
    except (OSError, ValueError):
        return _USUAL_QUEUE
