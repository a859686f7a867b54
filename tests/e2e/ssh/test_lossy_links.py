"""A network that loses packets, and one that says nothing at all: no line is lost or doubled, state is kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.losses.agent_processes import wait_until
from tests.e2e.ssh.far_host import make_far_host
from tests.net.link import Link, require_link

pytestmark = [pytest.mark.e2e, pytest.mark.kernel_feature, pytest.mark.timeout(240)]

PING = 0.5  # seconds


@pytest.fixture
def link() -> Iterator[Link]:
    require_link()
    with Link() as made:
        yield made


@pytest.mark.parametrize(
    "loss", [{"loss": 1.0}, {"loss_there": 1.0}, {"loss_back": 1.0}], ids=["both ways", "there", "back"]
)
def test_a_silent_drop(monkeypatch: pytest.MonkeyPatch, link: Link, loss: dict[str, float]) -> None:
    with make_far_host(monkeypatch, link, ping=PING) as far:
        far.start()
        link.change(**loss)
        wait_until(lambda: not far.is_connected)
        opened = far.tap.opened
        link.change()
        far.wait_for_another_channel(opened)
        far.expect_everything()


def test_every_fifth_packet_lost_at_200_ms(monkeypatch: pytest.MonkeyPatch, link: Link) -> None:
    with make_far_host(monkeypatch, link) as far:
        link.change(delay=0.1)
        far.start()
        link.change(delay=0.1, loss=0.2)
        far.read_lines(500)
        far.expect_everything()
        link.change()
