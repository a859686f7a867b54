"""Half, four fifths and all of a budget are said when they are reached, each once."""

from __future__ import annotations

from pathlib import Path

import pytest

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.offer import Offer, Price
from choline_jupyter.session.rent.fleet import Fleet
from choline_jupyter.session.rent.tenancy import Tenancy


async def agree(question: str) -> bool:
    return True


def test_they_come_in_their_order_and_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = [1_000_000.0]
    fleet, store = Fleet(tmp_path, lambda: now[0]), EventStore(tmp_path)
    offer = Offer("memory", "1", "RTX 3090", 4, price=Price(1.0))
    row = InstanceRow(
        "i", "memory", fleet.make_label(), "s", offer.to_json(), "h", InstanceState.READY, now[0], budget=2.0
    )
    fleet.ledger.record_intent(row)
    fleet.ledger.money.note_rate(row.id, now[0], 1.0, 0.0)
    tenancy, begun = Tenancy(fleet, store, agree), now[0]
    said = []
    for minutes in range(0, 150, 5):
        now[0] = begun + 60 * minutes
        tenancy._alert(row)
        said += [(minutes, line) for line in capsys.readouterr().err.splitlines()]
    assert [(minutes, line.split(" are spent on ")[0]) for minutes, line in said] == [
        (60, "choline: 50% of 2.00 USD"),
        (100, "choline: 80% of 2.00 USD"),
        (120, "choline: 100% of 2.00 USD"),
    ]
    assert all("4x RTX 3090 on memory, 1.00 USD/h; the machine ends itself when all is." in line for _, line in said)
    fleet.close()
    store.close()
