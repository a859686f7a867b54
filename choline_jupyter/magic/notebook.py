"""A notebook: what its magics mean, which session it uses, and the stages its sessions show on.

Made once per IPython shell by the magics; lives in the shell's main thread.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from choline_jupyter.errors import RequestError, SessionEnded, UnknownJob
from choline_jupyter.magic.cell_facts import allows_input, find_cell, find_count, find_name, find_request
from choline_jupyter.magic.foreseen import foresee_notebook
from choline_jupyter.magic.imports import CellImports
from choline_jupyter.magic.job_element import JobElement
from choline_jupyter.magic.luggage import Luggage
from choline_jupyter.magic.relay import RelayScreen, can_relay
from choline_jupyter.magic.relocation import Move
from choline_jupyter.magic.results import Returns
from choline_jupyter.magic.screen import PlainScreen, Screen
from choline_jupyter.magic.stage import Stage
from choline_jupyter.magic.sweep import Sweep, Sweeps
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.names import make_identifier
from choline_jupyter.session.bridge import get_bridge
from choline_jupyter.session.consent import Consent, render_choices
from choline_jupyter.session.datasets import describe_datasets, list_datasets, render_datasets
from choline_jupyter.session.keeping import start_keeper
from choline_jupyter.session.machine import limit_further, make_spec
from choline_jupyter.session.options import (
    CellRequest,
    HelpRequest,
    VerbRequest,
    VersionRequest,
    parse_cell,
    parse_line,
)
from choline_jupyter.session.outcome import Outcome, raise_outcome
from choline_jupyter.session.project import tell_wait
from choline_jupyter.session.ranks import read_ranks
from choline_jupyter.session.rent.limits import LIMITS
from choline_jupyter.session.rent.wish import OPTIONS as WISHES
from choline_jupyter.session.rerun import as_cell, plan_again
from choline_jupyter.session.results import check_names, list_told, read_names
from choline_jupyter.session.resumption import Resumption, add_files, check_training, read_training, resume_job
from choline_jupyter.session.secrets import Secrets
from choline_jupyter.session.sweep.grid import Parameters, read_grid
from choline_jupyter.session.sweep.record import is_sweep
from choline_jupyter.session.telemetry_text import render_usage
from choline_jupyter.session.usage import MAGIC, render_help
from choline_jupyter.session.verbs import Verbs, find_version

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from choline_jupyter.session.live import LiveSession
    from choline_jupyter.session.option_reader import Values
    from choline_jupyter.session.spec import SessionSpec

_MACHINE = ("session", "provider", "host", "env", "isolated", "ranks")  # options that say which session is meant
_LARGEST_CODE = 15 << 20  # a cell travels in one frame


class Notebook:
    """One shell's notebook. `current` is the session that a cell without machine options runs in."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._bridge = get_bridge()
        self._screen: Screen = RelayScreen(shell) if can_relay(shell) else PlainScreen(shell)
        self._verbs = Verbs(self._bridge, answer=self._screen.ask)
        self._payloads: Any = shell.payload_manager
        self._current: SessionSpec | None = None
        self._stages: dict[str, Stage] = {}
        self._open_stages: dict[tuple[str, str, str], Stage] = {}
        self._directories: dict[str, str] = {}
        self.consent = Consent(self._screen.ask, lambda: allows_input(shell))
        self._secrets = Secrets(self._screen.ask, lambda: allows_input(shell))
        self._luggage = Luggage(shell, self._bridge, self.consent)
        self._returns = Returns(shell, self._bridge, self._luggage)
        self._awaited: dict[str, list[str]] = {}  # by job, the names that are to come here
        self._imports = CellImports(shell, self._bridge, self._luggage)
        self._sweeps = Sweeps(shell, self._bridge, self._luggage, self._imports, self._screen, self._make_scheduler())
        if self._bridge.engine.notice:
            print("choline:", self._bridge.engine.notice)

    def run_cell(self, line: str, cell: str) -> Sweep | None:
        """`%%choline`: run the cell in its session and show it until it ends, or start it and return (`--detach`)."""
        request = parse_cell(line)
        if len(cell) > _LARGEST_CODE:
            raise RequestError(
                "A cell of more than 15 MB cannot be sent.", "Put the data into a file and read it there."
            )
        code = cell.removesuffix("\n")  # IPython has added it
        if request.options.has("sweep"):
            return self.sweep(code, read_grid(request.options.list("sweep")), request.options)
        secrets = self._secrets.read(request.options)
        list_datasets(request.options)  # what cannot be is said before anything is rented
        try:
            self._perform(code, request, secrets)
        except SessionEnded:  # it is noted as ended now, so this opens a new one
            self._perform(code, request, secrets)
        return None

    def sweep(self, code: str, grid: Sequence[Parameters], options: Values) -> Sweep:
        """Run a cell once for each of these parameters, on sessions of their own."""
        return self._sweeps.run(code, grid, options, self._describe(), self._secrets.read(options))

    def _describe(self) -> dict[str, Any]:
        return {"number": find_count(self._shell), "notebook": find_name(self._shell)}

    def _perform(self, code: str, request: CellRequest, secrets: dict[str, str]) -> None:
        earlier = request.options.text("resume")
        check_training(request.options)
        store = request.options.text("store")
        resumed = resume_job(self._bridge, earlier, self._agrees, store) if earlier else None
        if resumed:
            print(f"choline: goes on from {resumed.source}.", file=sys.stderr)
        stage, spec = self._open(request, code)
        self._imports.require(stage.session, spec, code, find_count(self._shell))
        job = self._start(stage, code, request, resumed, secrets)
        if not request.options.has("detach"):
            outcome = self._follow(stage, job)
            if outcome.failure:
                self._luggage.forget()
            self._finish(stage, job, outcome)
            return
        self._bridge.call(stage.session.confirm(job))
        stage.adopt(job)
        start_keeper()
        wait = tell_wait(spec.files)
        self._make_element(stage, job, Outcome()).begin()
        print(
            f"Job {job} runs on by itself. `%choline attach {job}` shows it, `%choline interrupt` interrupts it.{wait}"
        )

    def _follow(self, stage: Stage, job: str, outcome: Outcome | None = None) -> Outcome:
        """Show the job until it ends, with its element."""
        outcome = outcome or Outcome()
        element = self._make_element(stage, job, outcome)
        try:
            stage.follow(job, outcome, element)
            element.close(render_usage(outcome.telemetry))
        finally:
            element.release()
        return outcome

    def _make_element(self, stage: Stage, job: str, outcome: Outcome) -> JobElement:
        interrupt = partial(self._bridge.post, stage.session.interrupt, job)
        return JobElement(self._shell, self._bridge.engine.tenancy, stage.session, job, outcome, interrupt)

    def run_line(self, line: str) -> None:
        """`%choline VERB`."""
        request = parse_line(line)
        if isinstance(request, HelpRequest):
            print(render_help(request.topic, MAGIC))
        elif isinstance(request, VersionRequest):
            print(find_version())
        elif request.verb == "attach" and request.positionals and is_sweep(request.positionals[0]):
            self._sweeps.attach(request.positionals[0], self._describe())
        elif request.verb == "attach":
            self._attach(request)
        elif request.verb == "files" and not request.positionals:
            choices = self.consent.choose(foresee_notebook(self._shell), request.options)
            print(render_choices(choices) + render_datasets(list_datasets(request.options)))
        elif request.verb == "get":
            self._get(request)
        elif request.verb in ("resume", "rerun"):
            self._run_again(request)
        elif request.verb == "move":
            self._move(request)
        else:
            print(self._verbs.perform(request, find_name(self._shell)))
            self._forget_ended()

    def _run_again(self, request: VerbRequest) -> None:
        """A job once more, from its last checkpoint or from the beginning, behind the cells that it relies on."""
        spec = self.choose(as_cell(request.options))
        plan = plan_again(self._bridge, request, spec, self._luggage.transform, self._luggage.is_ours)
        for sentence in plan.sentences:
            print(f"choline: {sentence}.", file=sys.stderr)
        for code, values in plan.runs:
            self._perform(code, CellRequest(values), self._secrets.read(values))

    def _move(self, request: VerbRequest) -> None:
        """Have this notebook's session on another machine; cells without options run there from then on."""
        row = self._verbs.find_here(find_name(self._shell))
        options = as_cell(request.options)
        spec = make_spec(options.text("session") or row.name, options)
        old = self._bridge.call(self._bridge.engine.join(row), self._screen.ask)
        move = Move(self._bridge, self._luggage, self._imports, self._run_silent, self._agrees)
        open_new = partial(self._bridge.engine.open, is_new=True)
        new = move.move(old, spec, options, lambda whole: self._bridge.call(open_new(whole), self._screen.ask))
        self._forget_ended()
        self._open_stages[spec.name, spec.provider, spec.machine] = self._find_stage(new)
        self._move_to(spec)
        self._verbs.current = new.row

    def _run_silent(self, session: LiveSession, job: JobRow, header: dict[str, Any], extra: bytes) -> Outcome:
        """A job without code."""
        stage = self._find_stage(session)
        self._screen.begin(job.id)
        self._bridge.post(session.run, job, "", header, extra)
        return stage.follow(job.id)

    def _agrees(self, question: str) -> bool:
        return allows_input(self._shell) and self._screen.ask(f"{question} [y/N] ", False).strip().lower() in (
            "y",
            "yes",
        )

    def _open(self, request: CellRequest, code: str) -> tuple[Stage, SessionSpec]:
        """The stage of the session asked for; one that is open in this process costs nothing to find."""
        spec = self.choose(request.options)
        key = (spec.name, spec.provider, spec.machine)
        stage = self._open_stages.get(key)
        if stage is None or not self._is_usable(stage.session):
            if stage and stage.session.has_ended:
                print(
                    "choline: the session had ended; a new one is opened, names from before are gone.", file=sys.stderr
                )
            whole = self._imports.complete(spec, code, find_count(self._shell))
            stage = self._find_stage(self._bridge.call(self._bridge.engine.open(whole), self._screen.ask))
            self._open_stages[key] = stage
        elif spec.rent and any(request.options.has(name) for name in LIMITS):
            self._bridge.call(self._bridge.engine.limit(stage.session, spec.rent.limits))
        self._move_to(spec)
        self._verbs.current = stage.session.row
        return stage, spec

    def _is_usable(self, session: LiveSession) -> bool:
        return not session.has_ended and self._bridge.engine.sessions.get(session.row.id) is session

    def choose(self, options: Values) -> SessionSpec:
        """The session that the options mean; without any, the one of the last cell that had some."""
        is_plain = not any(options.has(name) for name in (*_MACHINE, *WISHES))
        if self._current and is_plain:
            return limit_further(self._current, options)
        return _make_spec(self._shell, options)

    def _move_to(self, spec: SessionSpec) -> None:
        """Later cells without options run here too; a change is said."""
        last, self._current = self._current, spec
        if last and (last.name, last.machine) != (spec.name, spec.machine):
            print(f"choline: from here on cells run in {spec.name} on {spec.machine}.", file=sys.stderr)

    def _find_stage(self, session: LiveSession) -> Stage:
        stage = self._stages.get(session.row.id)
        if stage is None or stage.session is not session:
            stage = self._stages[session.row.id] = Stage(session, self._screen, self._bridge, self._make_scheduler())
        return stage

    def _make_scheduler(self) -> Callable[..., None]:
        """How the engine's thread has something run in the main thread; at once, where the shell has no loop."""
        loop = getattr(getattr(self._shell, "kernel", None), "io_loop", None)
        return loop.add_callback if loop is not None else lambda function: function()

    def _start(
        self, stage: Stage, cell: str, request: CellRequest, resumed: Resumption | None, secrets: dict[str, str]
    ) -> str:
        session = stage.session
        job = JobRow(
            make_identifier("j"), session.row.id, notebook=find_name(self._shell), cell_id=find_cell(self._shell),
            detached=request.options.has("detach"),
        )  # fmt: skip
        msg_id = find_request(self._shell) or job.id
        header = {
            "msg_id": msg_id,
            "count": find_count(self._shell),
            "cwd": self._find_move(session.row.id),
            "allow_stdin": not job.detached and allows_input(self._shell),
            "training": read_training(request.options, resumed, job.id, self._bridge.engine.directory),
            **describe_datasets(request.options),
        }
        if request.options.has("no-pull"):
            header["pull"] = False
        if request.options.has("on"):
            header["on"] = ranks = read_ranks(request.options, session)
            stage.begin(job.id, ranks)
        if secrets:
            header["secrets"] = secrets
        wanted = request.options.text("out")
        if wanted is not None:
            self._awaited[job.id] = header["out"] = read_names(wanted)
        options = add_files(request.options, resumed)
        packed = self._luggage.pack(session, cell, find_count(self._shell), options)
        self._bridge.post(session.run, job, cell, {**header, **packed.header}, packed.extra)
        self._screen.begin(msg_id)  # after sending: flushing the local streams takes as long as half a cell
        return job.id

    def _find_move(self, session: str) -> str | None:
        """The working folder, if it has changed here since the session last heard of it."""
        try:
            here = str(Path.cwd())
        except FileNotFoundError:  # deleted under the notebook; the session stays where it is
            return None
        known = self._directories.get(session)
        self._directories[session] = here
        return here if known not in (None, here) else None

    def _finish(self, stage: Stage, job: str, outcome: Outcome) -> None:
        """End the cell as its job ended, with what it was to bring."""
        names = self._awaited.pop(job, [])
        if names and outcome.failure is None:
            self._returns.take(stage.session, outcome.artifacts, names, find_count(self._shell))
        for payload in outcome.reply.get("payload") or ():
            self._payloads.write_payload(payload)
        self._imports.explain(outcome.reply)
        raise_outcome(outcome)

    def _attach(self, request: VerbRequest) -> None:
        """Show a job from its first line: what is stored, then what comes."""
        job = self._find_job(request.positionals[0] if request.positionals else "")
        engine = self._bridge.engine
        rows = {row.id: row for row in engine.store.list_sessions()}
        session = self._bridge.call(engine.join(rows[job.session], follow=False))
        stage = self._find_stage(session)
        outcome, ended = stage.replay(engine.store, job.id)
        if not ended and job.state.is_open:
            self._bridge.call(engine.follow(session, stage.seen))
            outcome = self._follow(stage, job.id, outcome)
        left = [] if job.id in self._awaited else list_told(outcome.artifacts)
        if left:
            print(f"choline: its results: `%choline get {' '.join(left)}` brings them here.", file=sys.stderr)
        self._finish(stage, job.id, outcome)

    def _get(self, request: VerbRequest) -> None:
        """Bring names of a session: a job without code, which waits for its turn like any other."""
        names = check_names(request.positionals)
        engine, wanted = self._bridge.engine, request.options.text("session")
        row = engine.find_row(wanted) if wanted else self._verbs.find_here(find_name(self._shell))
        stage = self._find_stage(self._bridge.call(engine.join(row), self._screen.ask))
        job = JobRow(make_identifier("j"), row.id, name=f"get {' '.join(names)}")
        header = {"msg_id": job.id, "allow_stdin": False, "out": names}
        self._awaited[job.id] = names
        self._finish(stage, job.id, self._run_silent(stage.session, job, header, b""))

    def _find_job(self, prefix: str) -> JobRow:
        """The job named, or this notebook's newest; raises UnknownJob."""
        store = self._bridge.engine.store
        newest = iter(() if prefix else store.list_jobs(notebook=find_name(self._shell), limit=1))
        job = store.find_job(prefix) if prefix else next(newest, None)
        if job is None:
            what = f"There is no job {prefix!r}." if prefix else "This notebook has not run a job yet."
            raise UnknownJob(what, "`%choline status` lists the newest.")
        return job

    def _forget_ended(self) -> None:
        for session in set(self._stages) - set(self._bridge.engine.sessions):
            stage = self._stages.pop(session)
            self._open_stages = {key: kept for key, kept in self._open_stages.items() if kept is not stage}
            self._directories.pop(session, None)


_notebooks: dict[int, Notebook] = {}


def get_notebook(shell: InteractiveShell) -> Notebook:
    """The notebook of this shell."""
    if id(shell) not in _notebooks:
        _notebooks[id(shell)] = Notebook(shell)
    return _notebooks[id(shell)]


def choose_session(shell: InteractiveShell, options: Values) -> SessionSpec:
    """The session that these options of a cell mean, in a shell that may not have run any; raises RequestError."""
    known = _notebooks.get(id(shell))
    return known.choose(options) if known else _make_spec(shell, options)


def find_consent(shell: InteractiveShell) -> Consent | None:
    """What the user of this shell has agreed to; None before their first cell."""
    known = _notebooks.get(id(shell))
    return known.consent if known else None


def _make_spec(shell: InteractiveShell, options: Values) -> SessionSpec:
    return make_spec(options.text("session") or find_name(shell), options)
