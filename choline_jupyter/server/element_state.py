"""A job as its element in the cell shows it: its row and output's end, where it runs, what it costs, its ranks and GPUs.

Called by `server.cell_routes` in the reading thread. Everything here is data for text nodes; the front end makes no HTML of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from choline_jupyter.model.event import Event, Kind
from choline_jupyter.server.job_state import describe_job, describe_output, join_text
from choline_jupyter.server.printed import read_tail
from choline_jupyter.session.rent.meter import HOUR, find_hourly

if TYPE_CHECKING:
    from choline_jupyter.ledger.event_store import EventStore
    from choline_jupyter.ledger.money import Period
    from choline_jupyter.model.job import JobRow
    from choline_jupyter.model.session import SessionRow
    from choline_jupyter.session.rent.fleet import Fleet

_EVENTS = 50  # events of each rank that are read for its last lines
_LINES = 8
_GPU = ("index", "memory", "total", "busy", "power")


def describe_element(store: EventStore, fleet: Fleet, row: JobRow, root: str) -> dict[str, Any]:
    """All that the element shows of a job."""
    session = next((one for one in store.list_sessions() if one.id == row.session), None)
    job = {**describe_job(row, root), **describe_output(store, row)}
    place = {"provider": session.provider, "machine": session.machine} if session else {"provider": "", "machine": ""}
    cost = describe_cost(fleet, row, session, time.time()) if session else None
    return {"job": job, **place, "cost": cost, "ranks": describe_ranks(store, row), "gpus": describe_gpus(store, row)}


def describe_cost(fleet: Fleet, row: JobRow, session: SessionRow, now: float) -> dict[str, float] | None:
    """What the job's time has cost on its rented machine, and that machine so far; None where nothing is rented."""
    machines = fleet.ledger.list_instances() if fleet.is_used else []
    machine = next((one for one in machines if one.label == session.machine), None)
    if machine is None:
        return None
    periods = fleet.ledger.money.list_periods(machine.id)
    end = row.ended_at or now
    return {
        "job": measure_part(periods, row.started_at or end, end),
        "machine": fleet.find_cost(machine).total,
        "hourly": find_hourly(periods),
        "budget": machine.budget,
    }


def measure_part(periods: Sequence[Period], start: float, end: float) -> float:
    """USD between two times; a begun minute of the provider's counts with its seconds only."""
    ends = [*(period.since for period in periods[1:]), math.inf]
    return sum(
        max(0.0, min(until, end) - max(period.since, start)) * (period.machine + period.disk) / HOUR
        for period, until in zip(periods, ends, strict=False)  # before the first one nothing has cost anything
    )


def describe_ranks(store: EventStore, row: JobRow) -> list[dict[str, Any]]:
    """The last lines of each rank of a job that has several."""
    by_rank: dict[int, list[Event]] = {}
    for event in store.read_last(row.id, (Kind.STREAM, Kind.RESULT, Kind.ERROR), _EVENTS):
        by_rank.setdefault(event.series.rank, []).append(event)
    ranks = sorted(rank for rank in by_rank if rank >= 0)
    if not any(ranks):
        return []
    return [{"rank": rank, "tail": read_tail(join_text(by_rank[rank]), _LINES)} for rank in ranks]


def describe_gpus(store: EventStore, row: JobRow) -> list[dict[str, Any]]:
    """What each rank's GPU did, as its last telemetry says; what a machine says wrongly is left out."""
    found: dict[int, dict[str, Any]] = {}
    for event in store.read_last(row.id, (Kind.METRIC,), _EVENTS):
        gpu = _read_gpu(event)
        if gpu:
            found[event.series.rank] = {"rank": event.series.rank, **gpu}
    return [found[rank] for rank in sorted(found)]


def _read_gpu(event: Event) -> dict[str, float]:
    try:
        told = event.read_content().get("telemetry")
    except ValueError:  # a stranger's
        return {}
    gpu = told.get("gpu") if isinstance(told, dict) else None
    if not isinstance(gpu, dict):
        return {}
    return {name: gpu[name] for name in _GPU if _is_amount(gpu.get(name))}


def _is_amount(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
