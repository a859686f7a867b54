"""Limits: what may be spent and for how long, from the options and from the user's own configuration.

Called before anything is rented. Promise: a notebook can only lower what the configuration allows; nothing is rented
without a budget; what is beyond the auto-approve limit is rented only when the user says yes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from choline_jupyter.errors import RequestError
from choline_jupyter.providers.config import ConfigError, MoneySettings, find_config, read_money
from choline_jupyter.session.rent.meter import render_money

if TYPE_CHECKING:
    from choline_jupyter.session.option_reader import Values

LIMITS = ("budget", "lease", "deadline", "hold")  # the options
RESUME, STOP, WAIT = POLICIES = ("resume", "stop", "wait")  # what --on-loss may be
LEASE, DEADLINE, HOLD = 1800.0, 8 * 3600.0, 2 * 3600.0
PATIENCE = 3600.0  # seconds that a machine which was stopped is waited for


@dataclass(frozen=True)
class Limits:
    """Of one instance: `budget` in USD, the others in seconds. `is_agreed`: the user has said yes (--yes)."""

    budget: float
    lease: float = LEASE
    deadline: float = DEADLINE
    hold: float = HOLD
    is_agreed: bool = False


def read_limits(options: Values, known: Limits | None = None) -> Limits:
    """What the options and the configuration say together, beyond what is `known`; raises RequestError.

    A cell has no `--yes`.
    """
    asked = options.amount("budget")
    return Limits(
        known.budget if known and asked is None else _find_budget(asked, read_settings()),
        float(options.number("lease") or (known.lease if known else LEASE)),
        float(options.number("deadline") or (known.deadline if known else DEADLINE)),
        float(options.number("hold") or (known.hold if known else HOLD)),
        "yes" in options.items and options.has("yes"),
    )


def read_loss_policy(options: Values) -> tuple[str, float]:
    """What --on-loss says, empty where it says nothing, and how long to wait at most; raises RequestError."""
    policy, seconds = options.text("on-loss") or "", options.number("wait")
    if policy and policy not in POLICIES:
        raise RequestError(f"--on-loss {policy!r:.40} is no policy.", f"There are {', '.join(POLICIES)}.")
    if seconds is not None and policy != WAIT:
        raise RequestError("--wait is for --on-loss wait.", "Add that, or leave it out.")
    return policy, PATIENCE if seconds is None else float(seconds)


def read_settings() -> MoneySettings:
    """The user's own limits; raises RequestError."""
    try:
        return read_money()
    except ConfigError as error:
        raise RequestError(str(error), "Mend it and run the cell again.") from None


def check_month(budget: float, spent: float, reserved: float, settings: MoneySettings) -> None:
    """Raise RequestError when this budget does not fit into the month's."""
    if settings.monthly is not None and spent + reserved + budget > settings.monthly:
        raise RequestError(
            f"The month's budget is {render_money(settings.monthly)}: {render_money(spent)} are spent,"
            f" {render_money(reserved)} more are promised to machines that run, and this run may take {render_money(budget)}.",
            f"Give a smaller --budget, or raise `monthly` under [money] in {find_config()}.",
        )


def needs_consent(budget: float, limits: Limits, settings: MoneySettings) -> bool:
    """Whether the user has to be asked before so much may be spent."""
    return not limits.is_agreed and budget > settings.auto_approve


def find_month(now: float) -> float:
    """When this month began, in seconds since the epoch, by the clock of this machine."""
    day = time.localtime(now)
    return time.mktime((day.tm_year, day.tm_mon, 1, 0, 0, 0, 0, 0, -1))


def _find_budget(asked: float | None, settings: MoneySettings) -> float:
    if asked is None and settings.budget is None:
        raise RequestError(
            "A rented machine needs a budget.",
            f"Add --budget USD, or set `budget` under [money] in {find_config()}.",
        )
    if asked is None:
        return float(settings.budget or 0)
    if settings.budget is not None and asked > settings.budget:
        raise RequestError(
            f"--budget {asked:g} is more than the {settings.budget:g} USD that your configuration allows.",
            f"Lower it, or raise `budget` under [money] in {find_config()}.",
        )
    return asked
