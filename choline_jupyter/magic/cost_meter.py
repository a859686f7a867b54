"""What a cell on a rented machine costs, on a line of its output that is updated while it runs.

Made by `magic.notebook` for each cell that is followed; called by the thread that shows. Nothing is shown for what costs
nothing or ends at once but the last line, which says what it took.
"""

from __future__ import annotations

import html
import sys
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from choline_jupyter.session.rent.ledger_report import render_job_cost

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from choline_jupyter.session.live import LiveSession
    from choline_jupyter.session.rent.tenancy import Tenancy

_FIRST, _AGAIN = 2.0, 5.0  # seconds until it is there, and between two of its updates


class CostMeter:
    """One cell's. A session that is not on a rented machine has none to show."""

    def __init__(self, shell: InteractiveShell, tenancy: Tenancy, session: LiveSession) -> None:
        self._publisher: Any = shell.display_pub
        self._can_update = hasattr(shell, "kernel")  # a terminal would print every update below the last
        self._tenancy, self._session = tenancy, session
        self._begun = time.monotonic()
        self._due = self._begun + _FIRST
        self._name = ""
        self._is_rented = tenancy.is_rented(session.row)

    def tick(self) -> None:
        """Some time may have passed; costs nothing until an update is due."""
        now = time.monotonic()
        if self._is_rented and self._can_update and now >= self._due:
            self._due = now + _AGAIN
            self._show(self._describe())

    def close(self, usage: str) -> None:
        """The cell has ended: the line says what it took, of the machine as well, and stays."""
        text = self._describe(usage) if self._is_rented else ""
        if text and self._name:
            self._show(text)
        elif text:
            sys.stderr.write(f"choline: {text}.\n")

    def _describe(self, usage: str = "") -> str:
        machine, seconds = self._tenancy.find_machine(self._session.row), time.monotonic() - self._begun
        return render_job_cost(self._tenancy.fleet, machine, seconds, usage) if machine else ""

    def _show(self, text: str) -> None:
        is_new = not self._name
        self._name = self._name or uuid4().hex
        data = {"text/plain": f"choline: {text}", "text/html": f"<small><b>choline</b> {html.escape(text)}</small>"}
        self._publisher.publish(data, {}, transient={"display_id": self._name}, update=not is_new)
