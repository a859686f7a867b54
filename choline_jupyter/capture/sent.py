"""What one session has been sent, and who has bound each name last: here or there.

Made by `magic.notebook`, one per kernel of a session. Promise: the last writer in the order of execution wins; what a
remote cell has bound is not overwritten by an older value of this side; what is over there already is not sent again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from choline_jupyter.capture.history import History
from choline_jupyter.capture.names import Gathered, Item, gather
from choline_jupyter.capture.reads import find_names


class _Sent(NamedTuple):
    digest: str
    at: int  # the number of the cell that it went with


class SentNames:
    """`history` is of the notebook's own cells; `hidden` are names that belong to the shell and not to the user."""

    def __init__(self, history: History, hidden: Mapping[str, Any]) -> None:
        self._history, self._hidden = history, hidden
        self._sent: dict[str, _Sent] = {}
        self._written: dict[str, int] = {}  # by remote cells
        self._touched: dict[str, int] = {}  # read by remote cells, which may have changed it in place
        self._told: set[str] = set()

    def plan(self, code: str, number: int, namespace: Mapping[str, Any]) -> Gathered:
        """What goes with cell `number`, and what of it stays here and has not been said to before."""
        names = find_names(code)
        found = gather(names.reads, namespace, self._history, self._is_ours)
        found.items = [item for item in found.items if self._is_new(item, number)]
        found.kept = {name: why for name, why in found.kept.items() if name not in self._told}
        self._told |= set(found.kept)
        for name in names.reads:
            self._touched[name] = number
        for name in names.writes:
            self._written[name] = number
        return found

    def is_theirs(self, name: str) -> bool:
        """Whether a cell over there has bound a name last."""
        return name in self._written and not self._is_ours(name)

    def _is_ours(self, name: str) -> bool:
        if name.startswith("_") or name in self._hidden:
            return False
        return self._history.find_write(name) > self._written.get(name, 0) or name not in self._written

    def _is_new(self, item: Item, number: int) -> bool:
        """Whether it is not over there as it is here; notes it as sent."""
        digest, sent = item.find_digest(), self._sent.get(item.name)
        if sent and sent.digest == digest:
            rewritten = self._history.find_write(item.name) > sent.at
            if not (rewritten and self._touched.get(item.name, 0) >= sent.at):
                return False
        self._sent[item.name] = _Sent(digest, number)
        return True
