"""vast.ai's instances: each `actual_status` as a state of ours, with its price, address and reason; rows of any shape."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.model.instance import InstanceState as State
from choline_jupyter.providers.failure import Unreadable
from choline_jupyter.providers.vast.instances import read_sighting

ROW: dict[str, Any] = {
    "id": 9001, "label": "choline-1", "actual_status": "running", "intended_status": "running", "dph_total": 0.5,
    "storage_total_cost": 0.01, "start_date": 100.5, "public_ipaddr": "1.2.3.4 ", "ssh_host": "ssh5.vast.ai",
    "ssh_port": 12345, "ports": {"22/tcp": [{"HostPort": "40001"}]}, "status_msg": None,
}  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("status", "intended", "state", "hour"),
    [
        (None, "running", State.CREATING, 0.49),
        ("created", "running", State.BOOTING, 0.49),
        ("loading", "running", State.BOOTING, 0.49),
        ("rebooting", "running", State.BOOTING, 0.49),
        ("running", "running", State.READY, 0.49),
        ("stopped", "stopped", State.STOPPED, 0.0),
        ("stopped", "running", State.PREEMPTED, 0.0),
        ("frozen", "running", State.UNKNOWN, 0.49),
        ("exited", "running", State.DEAD, 0.0),
        ("offline", "running", State.DEAD, 0.0),
        ("unknown", "running", State.DEAD, 0.0),
        ("a new one", "running", State.UNKNOWN, 0.49),
    ],
)
def test_a_status_is_a_state_and_a_price(status: str | None, intended: str, state: State, hour: float) -> None:
    sighting = read_sighting({**ROW, "actual_status": status, "intended_status": intended})
    assert (sighting.state, sighting.hour) == (state, hour)
    assert bool(sighting.address) is (state is State.READY)
    silent = {State.CREATING, State.BOOTING, State.READY}
    assert bool(sighting.reason) is (state not in silent)


def test_frozen_says_that_it_is_charged_for() -> None:
    assert "charged" in read_sighting({**ROW, "actual_status": "frozen"}).reason


def test_its_own_port_comes_before_the_relay() -> None:
    assert read_sighting(ROW).address == "root@1.2.3.4:40001"
    assert read_sighting({**ROW, "ports": None}).address == "root@ssh5.vast.ai:12345"
    assert read_sighting({**ROW, "ports": None, "ssh_port": None}).address == ""


def test_what_a_host_says_is_printable_and_short() -> None:
    reason = read_sighting({**ROW, "actual_status": "exited", "status_msg": "\x1b[31mno\n" + "x" * 1000}).reason
    assert reason.isprintable()
    assert len(reason) < 300


@pytest.mark.parametrize("row", [None, [], "x", {}, {"id": "9"}, {"id": 9}, {"id": True, "actual_status": "running"}])
def test_a_row_without_number_or_state_is_unreadable(row: Any) -> None:
    with pytest.raises(Unreadable):
        read_sighting(row)


@given(st.dictionaries(st.sampled_from(sorted(ROW)), JSON), JSON)
def test_any_row_is_a_sighting_or_unreadable(changes: dict[str, Any], other: Any) -> None:
    for row in ({**ROW, **changes}, other):
        try:
            sighting = read_sighting(row)
        except Unreadable:
            continue
        assert sighting.handle.lstrip("-").isdigit()
        assert sighting.hour is None or isinstance(sighting.hour, float)
