"""The element of a job in its cell: the job's id, which front ends with choline's extension draw live, and a line of text.

Made by `magic.notebook` for each cell that is followed; called by the thread that shows. It is there for jobs that run longer
than a second, and for those that cost money; never on this machine. Front ends that load no extension of JupyterLab are shown
widgets while the cell runs (`magic.widget_meter`). The line is the `text/html` and `text/plain` of the same
output and is updated while the cell runs, with how far a training is: other front ends and file formats show it as it was
last. A `clear_output` of the job takes everything away but the element: it comes back ahead of the next output.
"""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from choline_jupyter.magic.widget_meter import WidgetMeter, make_meter
from choline_jupyter.model.event import Event, Kind
from choline_jupyter.session.progress_record import render_progress
from choline_jupyter.session.rent.ledger_report import render_job_cost
from choline_jupyter.session.report import render_duration

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from choline_jupyter.session.live import LiveSession
    from choline_jupyter.session.outcome import Outcome
    from choline_jupyter.session.rent.tenancy import Tenancy

JOB = "application/vnd.choline.job+json"
_FIRST, _AGAIN = 1.0, 2.0  # seconds until it is there, and between two updates of its line
_OUTPUTS = (Kind.STREAM, Kind.DISPLAY, Kind.RESULT, Kind.ERROR)


class JobElement:
    """One cell's; `outcome` learns what the job tells, `interrupt()` interrupts it, from any thread. A terminal has none but the
    last line, where it has cost money.
    """

    def __init__(
        self,
        shell: InteractiveShell,
        tenancy: Tenancy,
        session: LiveSession,
        job: str,
        outcome: Outcome,
        interrupt: Callable[[], None],
    ) -> None:
        self._shell, self._interrupt = shell, interrupt
        self._publisher: Any = shell.display_pub
        self._meter: WidgetMeter | None = None
        self._may_have_meter = True
        self._tenancy, self._session, self._job, self._outcome = tenancy, session, job, outcome
        self._begun = time.monotonic()
        self._due = self._begun + _FIRST
        self._name = self._usage = ""
        self._is_cleared = self._is_gone = False
        self._is_rented = tenancy.is_rented(session.row)
        self._can_update = hasattr(shell, "kernel")  # a terminal would print every update below the last
        self._is_wanted = self._can_update and session.row.provider != "local"

    def tick(self) -> None:
        """Some time may have passed; costs nothing until an update is due."""
        now = time.monotonic()
        if self._meter and self._meter.look():
            self._due = now
        if self._is_wanted and now >= self._due:
            self._due = now + _AGAIN
            self._show("runs for")

    def note(self, event: Event) -> None:
        """An event of the job is about to be shown."""
        if event.series.rank > 0 or not self._name:
            return
        if event.kind is Kind.CLEAR:
            self._is_cleared = True
            self._is_gone = self._is_gone or not event.read_content().get("wait")
        elif self._is_cleared and event.kind in _OUTPUTS:
            self._name = ""
            self._show("runs for")

    def begin(self) -> None:
        """The job goes on without anybody who follows it here."""
        if self._is_wanted:
            self._show("runs since")

    def close(self, usage: str = "") -> None:
        """The cell has ended: the line says what it took, of the machine as well, and stays."""
        self._usage = usage
        self._drop_meter()
        if self._is_wanted and (self._name or self._is_rented):
            self._show("ran for")
        elif self._is_rented and (text := self._describe_cost()):
            sys.stderr.write(f"choline: {text}.\n")

    def release(self) -> None:
        """Nobody follows the job here any more, whatever becomes of it: no widget is left behind."""
        if self._drop_meter():
            self._show("runs for")

    def _drop_meter(self) -> bool:
        meter, self._meter, self._may_have_meter = self._meter, None, False
        if meter:
            meter.close()
        return meter is not None

    def _find_meter(self) -> WidgetMeter | None:
        """Made when it is to be seen first."""
        if self._may_have_meter and self._meter is None:
            self._meter = make_meter(self._shell, self._interrupt)
            self._may_have_meter = self._meter is not None
        return self._meter

    def _show(self, verb: str) -> None:
        if self._is_gone:
            self._name = ""
        is_new = not self._name
        self._name = self._name or uuid4().hex
        self._is_cleared = self._is_cleared and not is_new
        self._is_gone = self._is_gone and not is_new
        progress = render_progress(self._outcome.telling.progress, is_running=verb == "runs for")
        words = [self._describe_cost() or self._describe(verb), progress]
        text = "; ".join(filter(None, words))
        bundle = make_bundle(self._job, text)
        meter = self._find_meter() if verb == "runs for" else None
        if meter:
            meter.show(text, self._outcome.telling.progress)
            if not is_new:  # a view that is published again would be drawn again
                return
            bundle = {**meter.make_view(), "text/html": bundle["text/html"], "text/plain": bundle["text/plain"]}
        self._publisher.publish(bundle, {}, transient={"display_id": self._name}, update=not is_new)

    def _describe(self, verb: str) -> str:
        if verb == "runs since":
            return f"job {self._job} runs on {self._session.row.machine} since {time.strftime('%Y-%m-%d %H:%M:%S')}"
        return (
            f"job {self._job} {verb} {render_duration(time.monotonic() - self._begun)} on {self._session.row.machine}"
        )

    def _describe_cost(self) -> str:
        machine = self._tenancy.find_machine(self._session.row) if self._is_rented else None
        seconds = time.monotonic() - self._begun
        return render_job_cost(self._tenancy.fleet, machine, seconds, self._usage) if machine else ""


def make_bundle(job: str, text: str) -> dict[str, Any]:
    """The element of a job; whoever cannot draw it shows the text."""
    return {
        JOB: {"id": job},
        "text/html": f"<small><b>choline</b> {html.escape(text)}</small>",
        "text/plain": f"choline: {text}",
    }
