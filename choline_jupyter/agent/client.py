"""One client's channel, as the supervisor serves it: requests in, replies and events out.

Made by `agent.supervisor` for every connector; runs in its event loop and owns the pumps of its client. A client that
says nothing for a minute (it pings every 15 s) is dropped; it loses nothing by that, and neither does any job.
"""

from __future__ import annotations

import asyncio
import errno
import time
import traceback
import zlib
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

from choline_jupyter.agent.fencing import is_superseded
from choline_jupyter.agent.journal import JournalReader
from choline_jupyter.agent.leftovers import clear_leftovers, find_ended_epoch
from choline_jupyter.agent.machine import describe_machine
from choline_jupyter.agent.pump import Pump
from choline_jupyter.agent.tunnel import Tunnel, open_tunnel
from choline_jupyter.store.entry import EntryError
from choline_jupyter.wire.frame import CHUNK, PROTOCOL, Frame, FrameDecoder, Type, encode_frame
from choline_jupyter.wire.record import WireError

if TYPE_CHECKING:
    from choline_jupyter.agent.supervisor import Supervisor

_T = TypeVar("_T")

_READ = 1 << 18
_SILENCE = 60.0


class Refused(Exception):
    """A request that cannot be served; `code` is for the client's code, the text for its user."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Client:
    """Serves one channel until it ends, breaks or falls silent."""

    def __init__(self, supervisor: Supervisor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._supervisor, self._reader, self._writer = supervisor, reader, writer
        self._pumps: dict[tuple[str, int], Pump] = {}
        self._follows: dict[str, dict[str, Any]] = {}
        self._heard = time.monotonic()
        self._is_welcome = False
        self._tunnel: Optional[Tunnel] = None

    async def serve(self) -> None:
        """Answer frames in the order they come."""
        decoder = FrameDecoder()
        try:
            while True:
                data = await self._reader.read(_READ)
                if not data:
                    break
                self._heard = time.monotonic()
                for frame in decoder.feed(data):
                    await self._answer(frame)
        except OSError:
            pass  # the channel broke: the client will come again
        except (WireError, KeyError, ValueError, TypeError):
            traceback.print_exc()  # into the supervisor's log: it spoke nonsense, or we have a fault; it ends here
        finally:
            self.close()

    def close(self) -> None:
        for pump in self._pumps.values():
            pump.close()
        self._pumps.clear()
        self._follows.clear()
        if self._tunnel:
            self._tunnel.close()
        self._writer.close()

    def is_silent(self) -> bool:
        """Whether nothing was heard for too long."""
        return time.monotonic() - self._heard > _SILENCE

    def follows(self, session: str) -> bool:
        return session in self._follows

    def wake(self, session: str, rank: int, hurry: bool) -> None:
        """A series grew (or is new)."""
        pump = self._pumps.get((session, rank))
        if pump:
            pump.wake(hurry)
        elif session in self._follows:
            self._start_pump(session, rank)

    def wake_all(self) -> None:
        """A notice may have been lost: look at every series."""
        for pump in self._pumps.values():
            pump.wake(hurry=True)

    def ask_for_files(self, session: str, wants: list[dict[str, Any]]) -> None:
        """Files that a session's kernels wait for."""
        self._write(Type.WANT, {"session": session, "wants": wants})

    async def _answer(self, frame: Frame) -> None:
        if frame.type is not Type.HELLO and not self._is_welcome:
            raise WireError("no HELLO")
        try:
            if "epoch" in frame.header and await is_superseded(self._supervisor, frame.header):
                raise Refused("superseded", "That session goes on on another machine.")
            reply = await _HANDLERS[frame.type](self, frame)
        except Refused as refusal:
            reply = {"refused": refusal.code, "message": str(refusal)}
        except OSError as error:
            is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            what = "The disk of that machine is full: %s." if is_full else "The agent cannot do that: %s."
            reply = {"refused": "full" if is_full else "failed", "message": what % (error.strerror or error)}
        if "id" in frame.header and reply is not None:
            body = reply.pop("body", b"")
            self._write(Type.REPLY, {"id": frame.header["id"], **reply}, body)
            if body:
                await self._writer.drain()  # a client that asks for much and reads slowly waits for itself

    async def _hello(self, frame: Frame) -> None:
        self._is_welcome = frame.header.get("protocol") == PROTOCOL
        self._write(Type.HELLO, self._supervisor.describe())

    async def _open(self, frame: Frame) -> dict[str, Any]:
        if clear_leftovers(self._supervisor, frame.header):
            self._forget(frame.header["session"])
        return await self._supervisor.open(frame.header)

    async def _run(self, frame: Frame) -> dict[str, Any]:
        session = self._supervisor.find(frame.header["session"])
        await session.settled.wait()
        if "blob" in frame.header:
            frame.header["file"] = str(self._supervisor.blobs.find(frame.header["blob"]))
        session.run(frame)
        self._supervisor.watch.note(is_busy=True)
        return {}

    async def _limit(self, frame: Frame) -> dict[str, Any]:
        """How long the machine may live; with `touch` its lease, and that of the `session` named, begins anew."""
        watch, hosted = self._supervisor.watch, self._supervisor.sessions.get(str(frame.header.get("session")))
        if frame.header.get("touch"):
            watch.touch()
            if hosted:
                hosted.quiet_since = time.monotonic()
        if "left" in frame.header:
            await _in_thread(watch.limit, *(float(frame.header[key]) for key in ("left", "lease", "hold")))
        return {"armed": watch.is_armed}

    async def _relay(self, frame: Frame) -> dict[str, Any]:
        session = self._supervisor.find(frame.header["session"])
        if session.rank and session.rank.is_alive:
            session.rank.send(frame)
        return {}

    async def _interrupt(self, frame: Frame) -> dict[str, Any]:
        self._supervisor.find(frame.header["session"]).interrupt(
            str(frame.header.get("job", "")), only_waiting=bool(frame.header.get("waiting"))
        )
        return {}

    async def _stop(self, frame: Frame) -> dict[str, Any]:
        """End a session; without one, the agent itself, if it hosts nothing any more, or with all it has."""
        if frame.header.get("purge"):
            await self._supervisor.purge()
            return {}
        if "session" in frame.header:
            await self._supervisor.stop(frame.header["session"])
            return {}
        return {"ending": self._supervisor.retire()}

    async def _status(self, frame: Frame) -> dict[str, Any]:
        return {**self._supervisor.describe(), "left": self._supervisor.watch.find_left()}

    async def _follow(self, frame: Frame) -> dict[str, Any]:
        session = frame.header["session"]
        self._supervisor.check(session)
        self._follows[session] = frame.header
        for rank in self._supervisor.list_ranks(session):
            self._start_pump(session, rank)
        self._supervisor.files.welcome(session, self)
        return {}

    async def _credit(self, frame: Frame) -> None:
        pump = self._pumps.get((frame.header["session"], int(frame.header["rank"])))
        if pump:
            pump.credit(int(frame.header["bytes"]))

    async def _ack(self, frame: Frame) -> None:
        self._supervisor.retention.acknowledge(
            frame.header["session"], int(frame.header["rank"]), int(frame.header["seq"])
        )

    async def _probe(self, frame: Frame) -> dict[str, Any]:
        return {"machine": await describe_machine()}

    async def _have(self, frame: Frame) -> dict[str, Any]:
        head = frame.header
        find = self._supervisor.assembly.find_missing
        return await _in_thread(find, head["blobs"], head.get("sizes") or {}, head.get("bases") or {})

    async def _blob(self, frame: Frame) -> dict[str, Any]:
        head = frame.header
        put = self._supervisor.blobs.put
        try:
            data = await _in_thread(_inflate, frame.body, int(head["length"])) if "length" in head else frame.body
            return {"whole": await _in_thread(put, head["blob"], head["offset"], head["size"], data)}
        except ValueError as error:
            raise Refused("damaged", str(error)) from None

    async def _patch(self, frame: Frame) -> dict[str, Any]:
        """Make a blob of what is here."""
        head = frame.header
        try:
            return await self._supervisor.assembly.make(head["blob"], head["base"], head.get("delta", ""))
        except (ValueError, FileNotFoundError) as error:
            raise Refused("damaged", str(error)) from None

    async def _fetch(self, frame: Frame) -> dict[str, Any]:
        head, supervisor = frame.header, self._supervisor
        piece = int(head["offset"]), min(int(head["count"]), CHUNK)
        try:
            if "path" in head:
                data, size = await _in_thread(supervisor.layouts.read, head["session"], head["path"], *piece)
            else:
                data, size = await _in_thread(supervisor.blobs.read, head["blob"], *piece)
        except (FileNotFoundError, EntryError):
            raise Refused("no-blob", "It is not on that machine any more.") from None
        return {"size": size, "body": data}

    async def _tunnel_bytes(self, frame: Frame) -> Optional[dict[str, Any]]:
        """A port to be connected to, or bytes for it."""
        if "port" not in frame.header:
            if self._tunnel:
                await self._tunnel.write(frame.body)
            return None
        if self._tunnel:
            raise Refused("busy", "This channel has a connection already.")
        try:
            self._tunnel = await open_tunnel(int(frame.header["port"]), self._send_tunnel)
        except (OSError, OverflowError):
            raise Refused("no-port", "Nothing listens at port %s over there." % frame.header["port"]) from None
        return {}

    async def _send_tunnel(self, data: bytes) -> None:
        self._write(Type.TUNNEL, {}, data)
        await self._writer.drain()

    async def _drop(self, frame: Frame) -> dict[str, Any]:
        self._supervisor.blobs.remove(frame.header["blob"])
        return {}

    async def _provide(self, frame: Frame) -> dict[str, Any]:
        """What a session wanted, or how far that is."""
        session = self._supervisor.find(frame.header["session"])
        if "stage" in frame.header:
            session.tell({"state": "preparing", "stage": str(frame.header["stage"])})
        elif "notice" in frame.header:
            session.tell({"state": "notice", "stage": str(frame.header["notice"])})
        elif "want" in frame.header or "entries" in frame.header:
            await self._supervisor.files.provide(session.id, self, frame.header, frame.body)
        else:
            self._supervisor.deliveries.provide(session.id, frame.header)
        return {}

    async def _ping(self, frame: Frame) -> None:
        self._write(Type.PONG, frame.header)

    def _start_pump(self, session: str, rank: int) -> None:
        if (session, rank) in self._pumps:
            return
        wish = self._follows[session]
        directory = self._supervisor.place.find_session(session)
        reader = JournalReader(directory, rank, int(wish["after"].get(str(rank), 0)))
        hosted = self._supervisor.sessions.get(session)
        epoch = int(hosted.spec["epoch"]) if hosted else find_ended_epoch(directory)
        series = {"session": session, "epoch": epoch, "rank": rank}
        bell = hosted.bells[rank] if hosted and 0 <= rank < hosted.size else None
        window = int(wish["window"]) - int(wish["unread"].get(str(rank), 0))
        self._pumps[session, rank] = Pump(series, reader, bell, window, self._send_events)

    def _forget(self, session: str) -> None:
        """Its series begin anew."""
        self._follows.pop(session, None)
        for key in [key for key in self._pumps if key[0] == session]:
            self._pumps.pop(key).close()

    async def _send_events(self, series: dict[str, Any], chunk: bytes) -> None:
        self._write(Type.EVENTS, series, chunk)
        try:
            await self._writer.drain()
        except OSError:
            self.close()

    def _write(self, type: Type, header: dict[str, Any], body: bytes = b"") -> None:
        self._writer.write(encode_frame(type, header, body))


