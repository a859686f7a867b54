"""What a job took of its machine, in one line, whatever the machine says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.session.telemetry_text import render_telemetry, render_usage

GPU = {"index": 0, "memory": 31_200_000_000, "total": 80_000_000_000, "busy": 0.87, "power": 612.3}
PROCESS = {"seconds": 3, "memory": 1_500_000_000, "cpu": 0.98}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["index", "memory", "busy"]), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({}, ""),
        ({0: PROCESS}, "peak 1.5 GB, processor 98 % busy"),
        ({0: PROCESS, 1: PROCESS}, "ranks 0-1: peak 1.5 GB, processor 98 % busy"),
        ({0: {**PROCESS, "gpu": GPU}}, "GPU 0: peak 31.2 of 80 GB, busy 87 %, 612 W"),
        (
            {0: {**PROCESS, "gpus": [GPU, {"index": 1, "busy": 0}]}},
            "GPU 0: peak 31.2 of 80 GB, busy 87 %, 612 W; GPU 1: busy 0 %",
        ),
        ({0: {**PROCESS, "gpus": []}}, "peak 1.5 GB, processor 98 % busy"),
        ({0: {"gpu": {"index": 0}, "memory": 1e9}}, "peak 1.0 GB"),
    ],
)
def test_what_is_known_is_said(facts: dict[int, dict[str, Any]], text: str) -> None:
    assert render_usage(facts) == text


def test_a_kernel_alone_has_no_number() -> None:
    told = render_telemetry({0: {**PROCESS, "seconds": 60}}, is_many=False)
    assert told == "choline: peak 1.5 GB, processor 98 % busy.\n"


@given(
    st.dictionaries(
        st.integers(0, 9),
        st.dictionaries(st.sampled_from(["seconds", "memory", "cpu", "gpu", "gpus"]), json_values, max_size=5),
        max_size=3,
    )
)
def test_no_machine_can_make_it_fail(facts: dict[int, dict[str, Any]]) -> None:
    for text in (render_usage(facts), render_telemetry(facts)):
        assert "nan" not in text
        assert "inf" not in text
