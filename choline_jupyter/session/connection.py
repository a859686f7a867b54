"""The connection to one machine's agent: one channel, made anew whenever it breaks.

Made by `session.engine`; lives in the engine's event loop, where every method is called. Requests carry an id and are
sent again on the next channel until they are answered (the agent knows a job, an answer or a session it has seen);
series are followed from the last event that came whole.
"""

from __future__ import annotations

import asyncio
import itertools
import platform
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

from choline_jupyter.errors import AgentMismatch, ConnectionLost, HostError
from choline_jupyter.transport.channel import Channel, Transport, TransportError
from choline_jupyter.wire.frame import PROTOCOL, Frame, FrameDecoder, Type, encode_frame
from choline_jupyter.wire.record import Buffer, WireError

_READ = 1 << 18
PING = 15.0  # seconds of silence after which the agent is asked whether it is there
_FIRST_DELAY, _LAST_DELAY = 0.05, 15.0
_PATIENT_DELAY = 1.0
_OWN_WORD = "choline: "  # what the agent's connector says begins so; anything else comes from what lies between


class Follower(Protocol):
    """Who wants the events of a session; `session.follower` implements it."""

    session: str
    epoch: int

    def find_ends(self) -> dict[int, int]:
        """The last seq that came, by rank: a new channel goes on from there."""

    def find_unread(self) -> dict[int, int]:
        """By rank, how many bytes that came are not consumed yet: a new channel's window is smaller by them."""

    async def take(self, rank: int, epoch: int, chunk: bytes) -> None:
        """Bytes of a series."""

    def refuse(self) -> None:
        """The agent has nothing of this session: nothing will come."""

    def want(self, wants: list[dict[str, Any]]) -> None:
        """Files that the session's kernels wait for."""


