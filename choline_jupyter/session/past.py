"""The past of a session: machines of earlier epochs that do not know that it goes on elsewhere.

Made by `session.live`, which asks it about every event. Promise: nothing that such a machine still says is shown, kept or written
here; that there is one is said once. (The event store refuses by itself, for processes that have not heard of the new epoch.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from choline_jupyter.model.event import Event, Kind

if TYPE_CHECKING:
    from choline_jupyter.model.session import SessionRow

_WRITES = (Kind.CHECKPOINT, Kind.ARTIFACT)
_SENTENCE = "what {machine} still says is refused: its session goes on on another machine"


class Past:
    """`find_epoch` asks the ledger for the newest epoch; `tell` takes the sentence for the user."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.find_epoch: Callable[[], int] = lambda: 0
        self._tell, self._told = tell, 0

    def has(self, row: SessionRow, event: Event) -> bool:
        """Whether an event belongs to it; the ledger is asked only about what would be written into the project."""
        is_past = event.series.epoch != row.epoch or (event.kind in _WRITES and self.holds(row))
        if is_past:
            self.note(row)
        return is_past

    def holds(self, row: SessionRow) -> bool:
        """Whether the epoch of this row is over."""
        return self.find_epoch() > row.epoch

    def note(self, row: SessionRow) -> None:
        """One of its machines was heard."""
        if self._told != row.epoch:
            self._told = row.epoch
            self._tell(_SENTENCE.format(machine=row.machine))
