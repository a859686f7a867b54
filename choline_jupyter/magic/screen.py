"""What shows events in the local cell, and the text-only way of doing so.

Made by `magic.notebook` for its shell: `magic.relay` where the local kernel is ipykernel, else the one here, which also
serves `%%capture` and other replaced outputs everywhere. Called by one thread at a time.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from choline_jupyter.errors import make_remote_exception
from choline_jupyter.model.event import Event, Kind

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class Screen(Protocol):
    """Where a job's output goes. `parent` is the local cell's request header, by the `msg_id` the job was given."""

    @property
    def is_ending(self) -> bool:
        """Whether the local kernel has been told to end. Any thread may ask."""

    def begin(self, msg_id: str) -> None:
        """A job is about to run whose events carry this `msg_id`."""

    def show(self, event: Event) -> None:
        """One output event."""

    def ask(self, prompt: str, is_password: bool) -> str:
        """Answer an input request; raises what the local kernel's `input()` would."""


class PlainScreen:
    """Through `sys.stdout` and the shell's display publisher: terminals, captured cells, kernels not ipykernel's."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell: Any = shell
        self._shows: dict[Kind, Callable[[dict[str, Any]], None]] = {
            Kind.STREAM: _write_stream,
            Kind.DISPLAY: self._display,
            Kind.UPDATE: self._update,
            Kind.CLEAR: self._clear,
            Kind.RESULT: self._show_result,
            Kind.ERROR: self._show_error,
        }

    @property
    def is_ending(self) -> bool:
        return False

    def begin(self, msg_id: str) -> None:
        """Nothing here depends on the request."""

    def show(self, event: Event) -> None:
        show = self._shows.get(event.kind)
        if show:
            show(event.read_content())

    def ask(self, prompt: str, is_password: bool) -> str:
        return getpass.getpass(prompt) if is_password else input(prompt)

    def _display(self, content: dict[str, Any], update: bool = False) -> None:
        data, metadata = content.get("data", {}), content.get("metadata", {})
        transient = content.get("transient") or {}
        self._shell.display_pub.publish(data, metadata, transient=transient, update=update)

    def _update(self, content: dict[str, Any]) -> None:
        self._display(content, update=True)

    def _clear(self, content: dict[str, Any]) -> None:
        self._shell.display_pub.clear_output(wait=bool(content.get("wait")))

    def _show_result(self, content: dict[str, Any]) -> None:
        if is_capturing(sys.displayhook):
            bundle = {"data": content.get("data", {}), "metadata": content.get("metadata", {})}
            sys.displayhook.outputs.append(bundle)  # type: ignore[attr-defined]  # see is_capturing
        else:
            text = str(content.get("data", {}).get("text/plain", ""))
            sys.stdout.write(f"Out[{content.get('execution_count')}]: {text}\n")

    def _show_error(self, content: dict[str, Any]) -> None:
        """As the shell shows a traceback that it has formatted itself: IPython has no public way in."""
        error = make_remote_exception(content)
        self._shell._showtraceback(type(error), error, list(error.traceback))


def is_capturing(hook: object) -> bool:
    """Whether a display hook is the one of IPython's `capture_output`."""
    return isinstance(getattr(hook, "outputs", None), list)


def _write_stream(content: dict[str, Any]) -> None:
    stream = sys.stderr if content.get("name") == "stderr" else sys.stdout
    stream.write(str(content.get("text", "")))
    stream.flush()


def explain_gap(content: dict[str, Any]) -> str:
    """One visible line for what is missing."""
    if content.get("reason") == "disk":
        return f"choline: the disk that keeps this session's output is full ({content.get('message')}).\n"
    return f"choline: {content.get('count')} events are missing here: their journal was deleted to make room.\n"
