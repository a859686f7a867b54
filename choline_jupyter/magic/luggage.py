"""What goes along with a cell: the names and files of this notebook that it needs and its session does not have.

Made by `magic.notebook`, one per shell; called in the notebook's main thread.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.foresight import Need
from choline_jupyter.capture.history import History, list_sources
from choline_jupyter.capture.names import Item
from choline_jupyter.capture.packages import read_modules
from choline_jupyter.capture.sent import SentNames
from choline_jupyter.magic.activity import Activity
from choline_jupyter.magic.foreseen import foresee_cell, foresee_replayed
from choline_jupyter.session.cargo import Cargo, Packed
from choline_jupyter.session.consent import Consent
from choline_jupyter.session.file_sync import Shipment

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from choline_jupyter.session.bridge import Bridge
    from choline_jupyter.session.live import LiveSession
    from choline_jupyter.session.option_reader import Values


class Luggage:
    """Knows, by session and kernel, what is over there."""

    def __init__(self, shell: InteractiveShell, bridge: Bridge, consent: Consent) -> None:
        self._shell, self._bridge = shell, bridge
        self._history: History | None = None
        self._activity = Activity(shell)
        self._sent: dict[tuple[str, int], SentNames] = {}
        self._of_ranks: dict[tuple[str, int, int], SentNames] = {}  # of each rank that was started anew
        self._consent = consent
        self._last: tuple[LiveSession, Shipment] | None = None
        shell.events.register("pre_run_cell", self._warn)
        self._foreseen: tuple[str, int, list[Need]] | None = None
        shell.events.register("post_run_cell", self._explain)

    def pack(self, session: LiveSession, cell: str, number: int, options: Values) -> Packed:
        """What cell `number` needs and its session does not have; says what it needs and cannot have. Raises HostError."""
        acts, buffers, digests = self._pack_names(session, cell, number, not options.has("on"))
        shipment = None
        if session.spec and session.spec.files and not session.shares_files:
            needs = [*self._foresee(cell, number), *foresee_replayed(self._shell, acts)]
            shipment = self._pack_files(session, needs, options)
        packed = Cargo(acts, buffers, shipment, digests).send(self._bridge, session)
        self._last = (session, shipment) if shipment else None
        return packed

    def pack_move(
        self, session: LiveSession, needed: Collection[str], sources: str, items: Sequence[Item], options: Values
    ) -> Packed:
        """What a session needs that takes over `items` of another: names of this notebook, files that the sources name."""
        number = len(self.list_inputs()) - 1
        acts, buffers, digests = self._pack_names(session, "\n".join(sorted(needed)), number, True)
        for item in items:
            acts.append({**item.act, "name": item.name, "sizes": [_measure(part) for part in item.buffers]})
            buffers += item.buffers
            digests += item.digests
        shipment = None
        if session.spec and session.spec.files and not session.shares_files:
            needs = [*self._foresee(sources, number), *foresee_replayed(self._shell, acts)]
            shipment = self._pack_files(session, needs, options)
        return Cargo(acts, buffers, shipment, digests).send(self._bridge, session)

    def hand_over(self, old: LiveSession, new: LiveSession, names: Collection[str]) -> None:
        """The new session has these names of the old one, as they are there."""
        sent = self._find_sent(old)
        if sent is not None:
            self._sent[new.row.id, new.deaths] = sent.hand_over(names)

    def drop(self, session: LiveSession, names: Collection[str]) -> None:
        """These are not in a session after all."""
        sent = self._find_sent(session)
        if sent is not None:
            sent.drop(names)

    def has(self, name: str) -> bool:
        """Whether this notebook has a name."""
        return name in self._shell.user_ns and name not in self._shell.user_ns_hidden

    def forget(self) -> None:
        """The cell did not run: its files may not be over there."""
        if self._last:
            session, shipment = self._last
            session.files.sync.forget(shipment)

    def _pack_names(
        self, session: LiveSession, cell: str, number: int, is_for_all: bool
    ) -> tuple[list[dict[str, Any]], list[Any], list[str]]:
        sent = self._find_sent(session)
        if sent is None:
            return [], [], []
        epoch = self._activity.find_epoch()
        found = sent.plan(self.transform(cell), number, self._shell.user_ns, is_for_all, epoch)
        for name, why in found.kept.items():
            sys.stderr.write(f"choline: {name} stays here: it is {why}. Make it in a %%choline cell.\n")
        for item in found.items:
            if item.act["do"] == "replay":
                sys.stderr.write(_tell_replay(item.act))
        items: list[tuple[Item, dict[str, Any]]] = [(item, {}) for item in found.items]
        for rank, count in session.rank_deaths.items():
            missed = self._find_sent_of_rank(session, rank, count).plan(
                self.transform(cell), number, self._shell.user_ns
            )
            known = [item.act for item in found.items]
            items += [(item, {"ranks": [rank]}) for item in missed.items if item.act not in known]
        acts = [
            {**item.act, **more, "name": item.name, "sizes": [_measure(part) for part in item.buffers]}
            for item, more in items
        ]
        buffers = [part for item, _ in items for part in item.buffers]
        return acts, buffers, [digest for item, _ in items for digest in item.digests]

    def _find_sent_of_rank(self, session: LiveSession, rank: int, count: int) -> SentNames:
        """What a rank has that is younger than the others."""
        key, history = (session.row.id, rank, count), self._find_history()
        assert history
        return self._of_ranks.setdefault(key, SentNames(history, self._shell.user_ns_hidden))

    def _pack_files(self, session: LiveSession, needs: list[Need], options: Values) -> Shipment | None:
        """None where nothing has to go."""
        session.served.exclude(options.list("without"))
        choices = self._consent.choose([*needs, *session.list_fetched()], options)
        shipment = session.files.sync.plan(self._consent.settle(choices))
        for trouble in shipment.trouble:
            sys.stderr.write(f"choline: {trouble}.\n")
        return None if shipment.is_empty else shipment

    def list_sources(self, cell: str, number: int) -> list[str]:
        """The cell, the definitions of the notebook that it relies on, and its local modules, as Python."""
        history = self._find_history()
        code = self.transform(cell) or cell
        sources = list_sources(code, history) if history else [code]
        return [*sources, *read_modules(self._foresee(cell, number))]

    def list_inputs(self) -> list[str]:
        """The cells that have run here, as Python."""
        manager: Any = self._shell.history_manager
        return list(manager.input_hist_parsed) if manager else []

    def note_fetched(self, session: LiveSession, name: str, number: int) -> None:
        """Cell `number` has brought a name of a session into the notebook's namespace."""
        sent = self._find_sent(session)
        if sent is not None:
            sent.note_fetched(name, number, self._shell.user_ns)

    def is_ours(self, name: str) -> bool:
        """Whether this notebook has a name, and has bound it later than any session."""
        return name in self._shell.user_ns and not any(sent.is_theirs(name) for sent in self._sent.values())

    def _warn(self, info: Any) -> None:
        """Before a local cell: what it reads may be older than what a session has. Most cells are not even parsed."""
        code = str(getattr(info, "raw_cell", None) or "")
        if not self._sent or code.startswith("%%"):
            return
        namespace = self._shell.user_ns
        for name in {name for sent in self._sent.values() for name in sent.find_stale(self.transform(code), namespace)}:
            sys.stderr.write(
                f"choline: {name} here is older than the session's; `%choline get {name}` brings that one.\n"
            )

    def _foresee(self, cell: str, number: int) -> list[Need]:
        """Looked at once, for its packages and for its files."""
        if self._foreseen is None or self._foreseen[:2] != (cell, number):
            self._foreseen = (cell, number, foresee_cell(self._shell, cell, number))
        return self._foreseen[2]

    def _explain(self, result: Any) -> None:
        """A name that a local cell has not found may be one of a session. A cell that failed cannot be run again."""
        history = self._find_history()
        if not result.success and history is not None and getattr(result.info, "store_history", True):
            history.note_failure(len(self.list_inputs()) - 1)
        name = getattr(result.error_in_exec, "name", None) if isinstance(result.error_in_exec, NameError) else None
        if name and any(sent.is_theirs(name) for sent in self._sent.values()):
            sys.stderr.write(
                f"choline: a %%choline cell has made {name}: it is in the session. Read it in such a cell; "
                f"`%choline get {name}` brings it here.\n"
            )

    def _find_history(self) -> History | None:
        """The cells that have run here; None for a shell that keeps none."""
        manager: Any = self._shell.history_manager
        if manager and self._history is None:
            self._history = History(manager.input_hist_parsed)
        return self._history

    def _find_sent(self, session: LiveSession) -> SentNames | None:
        """What this kernel of the session has; None for a shell without a history of cells."""
        history = self._find_history()
        if history is None:
            return None
        key = (session.row.id, session.deaths)
        if key not in self._sent:
            self._sent[key] = SentNames(history, self._shell.user_ns_hidden)
        return self._sent[key]

    def transform(self, cell: str) -> str:
        """The cell as Python: its magics become calls."""
        try:
            return str(self._shell.input_transformer_manager.transform_cell(cell))
        except SyntaxError:  # the session's kernel says so, in its own words
            return ""


def _measure(part: Any) -> int:
    return memoryview(part).nbytes


def _tell_replay(act: dict[str, Any]) -> str:
    names, numbers = act["names"], [str(number) for number, _ in act["cells"]]
    cells = f"cells {', '.join(numbers)}" if len(numbers) > 1 else f"cell {numbers[0]}"
    return f"choline: {', '.join(names)}: made anew in the session by running {cells} there.\n"
