"""What one session has been sent, and who has bound each name last: here or there.

Made by `magic.notebook`, one per kernel of a session. Promise: the last writer in the order of execution wins; what a
remote cell has bound is not overwritten by an older value of this side; what is over there already is not sent again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, NamedTuple

from choline_jupyter.capture.fingerprint import find_fingerprint
from choline_jupyter.capture.history import History
from choline_jupyter.capture.names import Gathered, Item, gather
from choline_jupyter.capture.proxy import Proxy
from choline_jupyter.capture.reads import find_names


class _Sent(NamedTuple):
    digest: str
    at: int  # the number of the cell that it went with


class _Made(NamedTuple):
    at: int  # the number of the cell that it was re-made for
    fingerprint: str | None  # of the value here
    cells: list[Any]


class SentNames:
    """`history` is of the notebook's own cells; `hidden` are names that belong to the shell and not to the user."""

    def __init__(self, history: History, hidden: Mapping[str, Any]) -> None:
        self._history, self._hidden = history, hidden
        self._namespace: Mapping[str, Any] = {}
        self._fingerprints: dict[str, str | None] = {}
        self._epoch = -1
        self._settled: set[str] = set()  # needs nothing from here while nothing happens here
        self._sent: dict[str, _Sent] = {}
        self._written: dict[str, int] = {}  # by remote cells
        self._touched: dict[str, int] = {}  # read by remote cells, which may have changed it in place
        self._made: dict[str, _Made] = {}  # by running their cells there
        self._effects_until = 1  # the first cell whose effects have not gone along
        self._told: set[str] = set()
        self._told_stale: dict[str, int] = {}  # by name, the write over there that was told of

    def plan(
        self, code: str, number: int, namespace: Mapping[str, Any], is_for_all: bool = True, epoch: int = -1
    ) -> Gathered:
        """What goes with cell `number`, and what of it stays here and has not been said to before.

        A cell that is not for all of the session's ranks counts as written and read, but what goes with it does not count
        as sent. `epoch` is the same (and not negative) as long as none of this side's code has run: what was looked at
        then is the same.
        """
        before = dict(self._sent), dict(self._made), self._effects_until, set(self._settled)
        found = self._plan(code, number, namespace, epoch)
        if not is_for_all:
            self._sent, self._made, self._effects_until, self._settled = before
        return found

    def _plan(self, code: str, number: int, namespace: Mapping[str, Any], epoch: int) -> Gathered:
        is_quiet, self._epoch = epoch == self._epoch >= 0, epoch
        names = find_names(code)
        if not is_quiet:
            self._settled.clear()
        found = Gathered()
        if not (is_quiet and names.reads <= self._settled):
            self._namespace, self._fingerprints = namespace, {}
            effects = self._list_effects(number)
            found = gather(names.reads, namespace, self._history, self._is_ours, self._is_made, effects)
            found.items = [item for item in found.items if self._is_new(item, number, found)]
            found.kept = {name: why for name, why in found.kept.items() if name not in self._told}
            self._told |= set(found.kept)
            self._settled |= names.reads
        for name in names.reads:
            self._touched[name] = number
        for name in names.writes:
            self._written[name] = number
        return found

    def note_fetched(self, name: str, number: int, namespace: Mapping[str, Any]) -> None:
        """Cell `number` has brought a name from over there: it is the same on both sides."""
        self._history.note_write(name, number)
        self._written.pop(name, None)
        self._settled.clear()
        for item in gather([name], namespace, self._history, self._is_ours).items:
            self._sent[item.name] = _Sent(item.find_digest(), number)

    def hand_over(self, names: Collection[str]) -> SentNames:
        """What a session has that takes these names over from this one."""
        taken = SentNames(self._history, self._hidden)
        taken._sent = {name: sent for name, sent in self._sent.items() if name in names}
        taken._written = {name: at for name, at in self._written.items() if name in names}
        taken._touched = {name: at for name, at in self._touched.items() if name in names}
        return taken

    def drop(self, names: Collection[str]) -> None:
        """These are not over there after all: what is here counts."""
        for name in names:
            for noted in (self._sent, self._written, self._touched, self._made):
                noted.pop(name, None)
        self._settled.clear()

    def find_stale(self, code: str, namespace: Mapping[str, Any]) -> list[str]:
        """Which names that a cell of this side reads a cell over there has bound since; each is told of once."""
        behind = {name for name in self._written if name in namespace and name in code and self.is_theirs(name)}
        fresh = {name for name in behind if self._told_stale.get(name) != self._written[name]}
        found = sorted(find_names(code).reads & {name for name in fresh if _is_value(namespace[name])}) if fresh else []
        self._told_stale.update((name, self._written[name]) for name in found)
        return found

    def is_theirs(self, name: str) -> bool:
        """Whether a cell over there has bound a name last."""
        return name in self._written and not self._is_ours(name)

    def _is_ours(self, name: str) -> bool:
        if name.startswith("_") or name in self._hidden:
            return False
        return self._history.find_write(name) > self._written.get(name, 0) or name not in self._written

    def _is_made(self, name: str) -> bool:
        """Whether it was re-made over there since it was made here and has not changed here since."""
        made = self._made.get(name)
        if made is None or self._history.find_write(name) > made.at:
            return False
        if made.fingerprint is None:
            return self._history.find_change(name, self._namespace.get(name)) <= made.at
        return self._find_fingerprint(name) == made.fingerprint

    def _find_fingerprint(self, name: str) -> str | None:
        if name not in self._fingerprints:
            self._fingerprints[name] = find_fingerprint(self._namespace.get(name))
        return self._fingerprints[name]

    def _note_made(self, item: Item, number: int, found: Gathered) -> None:
        """Re-made over there; what has changed here without its cells would come out as the last time, and that is said."""
        for name in item.act["names"]:
            before, cells = self._made.get(name), item.act["cells"]
            if before and before.cells == cells and self._history.find_write(name) <= before.at:
                found.kept[name] = "changed by other means than by cells that name it"
                self._told.discard(name)
            self._made[name] = _Made(number, self._find_fingerprint(name), cells)

    def _list_effects(self, number: int) -> list[str]:
        """What the cells before `number` have set for everything, as far as it has not gone along yet."""
        last = min(number, self._history.count())
        new = range(self._effects_until, last)
        self._effects_until = max(last, self._effects_until)
        cells = [self._history.find_cell(place) for place in new if not self._history.has_failed(place)]
        return [effect for cell in cells for effect in cell.effects]

    def _is_new(self, item: Item, number: int, found: Gathered) -> bool:
        """Whether it is not over there as it is here; notes it as sent."""
        if item.act["do"] == "effect":
            return True
        if item.act["do"] == "replay":
            self._note_made(item, number, found)
            return True
        digest, sent = item.find_digest(), self._sent.get(item.name)
        if sent and sent.digest == digest:
            rewritten = self._history.find_write(item.name) > sent.at
            if not (rewritten and self._touched.get(item.name, 0) >= sent.at):
                return False
        self._sent[item.name] = _Sent(digest, number)
        return True


def _is_value(value: Any) -> bool:
    """Whether it can be older than another: a module, and what modules hold, is the same on both sides."""
    if isinstance(value, (ModuleType, Proxy)):
        return False
    return not isinstance(value, (FunctionType, BuiltinFunctionType, type)) or value.__module__ == "__main__"
