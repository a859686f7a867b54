"""What a session has cost on all the machines that it has lived on, and what is left of its budget for another one.

Called by `session.recovery` and whatever shows money; pure functions of the ledger. The budget is the session's as a whole: a
machine that takes another's place gets what that one has left over.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from choline_jupyter.model.instance import InstanceRow
from choline_jupyter.session.rent.fleet import Fleet
from choline_jupyter.session.rent.limits import Limits
from choline_jupyter.session.rent.meter import Cost

ALERTS = (0.5, 0.8, 1.0)  # the shares of a budget at which its user is told
LEAST = 60.0  # seconds that another machine must be allowed to live
LEAST_USD = 0.01


class Account(NamedTuple):
    """`spent` on all machines so far, `budget` for all of them."""

    spent: Cost
    budget: float

    @property
    def reached(self) -> float:
        """The highest of `ALERTS` that is reached, 0 before the first."""
        return max((step for step in ALERTS if self.budget and self.spent.total >= step * self.budget), default=0.0)


def add_up(fleet: Fleet, session: str) -> Account:
    """The account of a session. The budget of its newest epoch is what those before have left."""
    machines = fleet.ledger.list_of_session(session)
    newest = max((machine.epoch for machine in machines), default=1)
    spent = before = Cost()
    for machine in machines:
        cost = fleet.find_cost(machine)
        spent = spent.plus(cost)
        before = before if machine.epoch == newest else before.plus(cost)
    budgets = [machine.budget for machine in machines if machine.epoch == newest]
    return Account(spent, before.total + min(budgets, default=0.0))


def add_up_for(fleet: Fleet, machine: InstanceRow) -> Account:
    """The account of the session that a machine was rented for; of one that was adopted, its own."""
    return add_up(fleet, machine.session) if machine.session else Account(fleet.find_cost(machine), machine.budget)


def find_rest(fleet: Fleet, lost: InstanceRow, limits: Limits) -> Limits | None:
    """Within which limits another machine may take the place of a lost one; None when nothing is left."""
    account = add_up(fleet, lost.session)
    money, seconds = account.budget - account.spent.total, lost.deadline_at - fleet.clock()
    if money < LEAST_USD or seconds < LEAST:
        return None
    return dataclasses.replace(limits, budget=money, deadline=seconds, lease=lost.lease, hold=lost.hold)
