"""Hosts that are not as they should be: what works anyway, and what is said in one sentence where it cannot."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from choline_jupyter.transport.address import parse_address
from choline_jupyter.transport.askpass import Ask
from choline_jupyter.transport.channel import Transport, TransportError
from choline_jupyter.transport.openssh import OpenSSHTransport
from choline_jupyter.transport.paramiko_ssh import ParamikoTransport
from choline_jupyter.wire.frame import PROTOCOL, FrameDecoder, Type, encode_frame
from tests.e2e.hosts.conftest import MakeHost
from tests.hosts.host import Host

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

Reach = Callable[..., Transport]


def reach_by_openssh(host: Host, user: str, ask: Ask | None = None) -> Transport:
    return OpenSSHTransport(parse_address(host.find_address(user)), ask, settings=host.settings)


def reach_by_paramiko(host: Host, user: str, ask: Ask | None = None) -> Transport:
    settings = {
        "identityfile": f"{host.folder}/id",
        "identitiesonly": "yes",
        "userknownhostsfile": f"{host.folder}/known_hosts",
    }
    return ParamikoTransport(parse_address(host.find_address(user)), ask, settings=settings)


@pytest.fixture(params=[reach_by_openssh, reach_by_paramiko], ids=["openssh", "paramiko"])
def reach(request: pytest.FixtureRequest) -> Reach:
    found: Reach = request.param
    return found


class User:
    """Somebody who answers with these words, one after the other, and then not at all."""

    def __init__(self, *words: str) -> None:
        self.asked: list[tuple[str, bool]] = []
        self._words = iter(words)

    async def answer(self, question: str, is_secret: bool) -> str:
        self.asked.append((question, is_secret))
        return next(self._words, "")


async def greet(transport: Transport) -> dict[str, Any]:
    """What the agent says at its first word."""
    channel = await transport.open()
    decoder = FrameDecoder()
    try:
        channel.writer.write(encode_frame(Type.HELLO, {"protocol": PROTOCOL}))
        while data := await channel.reader.read(1 << 16):
            for frame in decoder.feed(data):
                return frame.header
        said = await channel.close()
        raise AssertionError(f"no hello: {said}")
    finally:
        await channel.close()


def hear(transport: Transport) -> dict[str, Any]:
    return asyncio.run(asyncio.wait_for(greet(transport), 60))


def expect_refusal(transport: Transport, *words: str) -> None:
    """One sentence on what, one on what to do."""
    with pytest.raises(TransportError) as caught:
        hear(transport)
    text = f"{caught.value} {caught.value.hint}"
    assert [word for word in words if word not in text] == []
    assert str(caught.value).endswith((".", ".)"))
    assert caught.value.hint.endswith(".")
    assert "Traceback" not in text


def test_a_banner_is_skipped(make_host: MakeHost, reach: Reach) -> None:
    host = make_host()
    host.write("/home/anna/.bashrc", "for i in $(seq 5000); do echo welcome, this is line $i; done\n")
    assert hear(reach(host, "anna"))["protocol"] == PROTOCOL


def test_fish(make_host: MakeHost, reach: Reach) -> None:
    assert hear(reach(make_host("/usr/bin/fish"), "anna"))["python"] == "3.9.2"


def test_a_shell_that_waits_for_a_user(make_host: MakeHost, reach: Reach, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that starts tmux or asks which environment to load."""
    for name in ("openssh", "paramiko_ssh"):
        monkeypatch.setattr(f"choline_jupyter.transport.{name}._PATIENCE", 3.0)
    host = make_host()
    host.write("/home/anna/.bashrc", "sleep 600\n")
    expect_refusal(reach(host, "anna"), "login shell")


def test_no_python(make_host: MakeHost, reach: Reach) -> None:
    host = make_host()
    host.run("sh", "-c", "mv /usr/bin/python3 /usr/bin/hidden && mv /usr/bin/python3.9 /usr/bin/hidden9")
    expect_refusal(reach(host, "anna"), "no Python", "3.9 or newer")


