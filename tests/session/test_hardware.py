"""What machines say of themselves: shown as far as it makes sense, whatever it is."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.model.offer import Offer
from choline_jupyter.session.hardware import Gpu, Hardware, read_hardware
from choline_jupyter.session.host_check import examine_host
from choline_jupyter.session.offers import Found, render_offers

GIB = 1 << 30
TOLD = {
    "system": "Linux 6.1", "processors": 16, "memory": 128 * GIB, "home": "/home/anna", "disk": 64 * GIB,
    "python": {"version": "3.11.2", "path": "/usr/bin/python3"}, "ipykernel": "", "uv": "", "venv": True,
    "ensurepip": False, "time": 1000.0,
    "gpus": [{"name": "H200", "memory": 139 * GIB, "used": GIB, "load": 7, "driver": "570.1"}] * 2,
}  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_what_is_told_is_read() -> None:
    found = read_hardware(TOLD, 990.0)
    assert (found.processors, found.memory, found.python, found.clock) == (16, 128 * GIB, "3.11.2", 10.0)
    assert found.gpus[0] == Gpu("H200", 139 * GIB, GIB, 7, "570.1")
    assert found.count_gpus() == "2x H200 (139 GiB)"


@given(told=st.dictionaries(st.sampled_from(list(TOLD)), JSON))
def test_nonsense_does_no_harm(told: dict[str, Any]) -> None:
    lines = list(examine_host("lab", 0.1, read_hardware(told, 0.0)))
    assert all(line.isprintable() for line in lines)


def examine(**changes: Any) -> str:
    return "\n".join(examine_host("lab", 0.2, read_hardware({**TOLD, **changes}, 1000.0)))


def test_what_is_missing_is_said_with_what_to_do() -> None:
    assert "!" not in examine()
    assert "packages come through this machine" in examine()
    assert "with venv" in examine(ensurepip=True)
    assert "with uv (/bin/uv)" in examine(uv="/bin/uv")
    assert "sessions use it" in examine(ipykernel="7.0")
    assert "! No ipykernel and no venv" in examine(venv=False)
    assert "! /home/anna has 1.0 GiB free" in examine(disk=GIB)
    assert "! Its clock differs by -600 s" in examine(time=400.0)
    assert "No GPU that nvidia-smi lists" in examine(gpus=[])


def test_offers_are_a_table_with_footnotes() -> None:
    offers = [
        Offer("ssh", "lab", "H200", 2, cpus=16, memory=128 * GIB),
        Offer("local", "this machine", cpus=2, memory=GIB),
    ]
    text = render_offers(Found(offers, ["attic: it is down."]))
    heads, lab, here, note = text.splitlines()
    assert heads.index("GPUS") == lab.index("2x H200") == here.index("-")
    assert "128 GiB" in lab
    assert "free" in here
    assert note == "! attic: it is down."
    assert render_offers(Found([], [])) == "No machine answers."


def test_hardware_of_several_kinds() -> None:
    assert Hardware(gpus=(Gpu("A", GIB), Gpu("B", GIB), Gpu("A", GIB))).count_gpus() == "2x A (1 GiB), 1x B (1 GiB)"
