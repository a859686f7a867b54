"""Money as the panel shows it: machines that cost something, the month, the last days, the user's limits.

Called by the routes in the thread that reads the ledger. Promises: looking changes nothing, and where nothing was ever rented
no ledger is made by it; limits come from the user's configuration alone. Amounts are in USD; what the ledger has is an
estimate unless the provider has told its own figure.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from choline_jupyter.ledger.money import Accounts
from choline_jupyter.model.instance import InstanceRow
from choline_jupyter.providers.config import ConfigError, MoneySettings, find_config, read_money
from choline_jupyter.server.budget_alerts import list_alerts
from choline_jupyter.session.rent.fleet import Fleet, find_offer
from choline_jupyter.session.rent.history import list_days, list_rates
from choline_jupyter.session.rent.limits import find_month
from choline_jupyter.session.rent.meter import find_hourly

_DAYS = 30
_INSTANCES = 300  # whose sessions' jobs can be told what they have cost


def describe_money(fleet: Fleet) -> dict[str, Any]:
    """All of it. Raises StoreError when the ledger cannot be read."""
    settings, problem = _read_settings()
    limits = {**vars(settings), "path": _shorten(find_config()), "problem": problem}
    empty: dict[str, Any] = {
        "machines": [],
        "alerts": [],
        "month": {"spent": 0.0, "reserved": 0.0},
        "days": [],
        "rates": {},
    }
    spent = _describe_fleet(fleet) if fleet.is_used else empty
    notice = fleet.ledger.notice if fleet.is_used else ""
    return {"now": fleet.clock(), "is_used": fleet.is_used, "notice": notice, "limits": limits, **spent}


def _describe_fleet(fleet: Fleet) -> dict[str, Any]:
    rows, accounts, now = fleet.ledger.list_instances(), fleet.ledger.money.read_accounts(), fleet.clock()
    spent = fleet.find_cost_since(find_month(now)).total
    return {
        "machines": [_describe_machine(fleet, row, accounts) for row in rows if row.state.is_open],
        "alerts": list_alerts(fleet, rows),
        "month": {"spent": spent, "reserved": fleet.find_reserved()},
        "days": list_days(rows, accounts, now, _DAYS),
        "rates": list_rates(rows[-_INSTANCES:], accounts),
    }


def _describe_machine(fleet: Fleet, row: InstanceRow, accounts: Accounts) -> dict[str, Any]:
    offer, left = find_offer(row), fleet.find_left(row, accounts)
    return {
        "label": row.label,
        "provider": row.provider,
        "session": row.session,
        "gpus": offer.gpus,
        "spot": offer.is_spot,
        "region": offer.region,
        "state": row.state.value,
        "created": row.created_at,
        "hourly": find_hourly(accounts.periods.get(row.id, ())),
        "spent": fleet.find_cost(row, accounts).total,
        "billed": fleet.ledger.money.find_bill(row.id),
        "budget": row.budget,
        "left": left if math.isfinite(left) else None,
        "deadline": row.deadline_at,
        "lease": row.lease,
    }


def _shorten(path: Path) -> str:
    """As a shell has it."""
    home = Path.home()
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)


def _read_settings() -> tuple[MoneySettings, str]:
    """The limits, and what is wrong with the file they stand in."""
    try:
        return read_money(), ""
    except ConfigError as error:
        return MoneySettings(), str(error)
