"""What is the same for a script on one machine and on several: what it says that it needs, its end.

Called by `cli.command` and `cli.nodes`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from choline_jupyter.capture.packages import find_packages, read_modules
from choline_jupyter.session.rent.ledger_report import render_job_cost
from choline_jupyter.session.wishes import read_block

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight import Need
    from choline_jupyter.session.bridge import Bridge
    from choline_jupyter.session.live import LiveSession
    from choline_jupyter.session.spec import SessionSpec


def end_script(bridge: Bridge, session: LiveSession, seconds: float, usage: str = "") -> None:
    """A script's session ends with it, and its rented machine, of which is said what it took."""
    tenancy, row = bridge.engine.tenancy, session.row
    machine = tenancy.find_machine(row) if tenancy.is_rented(row) else None
    if machine is None:
        bridge.engine.close_row(row)
        return
    cost = render_job_cost(tenancy.fleet, machine, seconds, usage)
    is_gone = bridge.call(bridge.engine.stop(row))
    end = "The machine is gone" if is_gone else "The machine is not known to be gone yet: `choline status`"
    sys.stderr.write(f"choline: {cost}. {end}.\n")


def agree_on_terminal(question: str) -> bool:
    """Nobody there is a no."""
    return sys.stdin.isatty() and input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def complete_for_script(spec: SessionSpec, text: str, needs: Sequence[Need]) -> SessionSpec:
    """What a script says that it needs (PEP 723), else what it and its modules import."""
    block = read_block(text)
    if block:
        return replace(spec, packages=block.packages, version=block.version or spec.version, are_found=False)
    return replace(spec, packages=find_packages([text, *read_modules(needs)], {}).requirements)
