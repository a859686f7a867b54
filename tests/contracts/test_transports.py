"""What every transport promises: a channel to the machine's one agent, whole, in order, and gone when it is closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from choline_jupyter.transport.channel import Channel, Transport, TransportError
from choline_jupyter.wire.frame import PROTOCOL, Frame, FrameDecoder, Type, encode_frame
from tests.contracts.hosts import Host, Make, make_modal, make_openssh, make_paramiko, make_pipe, start_server
from tests.contracts.modal_host import rent_sandbox
from tests.e2e.ssh.server import Server, is_available

MAKERS: dict[str, Make] = {"pipe": make_pipe, "openssh": make_openssh, "paramiko": make_paramiko, "modal": make_modal}
PATIENCE = 45
HELLO = encode_frame(Type.HELLO, {"protocol": PROTOCOL, "python": "3"})


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    if not is_available():
        pytest.fail("sshd is missing: make system")
    made = start_server()
    yield made
    made.close()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with rent_sandbox() as handle:
        yield handle


@pytest.fixture(params=list(MAKERS))
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    server = request.getfixturevalue("server") if request.param in ("openssh", "paramiko") else None
    handle = request.getfixturevalue("sandbox") if request.param == "modal" else ""
    made = Host(MAKERS[request.param], server, handle)
    yield made
    made.end()


class Peer:
    """A channel, spoken to in frames."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self._decoder = FrameDecoder()
        self._frames: list[Frame] = []

    async def hear(self) -> Frame:
        while not self._frames:
            data = await self.channel.reader.read(1 << 18)
            assert data, "the channel ended"
            self._frames += self._decoder.feed(data)
        return self._frames.pop(0)

    async def greet(self) -> dict[str, Any]:
        self.channel.writer.write(HELLO)
        frame = await self.hear()
        assert frame.type is Type.HELLO
        return frame.header


@asynccontextmanager
async def open_peer(transport: Transport) -> AsyncIterator[Peer]:
    channel = await transport.open()
    try:
        yield Peer(channel)
    finally:
        await channel.close()


def run(story: Any) -> None:
    asyncio.run(asyncio.wait_for(story, PATIENCE))


def test_it_reaches_an_agent_that_answers(host: Host) -> None:
    async def story() -> None:
        async with open_peer(host.make_transport()) as peer:
            told = await peer.greet()
            assert told["protocol"] == PROTOCOL
            assert told["pid"] in host.find_pids()

    run(story())


def test_two_channels_reach_the_same_agent(host: Host) -> None:
    async def story() -> None:
        transport, other = host.make_transport(), host.make_transport()
        async with open_peer(transport) as first, open_peer(other) as second:
            assert (await first.greet())["pid"] == (await second.greet())["pid"]

    run(story())


def test_two_first_channels_at_once_reach_the_same_agent(host: Host) -> None:
    async def reach() -> int:
        async with open_peer(host.make_transport()) as peer:
            return int((await peer.greet())["pid"])

    async def story() -> None:
        first, second = await asyncio.gather(reach(), reach())
        assert first == second

    run(story())


def test_bytes_come_whole_and_in_order(host: Host) -> None:
    """A ping comes back with its header: large ones both ways at once, and many small ones between them."""
    texts = ["%d " % number * (1 << 20 if number % 10 == 0 else 3) for number in range(31)]

    async def story() -> None:
        async with open_peer(host.make_transport()) as peer:
            await peer.greet()
            for text in texts:
                peer.channel.writer.write(encode_frame(Type.PING, {"text": text}, b"\0\r\n\x03~." * 100))
            for text in texts:
                frame = await peer.hear()
                assert frame.type is Type.PONG
                assert frame.header["text"] == text

    run(story())


def test_closing_leaves_no_process_of_the_transport(host: Host) -> None:
    async def story() -> None:
        async with open_peer(host.make_transport()) as peer:
            await peer.greet()
        assert host.find_carriers() == []

    run(story())


def test_a_channel_beside_another_carries_its_own_bytes(host: Host) -> None:
    """It ends without the first, asks nobody again, and can be opened again."""

    async def story() -> None:
        transport = host.make_transport()
        async with open_peer(transport) as first:
            pid = (await first.greet())["pid"]
            logins = host.count_logins()
            for _ in range(2):
                beside = Peer(await transport.open_beside())
                assert (await beside.greet())["pid"] == pid
                beside.channel.writer.write(encode_frame(Type.PING, {"text": "beside" * 100_000}))
                first.channel.writer.write(encode_frame(Type.PING, {"text": "first"}))
                assert (await first.hear()).header["text"] == "first"
                assert (await beside.hear()).header["text"] == "beside" * 100_000
                await beside.channel.close()
            assert host.count_logins() == logins
            first.channel.writer.write(encode_frame(Type.PING, {"text": "still here"}))
            assert (await first.hear()).header["text"] == "still here"
        assert host.find_carriers() == []

    run(story())


def test_it_opens_again_after_a_close(host: Host) -> None:
    async def story() -> None:
        transport = host.make_transport()
        pids = []
        for _ in range(3):
            async with open_peer(transport) as peer:
                pids.append((await peer.greet())["pid"])
        assert len(set(pids)) == 1

    run(story())


def test_with_no_start_no_agent_is_started(host: Host) -> None:
    async def story() -> None:
        try:
            channel = await host.make_transport("--no-start").open()
        except TransportError:
            pass
        else:
            channel.writer.write(HELLO)
            assert await _read_to_end(channel) == b""
            assert "none runs" in await channel.close()
        assert host.find_agents() == []
        assert host.find_carriers() == []

    run(story())


def test_with_no_start_a_running_agent_is_reached(host: Host) -> None:
    async def story() -> None:
        async with open_peer(host.make_transport()) as first:
            told = await first.greet()
            async with open_peer(host.make_transport("--no-start")) as second:
                assert (await second.greet())["pid"] == told["pid"]

    run(story())


async def _read_to_end(channel: Channel) -> bytes:
    """What came before the end; a connection reset is an end too."""
    try:
        return await channel.reader.read()
    except ConnectionError:
        return b""
