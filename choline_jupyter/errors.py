"""Every way this can fail, as one tree; each error says what happened, what to do, and what still costs money.

    CholineError
    ├── RequestError            the user asked for something that does not exist or makes no sense
    │   ├── UnknownOption
    │   ├── UnknownVerb
    │   ├── UnknownSession
    │   └── UnknownJob
    ├── HostError               the other machine, or the way to it
    │   ├── AgentMismatch       it speaks another protocol version
    │   ├── ConnectionLost      the channel ended and could not be opened again
    │   ├── SessionEnded        it was stopped, its lease ran out, or its machine was started anew
    │   └── AgentFailed         the agent did not start, or answered that it could not do its work
    ├── EnvironmentFailed       the packages that a session wants cannot be had
    ├── JobError                the cell or script itself
    │   ├── RemoteException     the user's code raised; shown as if it had raised here
    │   │   └── ShownException  its traceback stands in the cell already
    │   ├── KernelDied
    │   ├── OutOfMemory
    │   ├── Interrupted
    │   └── DiskFull
    └── DataError               what is kept on this machine, or comes to it
        ├── StoreFailed         ledger or event store could not be read or written
        ├── TooLarge            more than was agreed to would come
        ├── CorruptBlob         what came is not what was announced
        └── NoRoom              this machine's disk is full

Raised by every package but `agent`, `wire`, `store` and `model`; shown by `magic` and `cli`. Promise: no name here is a
builtin's, and what the user sees of an error is its own sentences, never a stack of this project. (IPython ignores
`_render_traceback_` when an ExceptionGroup is in the error's context: raise outside of `except*` and task groups.)
"""

from __future__ import annotations

from bdb import BdbQuit
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class CholineError(Exception):
    """One failure. `message` is a sentence on what happened, `hint` one on what to do next.

    `still_billing` has one phrase for each thing that goes on costing money, e.g. "4x3090 on vast, 1.20 USD/h";
    empty where none does or where money was never involved, and then nothing is said of it.
    """

    def __init__(self, message: str, hint: str = "", still_billing: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.still_billing = tuple(still_billing)

    def __str__(self) -> str:
        return " ".join(filter(None, (self.message, *self._list_notes())))

    def render(self) -> str:
        """The error as plain text, one sentence a line: for terminals and logs."""
        return "\n".join(filter(None, (self.message, *self._list_notes())))

    def _list_notes(self) -> list[str]:
        billing = f"Still costing money: {'; '.join(self.still_billing)}." if self.still_billing else ""
        return [note for note in (self.hint, billing) if note]

    def _render_traceback_(self) -> list[str]:
        """Called by IPython in place of its own traceback formatter; the lines it shows under the cell."""
        return self.render().split("\n")


class RequestError(CholineError):
    """What was asked for cannot be done as it was asked; nothing was started."""


class UnknownOption(RequestError):
    """An option that does not exist, or not here."""


class UnknownVerb(RequestError):
    """A verb that does not exist."""


class UnknownSession(RequestError):
    """No session of that name."""


class UnknownJob(RequestError):
    """No job of that name, or none at all."""


class HostError(CholineError):
    """The machine that runs the cell, its agent, or the connection to it."""


class AgentMismatch(HostError):
    """Client and agent speak different versions of the protocol."""


class ConnectionLost(HostError):
    """The channel to the machine ended; what runs there goes on."""


class SessionEnded(HostError):
    """The session is over; a new one of its name can be opened."""


class AgentFailed(HostError):
    """The agent could not be started, or could not do what it was asked to."""


class EnvironmentFailed(CholineError):
    """What a session's environment is to hold could not be found, fetched or installed."""


class JobError(CholineError):
    """The job ended without success."""


class RemoteException(JobError):
    """The user's code raised on the other machine. Shown exactly as a local exception would be.

    `name`, `value` and `traceback` are those of Jupyter's `error` message (traceback: lines, colours included).
    """

    def __init__(self, name: str, value: str, traceback: Sequence[str] = (), still_billing: Sequence[str] = ()) -> None:
        super().__init__(value, still_billing=still_billing)
        self.args = (name, value)  # what pickle and copy call the class with
        self.name = name
        self.value = value
        self.traceback = tuple(traceback)

    def render(self) -> str:
        """The remote traceback; without one, what Python prints as its last line."""
        last_line = f"{self.name}: {self.value}" if self.value else self.name
        return "\n".join([*(self.traceback or (last_line,)), *self._list_notes()])

    def _render_traceback_(self) -> list[str]:
        """The remote kernel's own list: each frame is one entry of several lines."""
        return [*self.traceback, *self._list_notes()] if self.traceback else super()._render_traceback_()


class ShownException(RemoteException, BdbQuit):
    """One whose traceback stands in the cell already: IPython ends a cell by `BdbQuit` as failed without a word."""


class KernelDied(JobError):
    """The kernel ended in mid-cell: a crash, or a call that leaves the process."""


class OutOfMemory(JobError):
    """The kernel was killed because the machine or its limit had no memory left."""


class Interrupted(JobError):
    """The job was interrupted; the kernel's state is kept."""


class DiskFull(JobError):
    """The other machine's disk is full."""


class DataError(CholineError):
    """What this machine keeps cannot be read or written."""


class StoreFailed(DataError):
    """The ledger or the event store failed."""


class TooLarge(DataError):
    """More than was agreed to would come from another machine; nothing of it was accepted."""


class CorruptBlob(DataError):
    """What came from another machine is not what it announced."""


class NoRoom(DataError):
    """The disk of this machine is full."""


def make_remote_exception(
    content: Mapping[str, Any], still_billing: Sequence[str] = (), *, is_shown: bool = False
) -> RemoteException:
    """The exception an `error` message's content tells of, in a class named as the remote one.

    The name is what the local kernel reports as `ename`, so a notebook records `ValueError`, not our word for it.
    With `is_shown` its traceback stands in the cell already and is not shown again.
    """
    name, value = str(content.get("ename", "")), str(content.get("evalue", ""))
    lines = content.get("traceback")
    traceback = [str(line) for line in lines] if isinstance(lines, list) else []
    kind: type[RemoteException] = ShownException if is_shown else RemoteException
    if name.isidentifier():
        kind = type(name, (kind,), {"__module__": __name__})
    return kind(name or "Exception", value, traceback, still_billing)