class Refused(HostError):
    """The agent does not serve a request; `code` says why in a word."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Pending:
    """A request on its way: what to send again, who waits, and how large a body the answer may have."""

    def __init__(self, data: bytes, limit: int) -> None:
        self.data, self.limit = data, limit
        self.answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()


class Connection:
    """Owns two tasks while it is open: one reads and reconnects, one pings."""

    def __init__(self, transport: Transport, ping: float = PING) -> None:
        self.peer: dict[str, Any] = {}
        self.frames_sent = self.frames_received = 0
        self.bytes_sent = self.bytes_received = 0  # of frames, those of further channels included
        self._transport = self._taken = transport
        self._period = ping
        self._is_given_up = False  # the channel, by us
        self._channel: Channel | None = None
        self._heard = 0.0
        self._ids = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._followers: dict[str, Follower] = {}
        self._follows: dict[int, Follower] = {}  # those that the agent has not confirmed on this channel
        self._tasks: list[asyncio.Task[None]] = []
        self._hello: asyncio.Future[None] | None = None
        self._is_known = False  # the agent has said hello at least once
        self._delay = 0.0
        self._needed = asyncio.Event()
        self._end: HostError | None = None  # nobody is there any more
        self.tunnel: Callable[[bytes], Awaitable[None]] | None = None  # takes bytes of a TUNNEL
        self.tunnel_ended = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        """Whether a channel stands and the agent has said hello on it."""
        return self._channel is not None and self._hello is not None and self._hello.done()

    def use(self, transport: Transport) -> None:
        """Go this way from the next channel on."""
        self._transport = transport

    async def open(self) -> None:
        """Open the first channel; what is sent from now on need not wait for the agent. Raises HostError."""
        await self._connect()
        self._tasks = [asyncio.create_task(self._live()), asyncio.create_task(self._ping())]

    async def open_beside(self) -> Channel:
        """A further channel on the way that this one has taken. Raises HostError."""
        try:
            return await self._taken.open_beside()
        except TransportError as error:
            raise HostError(str(error), error.hint) from None

    async def request(self, type: Type, header: dict[str, Any], body: Buffer = b"", limit: int = 0) -> dict[str, Any]:
        """Ask and wait for the answer, across channels; raises Refused, ConnectionLost."""
        answer = await self.ask(type, header, body, limit)
        if "refused" in answer:
            raise Refused(str(answer["refused"]), str(answer.get("message", "")))
        return answer

    def ask(
        self, type: Type, header: dict[str, Any], body: Buffer = b"", limit: int = 0
    ) -> asyncio.Future[dict[str, Any]]:
        """Send a request now; the answer comes later, with its `body` if that has at most `limit` bytes."""
        number = next(self._ids)
        pending = self._pending[number] = _Pending(encode_frame(type, {"id": number, **header}, body), limit)
        if self._end:
            self._fail_with(self._end)
        self._write(pending.data)
        self._needed.set()
        return pending.answer

    def send(self, type: Type, header: dict[str, Any], body: Buffer = b"") -> None:
        """Send what needs no answer and may be lost with the channel."""
        self._write(encode_frame(type, header, body))

    async def drain(self) -> None:
        """Return when the channel takes more. Raises OSError."""
        if self._channel:
            await self._channel.writer.drain()

    def follow(self, follower: Follower, window: int) -> None:
        """Have the events of a session delivered from where the follower stands, on this channel and later ones."""
        self._followers[follower.session] = follower
        self._window = window
        self._send_follow(follower)
        self._needed.set()

    def unfollow(self, session: str) -> None:
        """Stop delivering; takes effect with this side, the agent notices at the next channel."""
        self._followers.pop(session, None)

    def abandon(self, error: HostError) -> None:
        """The machine is gone: whoever waits for it or asks it hears so, and nobody tries to reach it any more."""
        self._end = error
        for task in self._tasks:
            task.cancel()
        self._fail_with(error)
        for follower in list(self._followers.values()):
            self.unfollow(follower.session)
            follower.refuse()

    async def close(self) -> None:
        """End it; requests that wait fail with ConnectionLost."""
        for task in (
            self._tasks if self._end is None else ()
        ):  # a second word would keep it from ending what it had begun
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        await self._drop()
        for pending in self._pending.values():
            if not pending.answer.done():
                pending.answer.set_exception(ConnectionLost("The connection was closed.", "Run it again."))
        self._pending.clear()

    async def _connect(self) -> None:
        transport = self._transport
        try:
            self._channel = await transport.open()
            self._taken = transport
        except TransportError as error:
            raise HostError(str(error), error.hint) from None
        loop = asyncio.get_running_loop()
        self._heard, self._hello = loop.time(), loop.create_future()
        self._write(encode_frame(Type.HELLO, {"protocol": PROTOCOL, "python": platform.python_version()}))
        for pending in list(self._pending.values()):
            self._write(pending.data)
        self._follows.clear()
        for follower in list(self._followers.values()):
            self._send_follow(follower)

    async def _live(self) -> None:
        """Read until the channel breaks, connect again, for ever."""
        while True:
            said = await self._read()
            if self._hello and not self._hello.done() and self._is_hopeless(said):
                self._fail(said)
            await self._reconnect()

    def _is_hopeless(self, said: str) -> bool:
        """Whether a channel that broke before the agent's hello, with these last words, will not be better next time."""
        if self._is_known:
            return said.startswith(_OWN_WORD)
        return bool(said) or self._delay > _PATIENT_DELAY

    async def _read(self) -> str:
        """Deliver frames until the channel ends; returns what its error stream said."""
        decoder = FrameDecoder()
        with suppress(OSError, WireError):
            while self._channel:
                data = await self._channel.reader.read(_READ)
                if not data:
                    break
                self._heard = asyncio.get_running_loop().time()
                self.bytes_received += len(data)
                for frame in decoder.feed(data):
                    self.frames_received += 1
                    await self._deliver(frame)
        said = await self._drop()
        if self._is_given_up:  # they are not the last words of what has ended by itself
            self._is_given_up, said = False, ""
        return said

    async def _reconnect(self) -> None:
        """Connect again once somebody needs it: an agent that has ended is not started for nobody."""
        while not (self._followers or self._pending):
            self._needed.clear()
            await self._needed.wait()
        while self._channel is None:
            await self._pause()
            with suppress(HostError):
                await self._connect()

    async def _pause(self) -> None:
        """Before another try: none behind a channel that worked, then longer and longer, until a new request comes."""
        if self._delay:
            self._needed.clear()
            with suppress(asyncio.TimeoutError):
                jitter = random.uniform(0.5, 1.5)  # noqa: S311 - no secret
                await asyncio.wait_for(self._needed.wait(), self._delay * jitter)
        self._delay = min(max(2 * self._delay, _FIRST_DELAY), _LAST_DELAY)

    async def _deliver(self, frame: Frame) -> None:
        if frame.type is Type.EVENTS:
            follower = self._followers.get(frame.header["session"])
            if follower:
                await follower.take(int(frame.header["rank"]), int(frame.header["epoch"]), frame.body)
                self._delay = 0.0
        elif frame.type is Type.REPLY:
            self._settle(frame.header, frame.body)
        elif frame.type is Type.WANT:
            if frame.header["session"] in self._followers:
                self._followers[frame.header["session"]].want(frame.header["wants"])
        elif frame.type is Type.HELLO:
            self._greet(frame.header)
        elif frame.type is Type.TUNNEL and self.tunnel:
            await self.tunnel(frame.body)
            if not frame.body:
                self.tunnel_ended.set()

    def _settle(self, answer: dict[str, Any], body: bytes) -> None:
        follower = self._follows.pop(answer["id"], None)
        if follower and "refused" in answer:
            self.unfollow(follower.session)
            follower.refuse()
        pending = self._pending.pop(answer["id"], None)
        if pending and not pending.answer.done():
            self._delay = 0.0
            pending.answer.set_result(_join(answer, body, pending.limit))

    def _greet(self, peer: dict[str, Any]) -> None:
        self.peer = peer
        if peer.get("protocol") != PROTOCOL:
            self._fail_with(AgentMismatch(
                "An agent of another choline version runs on that machine.",
                "End its sessions with `choline stop --all` of that version, then run the cell again.",
            ))  # fmt: skip
        elif self._hello and not self._hello.done():
            self._is_known = True
            self._hello.set_result(None)

    def _fail(self, said: str) -> None:
        """The agent ended before it said hello: what waits cannot be served."""
        reason = said.splitlines()[-1].removeprefix(_OWN_WORD) if said else "That machine does not answer."
        self._fail_with(HostError(reason, "`choline doctor` shows what is missing."))

    def _fail_with(self, error: HostError) -> None:
        pending, self._pending = self._pending, {}
        for one in pending.values():
            if not one.answer.done():
                one.answer.set_exception(error)

    async def _drop(self) -> str:
        self.tunnel_ended.set()
        channel, self._channel = self._channel, None
        return await channel.close() if channel else ""

    async def _ping(self) -> None:
        """Ask after a period of silence; after a second one the channel is given up and the reader connects again."""
        loop = asyncio.get_running_loop()
        while True:
            silence = loop.time() - self._heard
            if self._channel and silence >= 2 * self._period:
                self._is_given_up = True
                self._channel.writer.transport.abort()  # to close it would wait until all is sent, so for ever
            elif silence >= self._period:
                self._write(encode_frame(Type.PING, {}))
            await asyncio.sleep(self._period - silence % self._period)

    def _send_follow(self, follower: Follower) -> None:
        number = next(self._ids)
        self._follows[number] = follower
        wish = {
            "session": follower.session,
            "epoch": follower.epoch,
            "after": follower.find_ends(),
            "unread": follower.find_unread(),
        }
        self.send(Type.FOLLOW, {"id": number, **wish, "window": self._window})

    def _write(self, data: bytes) -> None:
        if self._channel and not self._channel.writer.is_closing():
            self.frames_sent += 1
            self.bytes_sent += len(data)
            self._channel.writer.write(data)


def _join(answer: dict[str, Any], body: bytes, limit: int) -> dict[str, Any]:
    """The answer with its body; a body that nobody asked for is a refusal."""
    if len(body) > limit:
        return {"refused": "oversized", "message": f"That machine sent {len(body)} bytes where {limit} were asked for."}
    return {**answer, "body": body} if limit else answer
