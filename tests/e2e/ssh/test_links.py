"""Connections by ssh that break in every way: no line is lost or doubled, state is kept, nothing runs on afterwards."""

from __future__ import annotations

import pytest

from choline_jupyter.model.event import Kind
from tests.e2e.losses.agent_processes import wait_until
from tests.e2e.ssh.far_host import FarHost, make_far_host

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

CUTS = 20
PING = 0.5  # seconds


@pytest.mark.parametrize("by_paramiko", [False, True], ids=["openssh", "paramiko"])
def test_twenty_cuts_in_a_row(monkeypatch: pytest.MonkeyPatch, *, by_paramiko: bool) -> None:
    with make_far_host(monkeypatch, by_paramiko=by_paramiko) as far:
        far.start()
        for _ in range(CUTS):
            opened = far.tap.opened
            far.server.cut()
            far.wait_for_another_channel(opened)
        far.expect_everything()


@pytest.mark.parametrize("by_paramiko", [False, True], ids=["openssh", "paramiko"])
def test_a_tcp_reset(monkeypatch: pytest.MonkeyPatch, *, by_paramiko: bool) -> None:
    with make_far_host(monkeypatch, by_paramiko=by_paramiko) as far:
        far.start()
        for _ in range(3):
            far.read_lines(20)
            opened = far.tap.opened
            far.proxy.reset()
            far.wait_for_another_channel(opened)
        far.expect_everything()


@pytest.mark.parametrize("by_paramiko", [False, True], ids=["openssh", "paramiko"])
def test_a_silent_connection_is_given_up_after_one_unanswered_question(
    monkeypatch: pytest.MonkeyPatch, *, by_paramiko: bool
) -> None:
    """Asked after one period of silence, given up after the second."""
    with make_far_host(monkeypatch, ping=PING, by_paramiko=by_paramiko) as far:
        far.start()
        asked = far.tap.list_types("sent").count("PING")
        far.proxy.freeze()
        wait_until(lambda: not far.is_connected)
        assert far.tap.list_types("sent").count("PING") <= asked + 1
        far.proxy.reset()
        far.proxy.thaw()
        far.expect_everything()


def test_a_silent_connection_is_given_up_also_with_much_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be sent must not keep a dead connection alive."""
    with make_far_host(monkeypatch, ping=PING) as far:
        far.start()
        far.proxy.freeze()
        job = far.client.start(far.session, f"size = len('{'x' * 8_000_000}')")
        wait_until(lambda: not far.is_connected)
        far.proxy.reset()
        far.proxy.thaw()
        far.expect_everything()
        far.client.confirm(far.session, job)
        assert far.client.evaluate(far.session, "size") == "8000000"


def test_the_server_is_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    with make_far_host(monkeypatch) as far:
        far.start()
        opened = far.tap.opened
        far.server.stop()
        far.server.start()
        far.wait_for_another_channel(opened)
        far.expect_everything()


def test_the_host_is_rebooted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ran is lost, which is said in one sentence; what it had printed is there, and the next cell works."""
    with make_far_host(monkeypatch) as far:
        far.start()
        far.power_off()
        far.server.start()
        events = far.finish()
        lines = "".join(str(event.read_content()["text"]) for event in events if event.kind is Kind.STREAM).splitlines()
        assert [line.split()[0] for line in lines] == [str(number) for number in range(len(lines))]
        stopped = str(events[-1].read_content()["stopped"])
        assert "restarted" in stopped, stopped
        assert_lost(far)


def assert_lost(far: FarHost) -> None:
    """The names of before are gone and the host serves a new session."""
    before = far.session.row.id
    wait_until(lambda: far.session.has_ended)
    assert far.open().row.id != before
    assert far.client.evaluate(far.session, "'kept' in globals()") == "False"
