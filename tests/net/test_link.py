"""The link between two networks does what the tests that use it believe."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.net.link import Link, require_link

pytestmark = pytest.mark.kernel_feature


@pytest.fixture
def link() -> Iterator[Link]:
    require_link()
    with Link() as made:
        yield made


def knock(link: Link, patience: float = 10.0) -> int:
    """What comes of a connection to a port that nobody listens at: the refusal has to come all the way back."""
    with socket.socket() as probe:
        probe.settimeout(patience)
        return probe.connect_ex((link.address, 9))


def test_a_round_trip_takes_twice_the_delay(link: Link) -> None:
    assert knock(link) == errno.ECONNREFUSED
    link.change(delay=0.1)
    start = time.monotonic()
    assert knock(link) == errno.ECONNREFUSED
    assert time.monotonic() - start >= 0.2


@pytest.mark.parametrize("loss", [{"loss": 1.0}, {"loss_there": 1.0}, {"loss_back": 1.0}])
def test_what_is_lost_one_way_or_both_is_not_answered_until_the_link_is_mended(
    link: Link, loss: dict[str, float]
) -> None:
    link.change(**loss)
    assert knock(link, 0.3) == errno.EAGAIN
    link.change()
    assert knock(link) == errno.ECONNREFUSED


def test_nothing_is_left_of_it() -> None:
    require_link()
    with Link() as link:
        namespace = Path("/run/netns", link.namespace)
        assert namespace.exists()
        relay = link._relay.pid
    assert not namespace.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(relay, 0)
