"""The verbs that answer with text, for the magic and the command alike: status, logs, interrupt, stop, doctor.

Called by `magic.notebook` and `cli`; `attach` is theirs, because it shows events as they come.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from choline_jupyter.errors import RequestError, UnknownJob, UnknownSession
from choline_jupyter.model.event import Kind
from choline_jupyter.model.session import SessionRow
from choline_jupyter.providers.provider import Access
from choline_jupyter.session.bridge import Bridge
from choline_jupyter.session.checkpoint_list import render_checkpoints
from choline_jupyter.session.doctor import examine
from choline_jupyter.session.experiments import compare_runs, list_runs, make_run, render_runs, sort_runs
from choline_jupyter.session.host_check import examine_host
from choline_jupyter.session.keeping import find_keeper
from choline_jupyter.session.login import log_in
from choline_jupyter.session.machine import Way, find_way
from choline_jupyter.session.offers import collect_offers, render_offers
from choline_jupyter.session.option_table import quote
from choline_jupyter.session.options import VerbRequest
from choline_jupyter.session.progress_record import render_progress
from choline_jupyter.session.progress_series import find_progress
from choline_jupyter.session.project import find_project
from choline_jupyter.session.prompts import Answer
from choline_jupyter.session.rent.ledger_report import render_budget, write_csv
from choline_jupyter.session.rent.limits import read_settings
from choline_jupyter.session.rent.suppliers import load_rented
from choline_jupyter.session.rent.verbs import look_around, show_market, sweep
from choline_jupyter.session.rent.wish import is_wish, read_wish
from choline_jupyter.session.report import render_logs, render_status
from choline_jupyter.session.resumption import check_job

_PORTS = 1 << 16
_Result = TypeVar("_Result")


class Verbs:
    """Performs verbs with this process's engine. `here` names the notebook or folder that asks.

    `confirm` is asked before something ends, `answer` what a machine asks of the user on the way.
    """

    def __init__(
        self, bridge: Bridge, confirm: Callable[[str], bool] | None = None, answer: Answer | None = None
    ) -> None:
        self._bridge = bridge
        self._confirm, self._answer = confirm, answer
        self.current: SessionRow | None = None

    def perform(self, request: VerbRequest, here: str) -> str:
        """Do what is asked and return what to print; raises CholineError."""
        perform: Callable[[VerbRequest, str], str] = getattr(self, f"_{request.verb}")
        return perform(request, here)

    def _status(self, request: VerbRequest, here: str) -> str:
        store, fleet = self._bridge.engine.store, self._bridge.engine.tenancy.fleet
        rented = self._call(look_around(fleet, store)) if fleet.is_used else []
        sessions = store.list_sessions()
        machines = {(row.provider, row.machine) for row in sessions if row.state.is_open}
        agents = {machine: self._ask(provider, machine) for provider, machine in machines}
        text = render_status(sessions, store.list_jobs(limit=20), agents, find_keeper())
        return "\n".join([text, *self._list_progress(), *(["", "Rented machines", *rented] if rented else [])])

    def _list_progress(self) -> list[str]:
        """How far the jobs are that run."""
        store = self._bridge.engine.store
        store.flush()
        running = [job for job in store.list_jobs(limit=20) if job.state.is_open]
        shown = [(job.id, render_progress(find_progress(store, job.id), is_running=True)) for job in running]
        return (
            ["", "Progress", *(f"  {job}  {text}" for job, text in shown if text)] if any(t for _, t in shown) else []
        )

    def _logs(self, request: VerbRequest, here: str) -> str:
        store = self._bridge.engine.store
        job = store.find_job(request.positionals[0])
        if job is None:
            raise UnknownJob(f"There is no job {request.positionals[0]!r}.", "`choline status` lists the newest.")
        store.flush()
        return render_logs(store.read_job(job.id)).rstrip("\n")

    def _interrupt(self, request: VerbRequest, here: str) -> str:
        row = self.find_here(here)
        session = self._bridge.call(self._bridge.engine.join(row, follow=False))
        self._bridge.post(session.interrupt)
        return f"Interrupted what runs in {row.name}."

    def _stop(self, request: VerbRequest, here: str) -> str:
        way = find_way(request.options)
        rows = self._list_on(way) if way else self._list_wanted(request, here)
        if request.options.has("purge"):
            return self._purge([way] if way else _list_ways(rows), request)
        if not rows:
            self._retire_agents(rows)
            return "No session is open; nothing runs."
        names = ", ".join(row.name for row in rows)
        if not request.options.has("yes") and self._confirm and not self._confirm(f"Stop {names}?"):
            return "Nothing was stopped."
        left = [row for row in rows if not self._bridge.call(self._bridge.engine.stop(row))]
        if left:
            fleet = self._bridge.engine.tenancy.fleet
            said = [line for line in self._call(look_around(fleet, self._bridge.engine.store)) if line.startswith("!")]
            still = f"still costing money: {'; '.join(fleet.describe_billing())}. Its end is asked for again and again"
            text = f"Stopped {names}, but a machine is not known to be gone yet; {still}; `choline status` says when it is."
            return "\n".join([text, *said])
        if request.options.has("all"):
            self._retire_agents(rows)
        return f"Stopped {names}; nothing of it runs any more."

    def _purge(self, ways: list[Way], request: VerbRequest) -> str:
        """End what runs on these machines and remove what is kept there."""
        names = ", ".join(way.machine for way in ways) or "nothing"
        if not request.options.has("yes") and self._confirm and not self._confirm(f"Remove all of choline on {names}?"):
            return "Nothing was removed."
        for way in ways:
            self._call(self._bridge.engine.purge(*way))
        return f"Stopped and removed all of choline on {names}."

    def _offers(self, request: VerbRequest, here: str) -> str:
        """The user's own machines; what can be rented, if that is asked for or anybody is ready."""
        engine, provider = self._bridge.engine, request.options.text("provider") or ""
        wish = read_wish(request.options)
        if is_wish(request.options) or provider not in ("", "local", "ssh"):
            return self._call(show_market(engine.tenancy.fleet, wish, provider))
        own = render_offers(self._call(collect_offers(engine, find_way(request.options))))
        if provider or request.options.has("host") or not load_rented():
            return own
        return f"{own}\n\n{self._call(show_market(engine.tenancy.fleet, wish))}"

    def _budget(self, request: VerbRequest, here: str) -> str:
        fleet = self._bridge.engine.tenancy.fleet
        return write_csv(fleet) if request.options.has("csv") else render_budget(fleet, read_settings())

    def _forward(self, request: VerbRequest, here: str) -> str:
        port = request.positionals[0]
        if not (port.isascii() and port.isdigit() and 0 < int(port) < _PORTS):
            raise RequestError(f"{quote(port)} is no port.", "Give a number, such as 6006.")
        engine, name = self._bridge.engine, request.options.text("session")
        row = engine.find_row(name) if name else self.find_here(here)
        url = self._call(engine.forward(row, int(port)))
        return f"{url} shows what listens at port {port} of {row.name}'s machine, as long as this process lives."

    def _gc(self, request: VerbRequest, here: str) -> str:
        adopts = request.options.has("adopt")
        question = "End every machine with this client's label that the ledger does not know?"
        if not adopts and not request.options.has("yes") and self._confirm and not self._confirm(question):
            return "Nothing was ended."
        return self._call(sweep(self._bridge.engine.tenancy.fleet, self._bridge.engine.store, adopts=adopts))

    def _login(self, request: VerbRequest, here: str) -> str:
        return log_in(request.positionals[0], self._answer, self._bridge.call)

    def _doctor(self, request: VerbRequest, here: str) -> str:
        way = find_way(request.options)
        if way:
            started = time.monotonic()
            found = self._call(self._bridge.engine.probe(*way))
            return "\n".join(examine_host(way.machine, time.monotonic() - started, found))
        return "\n".join(examine(self._bridge.engine, self._ask))

    def _pull(self, request: VerbRequest, here: str) -> str:
        """Bring home what a job has written, and wait for it."""
        engine = self._bridge.engine
        job = engine.store.find_job(request.positionals[0])
        if job is None:
            raise UnknownJob(f"There is no job {request.positionals[0]!r}.", "`choline status` lists the newest.")
        row = next(row for row in engine.store.list_sessions() if row.id == job.session)
        engine.store.flush()
        announced = [event for event in engine.store.read_job(job.id) if event.kind in (Kind.ARTIFACT, Kind.CHECKPOINT)]
        if not announced:
            return f"Job {job.id} has written no file into the project's folder."
        session = self._call(engine.join(row, follow=False))
        said = self._call(session.pull(announced))
        session.checkpoints.uploads.wait()
        return "\n".join([*said, *session.files.take_notices()])

    def _checkpoints(self, request: VerbRequest, here: str) -> str:
        job = request.positionals[0] if request.positionals else ""
        coming = sum(session.checkpoints.count_coming(job) for session in list(self._bridge.engine.sessions.values()))
        return render_checkpoints(_find_root(here), check_job(job) if job else "", coming)

    def _runs(self, request: VerbRequest, here: str) -> str:
        """A table; two jobs' names compare them."""
        store, words, fleet = self._bridge.engine.store, request.positionals, self._bridge.engine.tenancy.fleet
        root = _find_root(here)
        jobs = [store.find_job(word) for word in words if word.startswith("j-")]
        if len(words) == 2 and all(jobs) and len(jobs) == 2:
            first, second = (make_run(store, fleet, root, job) for job in jobs if job)
            return compare_runs(first, second)
        found = list_runs(store, fleet, root, " ".join(words))
        return render_runs(sort_runs(found, request.options.text("sort") or "time"))

    def _resume(self, request: VerbRequest, here: str) -> str:
        raise RequestError(
            "A notebook's job is resumed in its notebook.",
            f"There: %choline resume {request.positionals[0]}. A script: choline SCRIPT.py --resume {request.positionals[0]}",
        )

    def _rerun(self, request: VerbRequest, here: str) -> str:
        raise RequestError(
            "A notebook's job is run again in its notebook.", f"There: %choline rerun {request.positionals[0]}"
        )

    def _move(self, request: VerbRequest, here: str) -> str:
        raise RequestError("A notebook's session is moved in its notebook.", "There: %choline move.")

    def _files(self, request: VerbRequest, here: str) -> str:
        raise RequestError("A script's files are shown by the command.", f"Run: choline files {request.positionals[0]}")

    def _retire_agents(self, rows: list[SessionRow]) -> None:
        """The agents that hosted these sessions need not wait for others."""
        for provider, machine in {("local", "this machine"), *((row.provider, row.machine) for row in rows)}:
            self._bridge.call(self._bridge.engine.retire(provider, machine))

    def _list_wanted(self, request: VerbRequest, here: str) -> list[SessionRow]:
        if request.options.has("all"):
            return self._list_all()
        if request.positionals:
            return [self._bridge.engine.find_row(request.positionals[0])]
        return [self.find_here(here)]

    def _list_on(self, way: Way) -> list[SessionRow]:
        return [row for row in self._list_all() if (row.provider, row.machine) == (way.provider, way.machine)]

    def _list_all(self) -> list[SessionRow]:
        """Every open session; of those noted as open here, also the ones that no agent knows any more."""
        return [row for row in self._bridge.engine.store.list_sessions() if row.state.is_open]

    def find_here(self, here: str) -> SessionRow:
        """The session that is used here, else the open one of this notebook or folder, or the only one there is."""
        rows = self._list_all()
        if self.current and self.current.id in [row.id for row in rows]:
            return self.current
        mine = [row for row in rows if here in (row.name, row.directory)]
        if not rows:
            raise UnknownSession("No session is open.", "`%%choline` on top of a cell opens one.")
        if len(mine) != 1 and len(rows) != 1:
            names = ", ".join(_list_names(mine or rows))
            raise RequestError("Several sessions are open.", f"Name one of: {names}.")
        return (mine or rows)[0]

    def _call(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        return self._bridge.call(coroutine, self._answer)

    def _ask(self, provider: str, machine: str) -> dict[str, Any] | None:
        return self._bridge.call(self._bridge.engine.describe(provider, machine))


def _list_ways(rows: list[SessionRow]) -> list[Way]:
    """The machines of these sessions, each once."""
    return [Way(provider, machine, Access()) for provider, machine in sorted({(r.provider, r.machine) for r in rows})]


def _list_names(rows: list[SessionRow]) -> list[str]:
    """What to call each: its name, or its machine where several have the name."""
    names = [row.name for row in rows]
    return [row.name if names.count(row.name) == 1 else row.machine for row in rows]


def _find_root(here: str) -> Path:
    """The project around a notebook or folder."""
    path = Path(here)
    return find_project(path.parent if path.suffix == ".ipynb" else path)


def find_version() -> str:
    """The installed version."""
    import choline_jupyter

    return f"choline {choline_jupyter.__version__}"


def confirm_on_terminal(question: str) -> bool:
    """Ask; raises RequestError where nobody can answer."""
    if not sys.stdin.isatty():
        raise RequestError("Nobody is there to confirm.", "Add --yes.")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
