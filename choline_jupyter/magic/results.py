"""Variables that come from a session into this notebook's namespace: after a cell with `--out`, or asked for by `get`.

Made by `magic.notebook`, one per shell; called in the notebook's main thread.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from choline_jupyter.capture.proxy import Proxy
from choline_jupyter.errors import CholineError
from choline_jupyter.session.progress import TransferLine
from choline_jupyter.session.results import Result, bring, decode, read_results

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from choline_jupyter.magic.luggage import Luggage
    from choline_jupyter.model.event import Event
    from choline_jupyter.session.bridge import Bridge
    from choline_jupyter.session.live import LiveSession


class Returns:
    """Sets names; what cannot come is said, and the others come all the same."""

    def __init__(self, shell: InteractiveShell, bridge: Bridge, luggage: Luggage) -> None:
        self._shell, self._bridge, self._luggage = shell, bridge, luggage

    def take(self, session: LiveSession, events: Sequence[Event], names: Sequence[str], number: int) -> None:
        """Have `names`, of which a job of the session has told in `events`, in cell `number`."""
        for result in read_results(events, names):
            try:
                self._take(session, result, number)
            except CholineError as error:
                _say(str(error))
            except KeyboardInterrupt:
                _say(f"{result.name} is not here yet; `%choline get {result.name}` goes on where it was.")
                raise

    def _take(self, session: LiveSession, result: Result, number: int) -> None:
        if result.failure:
            _say(result.failure)
        elif result.shown or result.why:
            self._stand_in(result)
        else:
            line, inbox = TransferLine(result.name, sum(result.sizes)), self._bridge.engine.directory / "inbox"
            with closing(line):
                parts = self._bridge.call(bring(session, result, inbox, line.note))
            self._shell.user_ns[result.name] = decode(result.name, parts)
            self._luggage.note_fetched(session, result.name, number)

    def _stand_in(self, result: Result) -> None:
        """A value of this side's is not given up for what only shows another."""
        there = f"{result.name} stays in the session: it is {result.why}."
        if isinstance(self._shell.user_ns.get(result.name), (Proxy, type(None))):
            self._shell.user_ns[result.name] = Proxy(result.name, result.shown, result.type, f"it is {result.why}")
            _say(f"{there} What is here only shows it.")
        else:
            _say(f"{there} The one that is here is kept.")


def _say(sentence: str) -> None:
    sys.stderr.write(f"choline: {sentence}\n")
    sys.stderr.flush()
