"""`%choline move`: the notebook's session on another machine, with its names, and then the old machine's end.

Made by `magic.notebook` for each move; runs in the main thread. Promise: the old session lives until the new one has been
seen to have what is said of it; whatever goes wrong before that ends the new one, and says what the old one costs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.relocation import Relocation, plan_relocation
from choline_jupyter.errors import CholineError, RequestError
from choline_jupyter.model.event import Event
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.names import make_identifier
from choline_jupyter.model.session import Trust
from choline_jupyter.session.outcome import tell
from choline_jupyter.session.relocation import (
    Past,
    bring_left,
    choose_known,
    collect,
    make_wish,
    name_move,
    read_inventory,
    render_relocation,
)
from choline_jupyter.session.report import render_duration

if TYPE_CHECKING:
    from choline_jupyter.magic.imports import CellImports
    from choline_jupyter.magic.luggage import Luggage
    from choline_jupyter.session.bridge import Bridge
    from choline_jupyter.session.live import LiveSession
    from choline_jupyter.session.option_reader import Values
    from choline_jupyter.session.outcome import Outcome
    from choline_jupyter.session.spec import SessionSpec

_LONG = 60.0  # seconds of cells that are not run again without asking

Run = Callable[["LiveSession", JobRow, dict[str, Any], bytes], "Outcome"]


class Move:
    """`run` has a job without code run and shown; `ask` answers a question with yes or no."""

    def __init__(
        self, bridge: Bridge, luggage: Luggage, imports: CellImports, run: Run, ask: Callable[[str], bool]
    ) -> None:
        self._bridge, self._luggage, self._imports = bridge, luggage, imports
        self._run, self._ask = run, ask

    def move(
        self, old: LiveSession, spec: SessionSpec, options: Values, open_: Callable[..., LiveSession]
    ) -> LiveSession:
        """Returns the new session, when the old one has ended; raises CholineError with the old one as it was."""
        self._check(old, spec)
        past = Past(self._bridge.engine.store, old.row.id, self._luggage.transform)
        moved = self._plan(old, spec, past)
        new = self._open(old, spec, past, open_)
        try:
            self._fill(old, new, moved, options)
            sys.stdout.write(render_relocation(moved, past) + "\n")
            self._take_leave(old)
        except BaseException as error:
            with suppress(CholineError):  # what is left of it is among what still costs money
                self._bridge.call(self._bridge.engine.stop(new.row))
            if isinstance(error, CholineError):
                raise self._explain(old, error) from None
            raise
        return new

    def _check(self, old: LiveSession, spec: SessionSpec) -> None:
        if spec.matches(old.row):
            raise RequestError("The session is there already.", "Say where it is to go: --gpu, --host, --isolated.")
        if not spec.rent and any(spec.matches(row) for row in self._bridge.engine.store.list_sessions()):
            raise RequestError(
                f"There is a session {spec.name} on {spec.machine}, and the names of the two would mix.",
                "Stop it, or give another name: --session NAME.",
            )
        if spec.ranks > 1 or old.ranks > 1:
            raise RequestError(
                "A session of several ranks cannot be moved.", "Open another one with --ranks, and run its cells there."
            )
        agent = self._bridge.call(self._bridge.engine.describe(old.row.provider, old.row.machine)) or {}
        hosted = next((one for one in agent.get("sessions", ()) if one["session"] == old.row.id), None)
        if hosted is None:
            raise RequestError(
                "The session's machine does not answer, so its names cannot be had.",
                "`%choline resume JOB` goes on elsewhere.",
            )
        if hosted["running"] or hosted["queue"]:
            raise RequestError(
                f"Job {hosted['running']} still runs there.", "Interrupt it or wait for it; `%choline attach` shows it."
            )

    def _plan(self, old: LiveSession, spec: SessionSpec, past: Past) -> Relocation:
        """Nothing is opened yet: what the old machine cannot give is known before another one costs money."""
        held = read_inventory(self._tell(old, {"inventory": True}))
        is_own = old.row.trust is not Trust.RENTED
        if not is_own:
            held = choose_known(held, past.cells, self._luggage.has)
        wish = make_wish(held, past.cells, is_own or spec.rent is not None)
        given = collect(self._bridge, old, self._tell(old, dict(wish)), wish)
        moved = plan_relocation(held, given, past.cells, self._luggage.has)
        seconds = past.measure(moved.cells)
        if seconds > _LONG and not self._ask(
            f"{', '.join(sorted(moved.replayed))} can only be made again by cells that took {render_duration(seconds)}."
            " Run them there?"
        ):
            return plan_relocation(held, given, past.cells, self._luggage.has, allows_replay=False)
        return moved

    def _tell(self, session: LiveSession, wish: dict[str, Any]) -> Sequence[Event]:
        return self._run_silent(session, "names", {"move": wish}).artifacts

    def _run_silent(self, session: LiveSession, name: str, header: dict[str, Any], extra: bytes = b"") -> Outcome:
        job = JobRow(make_identifier("j"), session.row.id, name=name)
        told = {"msg_id": job.id, "allow_stdin": False, **header}
        outcome = self._run(session, job, told, extra)
        if outcome.failure:
            raise outcome.failure
        return outcome

    def _open(self, old: LiveSession, spec: SessionSpec, past: Past, open_: Callable[..., LiveSession]) -> LiveSession:
        text = "\n".join(past.cells.find_code(number) for number in range(1, past.cells.count()))
        whole = self._imports.complete(spec, text, len(self._luggage.list_inputs()) - 1)
        if spec.provider != "local" and spec.are_found:
            whole = replace(whole, packages=tuple(dict.fromkeys([*whole.packages, *sorted(old.packages)])))
        try:
            new = open_(whole)
        except CholineError as error:
            raise self._explain(old, error) from None
        billing = self._bridge.engine.tenancy.fleet.describe_billing() if self._is_rented(old, new) else ()
        if billing:
            tell(f"choline: until it is moved both are paid for: {'; '.join(billing)}.\n")
        return new

    def _is_rented(self, *sessions: LiveSession) -> bool:
        return any(self._bridge.engine.tenancy.is_rented(session.row) for session in sessions)

    def _fill(self, old: LiveSession, new: LiveSession, moved: Relocation, options: Values) -> None:
        """Make the names over there, and see which of them are there."""
        taken = {*moved.carried, *moved.rewritten, *moved.replayed} - moved.needed
        self._luggage.hand_over(old, new, taken)
        packed = self._luggage.pack_move(new, moved.needed, moved.sources, moved.items, options)
        header = {**packed.header, "move": {"inventory": True}}
        outcome = self._run_silent(new, name_move(old.row.id), header, packed.extra)
        there = {one.name for one in read_inventory(outcome.artifacts)}
        missing = {*taken, *moved.needed} - there
        moved.give_up(missing, "could not be made there")
        moved.needed -= missing
        self._luggage.drop(new, missing)

    def _take_leave(self, old: LiveSession) -> None:
        """Have at home what the old machine still has of its jobs' files, and end it."""
        engine = self._bridge.engine
        engine.store.flush()
        self._bridge.call(bring_left(engine.store, old))
        if not self._bridge.call(engine.stop(old.row)):
            still = "; ".join(engine.tenancy.fleet.describe_billing())
            tell(f"choline: the old machine is not known to be gone yet; costing money: {still}.\n")

    def _explain(self, old: LiveSession, error: CholineError) -> CholineError:
        billing = self._bridge.engine.tenancy.fleet.describe_billing() if self._is_rented(old) else ()
        machine = self._bridge.engine.tenancy.find_machine(old.row) if billing else None
        place = f"its {machine.provider} machine" if machine else old.row.machine
        what = f"The session was not moved, it is still on {place}: {error.message}"
        return CholineError(what, error.hint, billing)
