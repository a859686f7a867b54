"""The names that go along with a cell: what `capture` finds in this notebook, packed for the session's channel.

Made by `magic.notebook`, one per shell; called in the notebook's main thread. Small ones travel with the cell itself, in
the same frame; large ones go ahead as one blob on the bulk channel.
"""

from __future__ import annotations

import sys
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from choline_jupyter.capture.history import History
from choline_jupyter.capture.names import Item
from choline_jupyter.capture.sent import SentNames
from choline_jupyter.session.bulk import Bulk, hash_file

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from choline_jupyter.session.bridge import Bridge
    from choline_jupyter.session.live import LiveSession

_WITH_THE_CELL = 4 << 20


class Packed(NamedTuple):
    """What the job's header says of its names, and their bytes if they go with it."""

    header: dict[str, Any]
    extra: bytes = b""


class Luggage:
    """Knows, by session and kernel, what is over there."""

    def __init__(self, shell: InteractiveShell, bridge: Bridge) -> None:
        self._shell, self._bridge = shell, bridge
        self._history: History | None = None
        self._sent: dict[tuple[str, int], SentNames] = {}
        shell.events.register("post_run_cell", self._explain)

    def pack(self, session: LiveSession, cell: str, number: int) -> Packed:
        """What cell `number` needs and its session does not have; says what it needs and cannot have."""
        sent = self._find_sent(session)
        if sent is None:
            return Packed({})
        found = sent.plan(self._transform(cell), number, self._shell.user_ns)
        for name, why in found.kept.items():
            sys.stderr.write(f"choline: {name} stays here: it is {why}. Make it in a %%choline cell.\n")
        if not found.items:
            return Packed({})
        acts = [
            {**item.act, "name": item.name, "sizes": [_measure(part) for part in item.buffers]} for item in found.items
        ]
        if sum(size for act in acts for size in act["sizes"]) > _WITH_THE_CELL:
            return Packed({"names": acts, "blob": self._send_ahead(session, found.items)})
        return Packed({"names": acts}, b"".join(bytes(part) for item in found.items for part in item.buffers))

    def _explain(self, result: Any) -> None:
        """A name that a local cell has not found may be one of a session."""
        name = getattr(result.error_in_exec, "name", None) if isinstance(result.error_in_exec, NameError) else None
        if name and any(sent.is_theirs(name) for sent in self._sent.values()):
            sys.stderr.write(
                f"choline: a %%choline cell has made {name}: it is in the session. Read it in such a cell.\n"
            )

    def _find_sent(self, session: LiveSession) -> SentNames | None:
        """What this kernel of the session has; None for a shell without a history of cells."""
        manager: Any = self._shell.history_manager
        if manager is None:
            return None
        self._history = self._history or History(manager.input_hist_parsed)
        key = (session.row.id, session.deaths)
        if key not in self._sent:
            self._sent[key] = SentNames(self._history, self._shell.user_ns_hidden)
        return self._sent[key]

    def _transform(self, cell: str) -> str:
        """The cell as Python: its magics become calls."""
        try:
            return str(self._shell.input_transformer_manager.transform_cell(cell))
        except SyntaxError:  # the session's kernel says so, in its own words
            return ""

    def _send_ahead(self, session: LiveSession, items: list[Item]) -> str:
        folder = self._bridge.engine.directory / "outbox"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / uuid.uuid4().hex
        try:
            with path.open("wb") as file:
                for item in items:
                    for part in item.buffers:
                        file.write(part)
            digest = self._bridge.call(hash_file(path))
            self._bridge.call(Bulk(session.connection).put({digest: path}))
        finally:
            path.unlink(missing_ok=True)
        return digest


def _measure(part: Any) -> int:
    return memoryview(part).nbytes
