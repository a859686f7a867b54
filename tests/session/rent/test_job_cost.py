"""What a job has cost of its machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from choline_jupyter.ledger.money import Period
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.session import SessionRow, SessionState, Trust
from choline_jupyter.session.rent.fleet import Fleet
from choline_jupyter.session.rent.job_cost import find_job_cost, price_span

PERIODS = (Period(1000.0, 3.6, 0.36), Period(2000.0, 7.2, 0.36), Period(3000.0, 0.0, 0.36), Period(4000.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("start", "end", "usd"),
    [
        (1000.0, 2000.0, 1.1),
        (1500.0, 1600.0, 0.11),
        (1900.0, 2100.0, 0.11 + 0.21),
        (2900.0, 3500.0, 0.21 + 0.05),
        (0.0, 500.0, 0.0),
        (5000.0, 6000.0, 0.0),
        (1600.0, 1500.0, 0.0),  # a clock that was set back
    ],
)
def test_the_price_of_a_span(start: float, end: float, usd: float) -> None:
    assert price_span(PERIODS, start, end) == pytest.approx(usd)


def test_own_machines_cost_nothing_and_unknown_ones_are_not_known(tmp_path: Path) -> None:
    fleet, job = Fleet(tmp_path), JobRow("j-1", "s-1", started_at=1.0)
    own = SessionRow("s-1", "n", "ssh", "me@big", "/", 1, SessionState.READY, 0.0, Trust.OWN)
    rented = SessionRow("s-2", "n", "vast", "choline-x", "/", 1, SessionState.READY, 0.0, Trust.RENTED)
    assert find_job_cost(fleet, own, job).usd == 0.0
    assert find_job_cost(fleet, rented, job).usd is None
    assert find_job_cost(fleet, None, job).usd is None
    assert not fleet.is_used
