"""The board of a sweep: its table in the notebook, one display that is updated in place; in a terminal a line for each end.

Made by `magic.sweep`; drawn in the shell's main thread.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from choline_jupyter.session.report import render_duration
from choline_jupyter.session.sweep.grid import describe
from choline_jupyter.session.sweep.table import render_html, render_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from choline_jupyter.session.sweep.job import SweepJob

_PERIOD = 0.5  # seconds between two drawings


class Board:
    """`draw` may be called as often as one likes."""

    def __init__(self, shell: InteractiveShell, name: str, jobs: Sequence[SweepJob]) -> None:
        self._publisher: Any = shell.display_pub
        self._can_update = hasattr(shell, "kernel")  # a terminal would print every update below the last
        self._name, self._jobs = name, jobs
        self._display = self._shown = ""
        self._due = 0.0
        self._told: set[int] = set()

    def draw(self, is_last: bool = False) -> None:
        """Show how it stands, unless it has been shown a moment ago."""
        now = time.monotonic()
        if self._can_update and (is_last or now >= self._due):
            self._due = now + _PERIOD
            self._publish()
        elif not self._can_update:
            self._tell_ends()
            if is_last:
                print(render_text(self._name, self._jobs))

    def move(self) -> None:
        """Go on in a display of its own, in the cell that runs now."""
        self._display = self._shown = ""
        self._due = 0.0

    def _publish(self) -> None:
        is_new = not self._display
        self._display = self._display or uuid4().hex
        text = render_text(self._name, self._jobs)
        if text == self._shown:
            return
        self._shown = text
        data = {"text/plain": text, "text/html": render_html(self._name, self._jobs)}
        self._publisher.publish(data, {}, transient={"display_id": self._display}, update=not is_new)

    def _tell_ends(self) -> None:
        for job in self._jobs:
            if job.ended_at and job.number not in self._told:
                self._told.add(job.number)
                took = f" in {render_duration(job.seconds)}" if job.seconds is not None else ""
                why = f": {job.trouble}" if job.trouble else ""
                print(f"choline: {describe(job.parameters)}: {job.state.value}{took}{why}", flush=True)