def test_an_old_python(make_host: MakeHost, reach: Reach) -> None:
    host = make_host()
    host.run("sh", "-c", "mv /usr/bin/python3 /usr/bin/hidden && mv /usr/bin/python3.9 /usr/bin/hidden9")
    host.write("/usr/bin/python3", "#!/bin/sh\necho 3.6\nexit 1\n", 0o755)
    expect_refusal(reach(host, "anna"), "only Python 3.6", "3.9 or newer")


def test_programs_cannot_be_started_from_the_temporary_folder(make_host: MakeHost, reach: Reach) -> None:
    assert hear(reach(make_host(tmp_options="noexec"), "anna"))["protocol"] == PROTOCOL


def test_no_room_for_the_agent(make_host: MakeHost, reach: Reach) -> None:
    host = make_host(home_size="64k")
    host.run("sh", "-c", "head -c 1m /dev/zero > /home/anna/full 2>/dev/null || true")
    expect_refusal(reach(host, "anna"), "cannot keep", "room")
    host.wait_for_silence("anna")


def test_a_home_that_cannot_be_written(make_host: MakeHost, reach: Reach) -> None:
    host = make_host()
    host.run("chown", "-R", "root", "/home/anna")
    expect_refusal(reach(host, "anna"), "cannot keep", "XDG_CACHE_HOME")


def test_a_user_who_may_not_log_in(make_host: MakeHost, reach: Reach) -> None:
    host = make_host()
    expect_refusal(reach(host, "nobody-there"), "nobody-there")
    host.run("rm", "/home/anna/.ssh/authorized_keys")
    expect_refusal(reach(host, "anna"), host.name)


def test_another_key_than_the_known_one(make_host: MakeHost, reach: Reach) -> None:
    host = make_host()
    known = host.folder / "known_hosts"
    other = (host.folder / "id.pub").read_text().split()[1]
    known.write_text(f"{host.name} ssh-ed25519 {other}\n")
    expect_refusal(reach(host, "anna"), "changed")
    assert host.run("find", "/home/anna", "-name", "choline") == ""


def test_a_key_that_needs_a_passphrase(make_host: MakeHost, reach: Reach) -> None:
    host = make_host()
    key = str(host.folder / "id")
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", key], check=True)
    user = User("open sesame")
    assert hear(reach(host, "anna", user.answer))["protocol"] == PROTOCOL
    [(question, is_secret)] = user.asked
    assert key in question
    assert is_secret
    expect_refusal(reach(host, "anna", User("wrong", "wrong", "wrong").answer), host.name)
    expect_refusal(reach(host, "anna"), host.name)


def test_a_host_that_asks_for_a_password(make_host: MakeHost) -> None:
    """As one asks for a one-time code: whatever ssh asks is asked of the user."""
    host = make_host(sshd="PasswordAuthentication yes\nAuthenticationMethods publickey,password\n")
    host.run("chpasswd", text="anna:s3cret\n")
    user = User("s3cret")
    assert hear(reach_by_openssh(host, "anna", user.answer))["protocol"] == PROTOCOL
    [(question, is_secret)] = user.asked
    assert "password" in question
    assert is_secret
    expect_refusal(reach_by_openssh(host, "anna"), host.name)


def test_a_wrong_clock(make_host: MakeHost, reach: Reach) -> None:
    """Nothing depends on it: a host that lives in 1999 answers."""
    host = make_host()
    library = host.run("sh", "-c", "ls /usr/lib/*/faketime/libfaketime.so.1").strip()
    wrapper = f"#!/bin/sh\nLD_PRELOAD={library} FAKETIME='1999-12-31 23:59:00' exec /usr/bin/python3.9 \"$@\"\n"
    host.write("/usr/local/bin/python3", wrapper, 0o755)
    assert hear(reach(host, "anna"))["protocol"] == PROTOCOL
