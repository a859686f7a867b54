"""The live meter of a job where choline's front end is not: a few widgets of ipywidgets, with a button that interrupts the job.

Made by `magic.job_element` for front ends that load no JupyterLab extension (VS Code, Colab), if ipywidgets is there; in every
other one the element is drawn by the extension, or is a line of text. Lives in the main thread while the cell runs. Promises: a
press of the button interrupts the job while it runs; when the cell has ended no widget is left, and what a notebook keeps is
the line of text.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from choline_jupyter.magic.comm_tap import CommTap, can_tap
from choline_jupyter.magic.front_end import find_front_end

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from choline_jupyter.session.progress_record import Progress

VIEW = "application/vnd.jupyter.widget-view+json"


def make_meter(shell: InteractiveShell, interrupt: Callable[[], None]) -> WidgetMeter | None:
    """One for a job that `interrupt()` interrupts (called from any thread); None where there is to be none."""
    if not find_front_end(shell) or not can_tap(shell):
        return None
    try:
        import ipywidgets
    except ImportError:
        return None
    return WidgetMeter(shell, ipywidgets, interrupt)


class WidgetMeter:
    """State, text, progress and a button; `widgets` is the module ipywidgets, 7 or 8."""

    def __init__(self, shell: InteractiveShell, widgets: Any, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt
        self._pressed = threading.Event()
        self._is_told = False
        self._text = widgets.HTML()
        self._bar = widgets.FloatProgress(value=0.0, min=0.0, max=1.0, layout={"width": "16em", "display": "none"})
        self._button = widgets.Button(description="Stop", icon="stop", tooltip="Interrupt the job; its names stay")
        row = widgets.HBox([self._button, self._bar])
        self._box = widgets.VBox([self._text, row])
        self._all = (self._text, self._bar, self._button, row, self._box)
        self._tap = CommTap(shell, self._button.model_id, self._note)

    def look(self) -> bool:
        """Whether the button was pressed since the last look; called again and again while the cell runs."""
        self._tap.look()
        if not self._pressed.is_set() or self._is_told:
            return False
        self._is_told = True
        self._button.disabled, self._button.description = True, "Stopping"
        return True

    def show(self, text: str, progress: Progress) -> None:
        """How things stand now."""
        state = "<i>being interrupted</i>: " if self._is_told else ""
        self._text.value = f"<b>choline</b> {state}{html.escape(text)}"
        share = find_share(progress)
        if share is not None:
            self._bar.layout.display = None
            self._bar.value = share

    def make_view(self) -> dict[str, Any]:
        """What is published for it to be seen."""
        return {VIEW: {"version_major": 2, "version_minor": 0, "model_id": self._box.model_id}}

    def close(self) -> None:
        """The widgets are gone from every page."""
        self._tap.close()
        for widget in self._all:
            widget.layout.close()
            if hasattr(widget, "style") and widget.style is not None:
                widget.style.close()
            widget.close()

    def _note(self, data: dict[str, Any]) -> None:
        """In the kernel's thread for messages, or the main one."""
        content = data.get("content") if data.get("method") == "custom" else None
        if isinstance(content, dict) and content.get("event") == "click" and not self._pressed.is_set():
            self._pressed.set()
            self._interrupt()


def find_share(progress: Progress) -> float | None:
    """How much of a training is done, from 0 to 1; None where it does not say."""
    for done, total in (("step", "total"), ("epoch", "epochs")):
        now, end = progress.find_last(done), progress.find_last(total)
        if now is not None and end:
            return max(0.0, min(1.0, float(now) / float(end)))
    return None