_HANDLERS: dict[Type, Any] = {
    Type.HELLO: Client._hello,
    Type.OPEN: Client._open,
    Type.RUN: Client._run,
    Type.LIMIT: Client._limit,
    Type.INPUT: Client._relay,
    Type.COMM: Client._relay,
    Type.INTERRUPT: Client._interrupt,
    Type.STOP: Client._stop,
    Type.STATUS: Client._status,
    Type.FOLLOW: Client._follow,
    Type.CREDIT: Client._credit,
    Type.ACK: Client._ack,
    Type.PING: Client._ping,
    Type.PROBE: Client._probe,
    Type.HAVE: Client._have,
    Type.BLOB: Client._blob,
    Type.PATCH: Client._patch,
    Type.PROVIDE: Client._provide,
    Type.FETCH: Client._fetch,
    Type.DROP: Client._drop,
    Type.TUNNEL: Client._tunnel_bytes,
}


async def _in_thread(function: Callable[..., _T], *arguments: Any) -> _T:
    """The disk may be slow: the loop does not wait for it."""
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


def _inflate(data: bytes, length: int) -> bytes:
    """A chunk that came compressed; raises ValueError for what is not as large as it said."""
    if length > CHUNK:
        raise ValueError("a chunk of %d bytes" % length)
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(data, length + 1)
    except zlib.error:
        found = b""
    if len(found) != length or not stream.eof:
        raise ValueError("a chunk came damaged")
    return found
