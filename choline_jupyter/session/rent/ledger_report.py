"""What money is said in text: the month, each machine that costs something, offers with their arithmetic.

Called by the verbs; pure functions of what the fleet and the market have found.
"""

from __future__ import annotations

import csv
import io
import math
import time
from collections import Counter
from collections.abc import Sequence

from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.offer import GIB
from choline_jupyter.providers.config import MoneySettings
from choline_jupyter.session.rent.fleet import Fleet, find_offer
from choline_jupyter.session.rent.limits import find_month
from choline_jupyter.session.rent.market import Found, Plan, Ranked
from choline_jupyter.session.rent.meter import render_money
from choline_jupyter.session.rent.session_money import add_up_for

_HEADS = ("", "PROVIDER", "OFFER", "GPUS", "MEMORY", "REGION", "USD/H", "THIS RUN", "MADE OF")
_MOST, _ALIKE = 20, 3  # rows, and of one kind from one provider
_STATES = {
    InstanceState.UNKNOWN: "being ended; its provider has not taken it yet",
    InstanceState.DESTROYING: "being ended",
    InstanceState.PREEMPTED: "taken away; its disk costs",
    InstanceState.STOPPED: "stopped; its disk costs",
}


def render_market(found: Found, plan: Plan) -> str:
    """The offers as a table, cheapest run first, how the total is made up, and who could not be asked.

    Of the same GPUs from the same provider the cheapest few stand for all: others are to be seen, too.
    """
    shown = _choose(found.offers)
    rows = [_HEADS, *(_describe(number, one) for number, one in shown)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    if not found.offers:
        lines = ["Nobody offers that now."]
    elif len(found.offers) > len(shown):
        lines.append(f"and {len(found.offers) - len(shown)} more like these.")
    hours = f"{plan.hours:g} h, {plan.up / GIB:.1f} GiB there, {plan.down / GIB:.1f} GiB back, {plan.disk / GIB:.0f} GiB of disk"
    return "\n".join([*lines, f"THIS RUN is an estimate for {hours}.", *(f"! {note}" for note in found.notes)])


def render_budget(fleet: Fleet, settings: MoneySettings) -> str:
    """The month, its limit, and what costs money now."""
    spent = fleet.find_cost_since(find_month(fleet.clock())).total
    limit = f" of {render_money(settings.monthly)}" if settings.monthly is not None else ""
    lines = [f"This month: {render_money(spent)}{limit} (estimate)."]
    lines += _list_limits(settings)
    machines = fleet.list_open()
    lines += ["", "Machines that cost money now", *(render_machine(fleet, row) for row in machines)] if machines else []
    return "\n".join(lines if machines else [*lines, "No rented machine runs."])


def render_machine(fleet: Fleet, row: InstanceRow) -> str:
    """One machine on one line: what, state, cost, limits."""
    cost, billed = fleet.find_cost(row).total, fleet.ledger.money.find_bill(row.id)
    money = f"{render_money(billed)} billed" if billed is not None else f"{render_money(cost)} (estimate)"
    state = _STATES.get(row.state, row.state.value)
    left = fleet.find_left(row)
    ends = f", ends within {left / 3600:.1f} h" if math.isfinite(left) and left > 0 and row.state not in _STATES else ""
    return f"  {row.label}: {fleet.describe(row)}: {state}; {money} of {render_money(row.budget)}{ends}"


def write_csv(fleet: Fleet) -> str:
    """Every machine there was, a row each, amounts in USD."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(
        [
            "label",
            "provider",
            "gpus",
            "session",
            "begun",
            "ended",
            "state",
            "machine",
            "disk",
            "transfer",
            "total",
            "billed",
        ]
    )
    for row in fleet.ledger.list_instances():
        cost, billed = fleet.find_cost(row), fleet.ledger.money.find_bill(row.id)
        amounts = [f"{amount:.6f}" for amount in (*cost, cost.total)]
        table.writerow([
            row.label, row.provider, find_offer(row).gpus, row.session, _date(row.created_at), _date(row.ended_at),
            row.state.value, *amounts, "" if billed is None else f"{billed:.6f}",
        ])  # fmt: skip
    return text.getvalue().rstrip()


def render_job_cost(fleet: Fleet, row: InstanceRow, seconds: float, usage: str = "") -> str:
    """What is said below a cell that ran on a rented machine: time, cost, and what it took of the machine."""
    spent, budget = add_up_for(fleet, row)
    which = f", machine {row.epoch}" if row.epoch > 1 else ""
    so_far = f"{render_money(spent.total)} of {render_money(budget)} so far (estimate)"
    took = f"; {usage}" if usage else ""
    return f"{seconds:.0f} s on {fleet.describe(row)}{which}; {so_far}{took}"


def _choose(offers: Sequence[Ranked]) -> list[tuple[int, Ranked]]:
    """What is shown, with its place in the whole ranking."""
    chosen: list[tuple[int, Ranked]] = []
    seen: Counter[tuple[str, str, bool]] = Counter()
    for number, one in enumerate(offers, 1):
        kind = (one.offer.provider, one.offer.gpus, one.offer.is_spot)
        seen[kind] += 1
        if seen[kind] <= _ALIKE:
            chosen.append((number, one))
    return chosen[:_MOST]


def _describe(number: int, one: Ranked) -> tuple[str, ...]:
    offer = one.offer
    cents = [(what, amount) for what, amount in one.parts if round(abs(amount), 2)] or one.parts
    parts = " + ".join(f"{what} {amount:.2f}" for what, amount in cents).replace("+ credit -", "- credit ")
    failed = f", failed {one.failures} times" if one.failures else ""
    kind = " spot" if offer.is_spot else ""
    memory = f"{offer.gpu_memory / GIB:.0f} GiB" if offer.gpu_memory else "?"
    price = f"{offer.price.hour:.2f}" + ("" if offer.is_live else "?")
    return (
        str(number), offer.provider, offer.name, (offer.gpus or "-") + kind, memory, offer.region or "-", price,
        f"{one.total:.2f}", parts + failed,
    )  # fmt: skip


def _list_limits(settings: MoneySettings) -> Sequence[str]:
    lines = []
    if settings.budget is not None:
        lines.append(f"A session may cost {render_money(settings.budget)} at most.")
    if settings.auto_approve:
        lines.append(f"Up to {render_money(settings.auto_approve)} nobody is asked.")
    return lines


def _date(at: float | None) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(at)) if at else ""
