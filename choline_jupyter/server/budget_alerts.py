"""How much of their budgets sessions have spent, for the notifications of a front end whose panel may be closed.

Called by `server.money_state` in the thread that reads the ledger. The shares are those at which a cell and a command say it
(`session.rent.session_money`); which of them was told is the front end's to remember.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from choline_jupyter.model.instance import InstanceRow
from choline_jupyter.session.rent.fleet import Fleet, find_offer, read_price
from choline_jupyter.session.rent.meter import HOUR, find_hourly
from choline_jupyter.session.rent.session_money import ALERTS, Account, add_up_for

_RECENT = 3600.0  # seconds that a session whose machine has ended is told of
_CLOSE = 60.0  # seconds at its price by which a machine may end before its budget is spent to the cent


def list_alerts(fleet: Fleet, rows: Sequence[InstanceRow]) -> list[dict[str, Any]]:
    """One for each session whose newest machine may exist, or was ended lately by its budget."""
    since = fleet.clock() - _RECENT
    newest = {row.session or row.label: row for row in sorted(rows, key=lambda row: row.created_at)}
    recent = [row for row in newest.values() if row.budget and (row.state.is_open or (row.ended_at or 0.0) > since)]
    accounts = [(row, add_up_for(fleet, row)) for row in recent]
    return [_describe(fleet, *one) for one in accounts if one[0].state.is_open or _has_used_up(*one)]


def _describe(fleet: Fleet, row: InstanceRow, account: Account) -> dict[str, Any]:
    hourly = find_hourly(fleet.ledger.money.list_periods(row.id)) if row.state.is_open else 0.0
    return {
        "session": row.session or row.label,
        "what": f"{find_offer(row).gpus or 'A machine'} on {row.provider}",
        "open": row.state.is_open,
        "spent": account.spent.total,
        "budget": account.budget,
        "reached": account.reached if row.state.is_open else ALERTS[-1],
        "next": _find_next(account, hourly),
        "left": _find_seconds(account.budget - account.spent.total, hourly),
    }


def _has_used_up(row: InstanceRow, account: Account) -> bool:
    """Whether it was its budget that has ended a machine: it goes by its own clock, and not over it."""
    close = read_price(row).find_hourly(row.disk) * _CLOSE / HOUR
    return account.budget - account.spent.total <= min(close, account.budget / 2)


def _find_next(account: Account, hourly: float) -> float | None:
    """Seconds until the next share is reached at the price of now; None when that is never."""
    amounts = [step * account.budget - account.spent.total for step in ALERTS if step > account.reached]
    return _find_seconds(amounts[0], hourly) if amounts else None


def _find_seconds(amount: float, hourly: float) -> float | None:
    seconds = max(0.0, amount) / hourly * HOUR if hourly > 0 else math.inf
    return seconds if math.isfinite(seconds) else None
