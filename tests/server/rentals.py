"""Rented machines in a ledger, as the notebook's kernel that rented them has written them down."""

from __future__ import annotations

import time
from pathlib import Path

from choline_jupyter.ledger.ledger import Ledger
from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.offer import GIB, Offer, Price

HOURLY = 1.2


def save_machine(
    ledger: Ledger, number: int = 1, state: InstanceState = InstanceState.READY, *, hours: float = 0.5,
    budget: float = 5.0, session: str = "s-one", provider: str = "runpod", now: float | None = None,
) -> InstanceRow:  # fmt: skip
    """A machine of 1.20 USD per hour that was rented some hours ago."""
    now = time.time() if now is None else now
    created = now - hours * 3600
    offer = Offer(provider, f"offer-{number}", "A100 80GB", 4, 80 * GIB, price=Price(HOURLY), region="EU")
    row = InstanceRow(
        f"i-{number}", provider, f"choline-{number}", session, offer.to_json(), f"h-{number}", state, created,
        budget=budget, deadline_at=created + 8 * 3600, lease=1800,
    )  # fmt: skip
    ledger.record_intent(row)
    ledger.money.note_rate(row.id, created, HOURLY, 0.0)
    return row


def configure_money(folder: Path, text: str) -> None:
    """The user's own configuration, below what XDG_CONFIG_HOME names."""
    (folder / "choline").mkdir(parents=True, exist_ok=True)
    (folder / "choline" / "config.toml").write_text(text)
