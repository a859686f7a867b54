"""The same host through paramiko: the same rules of identity, and nothing lost when the connection is cut."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from choline_jupyter.transport.address import parse_address
from choline_jupyter.transport.channel import Channel, TransportError
from choline_jupyter.transport.paramiko_ssh import ParamikoTransport
from choline_jupyter.wire.frame import PROTOCOL, FrameDecoder, Type, encode_frame
from tests.e2e.ssh.server import Server, is_available

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@pytest.fixture
def server() -> Iterator[Server]:
    """A host of its own for each test: what is known of it is part of the test."""
    if not is_available():
        pytest.fail("sshd is missing: make system")
    made = Server()
    yield made
    made.close()


def make_transport(server: Server, accept_key: str = "", **more: str) -> ParamikoTransport:
    settings = {
        **more,
        "identityfile": str(server.folder / "id"),
        "userknownhostsfile": str(server.folder / "known_hosts"),
        "identitiesonly": "yes",
    }
    return ParamikoTransport(
        parse_address(server.address), accept_key=accept_key, options=("--linger", "0.2"), settings=settings
    )


async def greet(channel: Channel) -> dict[str, object]:
    """What the agent says of itself."""
    channel.writer.write(encode_frame(Type.HELLO, {"protocol": PROTOCOL}))
    decoder = FrameDecoder()
    while data := await channel.reader.read(1 << 16):
        for frame in decoder.feed(data):
            return frame.header
    raise AssertionError("the channel ended without a word")


async def open_and_greet(transport: ParamikoTransport) -> dict[str, object]:
    channel = await transport.open()
    try:
        return await greet(channel)
    finally:
        await channel.close()


def test_an_accepted_key_is_written_down_and_known_from_then_on(server: Server) -> None:
    first = asyncio.run(open_and_greet(make_transport(server, server.fingerprint)))
    assert first["protocol"] == PROTOCOL
    second = asyncio.run(open_and_greet(make_transport(server)))
    assert second["protocol"] == PROTOCOL


def test_an_unknown_key_is_refused_with_its_fingerprint_and_nothing_is_sent(server: Server) -> None:
    with pytest.raises(TransportError) as refused:
        asyncio.run(open_and_greet(make_transport(server)))
    assert server.fingerprint in f"{refused.value} {refused.value.hint}"
    assert not (server.home / "cache").exists()


def test_a_changed_key_stops_everything(server: Server) -> None:
    asyncio.run(open_and_greet(make_transport(server, server.fingerprint)))
    server.use_key("other_key")
    with pytest.raises(TransportError, match="has another host key than before; nothing was sent to it"):
        asyncio.run(open_and_greet(make_transport(server, server.fingerprint)))


def test_a_proxy_command_is_a_way_too(server: Server) -> None:
    proxy = server.proxy.replace("%h", "127.0.0.1").replace("%p", str(server.port))
    greeting = asyncio.run(open_and_greet(make_transport(server, server.fingerprint, proxycommand=proxy)))
    assert greeting["protocol"] == PROTOCOL


def test_a_closed_port_and_a_wrong_user_are_told(server: Server) -> None:
    asyncio.run(open_and_greet(make_transport(server, server.fingerprint)))
    server.address = f"nobody-such@127.0.0.1:{server.port}"
    with pytest.raises(TransportError, match="does not let this user in"):
        asyncio.run(open_and_greet(make_transport(server)))
    server.stop()
    with pytest.raises(TransportError, match="refuses the connection"):
        asyncio.run(open_and_greet(make_transport(server)))
    server.start()
