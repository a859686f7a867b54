"""Sweeps in the notebook: `%%choline --sweep NAME=VALUE,...` and `choline_jupyter.sweep(...)`.

Called by `magic.notebook` and by users. What the cell needs is found once and sent once to each session, before the first job
of it; from then on the sweep lives in the engine's loop, and what is here waits, shows and answers questions about it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.reads import find_names
from choline_jupyter.errors import CholineError, Interrupted, RequestError, UnknownJob
from choline_jupyter.magic.sweep_board import Board
from choline_jupyter.model.names import make_identifier
from choline_jupyter.session.cargo import Packed
from choline_jupyter.session.datasets import describe_datasets
from choline_jupyter.session.interrupt import Interrupts
from choline_jupyter.session.keeping import start_keeper
from choline_jupyter.session.option_reader import Values
from choline_jupyter.session.options import parse_cell
from choline_jupyter.session.resumption import check_training, read_training
from choline_jupyter.session.sweep.grid import Grid, Parameters, check_names, is_python, make_grid, put_in
from choline_jupyter.session.sweep.job import SweepJob, find_best
from choline_jupyter.session.sweep.places import Place, find_places, make_specs, tell_absence
from choline_jupyter.session.sweep.record import read_events, read_sweep
from choline_jupyter.session.sweep.runner import Lane, SweepRunner
from choline_jupyter.session.sweep.table import render_html, summarize

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from choline_jupyter.magic.imports import CellImports
    from choline_jupyter.magic.luggage import Luggage
    from choline_jupyter.magic.screen import Screen
    from choline_jupyter.model.session import SessionRow
    from choline_jupyter.session.bridge import Bridge
    from choline_jupyter.session.live import LiveSession
    from choline_jupyter.session.spec import SessionSpec

_FOREIGN = ("out", "on", "resume")  # options that mean one job
_GRACE = 0.15  # seconds; see magic.stage


class Sweep:
    """A sweep that was started. It goes on when this is thrown away, and when the notebook's kernel is restarted."""

    def __init__(self, name: str, bridge: Bridge, screen: Screen, board: Board) -> None:
        self.name = name
        self.jobs: Sequence[SweepJob] = ()
        self._bridge, self._screen, self._board = bridge, screen, board
        self._runner: SweepRunner | None = None
        self._changed = threading.Event()
        self._was_stopped = False

    def __repr__(self) -> str:
        return f"sweep {self.name}: {summarize(self.jobs)}"

    @property
    def is_over(self) -> bool:
        """Whether every job has ended, and the sessions with them."""
        return self._runner is not None and self._runner.ended.is_set()

    def wait(self) -> Sweep:
        """Show the table until the sweep is over. An interrupt ends it: nothing more begins, what runs is interrupted."""
        with Interrupts(lambda: self._bridge.post(self._stop_soon)) as interrupts:
            while not self.is_over:
                self._changed.wait(interrupts.patience)
                self._changed.clear()
                self._board.draw()
                self._check(interrupts)
        self._board.draw(is_last=True)
        if self._was_stopped:
            raise KeyboardInterrupt
        return self

    def show(self) -> Sweep:
        """Have the table in the cell that runs now."""
        self._board.move()
        return self

    def stop(self) -> None:
        """Take back what has not begun, interrupt what runs, and return when all of it has ended."""
        if self._runner:
            self._bridge.post(self._runner.stop)
            while not self.is_over:
                self._changed.wait(0.2)
                self._changed.clear()
            self._board.draw(is_last=True)

    def best(self, metric: str = "", largest: bool = False) -> dict[str, Any]:
        """The row of the job that did best: by its loss, else by what the cell's last line is. Raises LookupError."""
        found = find_best(self.jobs, metric, largest)
        if found is None:
            raise LookupError(f"No job of {self.name} has told of {metric or 'a loss'} so far.")
        return _describe(found, metric, largest)

    def results(self, metric: str = "", largest: bool = False) -> list[dict[str, Any]]:
        """One row for each job, as pandas.DataFrame takes them."""
        return [_describe(job, metric, largest) for job in self.jobs]

    def table(self) -> Any:
        """The table as it is now, to be displayed."""
        from IPython.display import HTML

        return HTML(render_html(self.name, self.jobs))

    def begin(self, runner: SweepRunner, is_known: bool = False) -> None:
        """Engine's loop: send the jobs, or go on with those that were sent."""
        self._runner, self.jobs = runner, runner.jobs
        (runner.adopt if is_known else runner.start)()

    def note_change(self, schedule: Callable[..., None]) -> None:
        """Engine's loop: have it drawn, by whoever waits or by the kernel's main loop."""
        if not self._changed.is_set():
            self._changed.set()
            schedule(self._board.draw, self.is_over)

    def _stop_soon(self) -> None:
        """Jupyter interrupts a kernel before it ends it, and what runs elsewhere is not to end with it."""

        def stop() -> None:
            if not self._screen.is_ending and self._runner:
                self._was_stopped = True
                self._runner.stop()

        asyncio.get_running_loop().call_later(_GRACE, stop)

    def _check(self, interrupts: Interrupts) -> None:
        try:
            interrupts.check(self.name)
        except Interrupted:
            raise Interrupted(
                f"Stopped waiting for sweep {self.name}; jobs that have not reacted to the interrupt may go on.",
                f"`%choline runs {self.name}` lists them, `%choline stop --all` ends their sessions.",
            ) from None


class Sweeps:
    """Starts the sweeps of one notebook."""

    def __init__(
        self, shell: InteractiveShell, bridge: Bridge, luggage: Luggage, imports: CellImports, screen: Screen,
        schedule: Callable[..., None],
    ) -> None:  # fmt: skip
        self._shell, self._bridge, self._luggage, self._imports = shell, bridge, luggage, imports
        self._screen, self._schedule = screen, schedule
        self._known: dict[str, Sweep] = {}

    def run(
        self, code: str, grid: Sequence[Parameters], options: Values, facts: dict[str, Any], secrets: dict[str, str]
    ) -> Sweep:
        """Start a sweep of this cell and, unless it is detached, show it to its end. `facts`: number, notebook."""
        jobs = self._make_jobs(code, grid, facts["number"], options)
        name = make_identifier("w")
        places = find_places(self._bridge, options, len(jobs), self._screen.ask)
        specs = [self._imports.complete(spec, jobs[0].code, facts["number"]) for spec in make_specs(name, places)]
        lanes = self._open(specs, places, jobs[0].code, facts["number"], options)
        header = {"count": facts["number"], "allow_stdin": False, **describe_datasets(options)}
        header |= {"secrets": secrets} if secrets else {}
        header |= {"pull": False} if options.has("no-pull") else {}
        directory = self._bridge.engine.directory

        def make_header(job: str) -> dict[str, Any]:
            return {**header, "training": read_training(options, None, job, directory)}

        made, runner = self._make(name, lanes, jobs, make_header, facts["notebook"])
        self._bridge.post(made.begin, runner)
        self._bridge.call(runner.confirm())
        self._bridge.engine.store.flush()  # the keeper, or the next kernel, is to find all of it
        start_keeper()
        if options.has("detach"):
            print(
                f"Sweep {name} runs on by itself. `%choline runs {name}` lists its jobs, `%choline attach {name}` shows it."
            )
            return made
        return made.wait()

    def attach(self, prefix: str, facts: dict[str, Any]) -> Sweep:
        """Show a sweep to its end, also one that was started before this kernel."""
        known = next((one for name, one in self._known.items() if name.startswith(prefix)), None)
        if known:
            return known.show().wait()
        engine = self._bridge.engine
        name, jobs, sessions = read_sweep(engine.store, prefix)
        if not jobs:
            raise UnknownJob(f"There is no sweep {prefix!r:.80}.", "`%choline runs w-` lists the jobs of all.")
        rows = {row.id: row for row in engine.store.list_sessions() if row.state.is_open}
        lanes = [self._join(rows[one], own) for one, own in sessions.items() if one in rows]
        header = {"count": facts["number"], "allow_stdin": False, "training": None}
        made, runner = self._make(name, lanes, jobs, lambda _: header, facts["notebook"])
        self._bridge.post(made.begin, runner, True)
        for lane in lanes:
            self._bridge.call(engine.follow(lane.session, lane.seen))
        return made.wait()

    def _join(self, row: SessionRow, jobs: list[SweepJob]) -> Lane:
        """A session of an earlier kernel's sweep, with what is stored of its jobs."""
        engine = self._bridge.engine
        session = self._bridge.call(engine.join(row, follow=False))
        seen = engine.store.find_contiguous(row.id)
        for job in jobs:
            read_events(engine.store, job, seen)
        still_open = [job for job in jobs if job.state.is_open]
        return Lane(session, row.machine, Packed({}), still_open, session.deaths, seen=seen)

    def _make(
        self,
        name: str,
        lanes: list[Lane],
        jobs: Sequence[SweepJob],
        make_header: Callable[[str], dict[str, Any]],
        notebook: str,
    ) -> tuple[Sweep, SweepRunner]:
        made = self._known[name] = Sweep(name, self._bridge, self._screen, Board(self._shell, name, jobs))
        changed = partial(made.note_change, self._schedule)
        return made, SweepRunner(name, self._bridge.engine, lanes, jobs, make_header, notebook, changed)

    def _make_jobs(self, code: str, grid: Sequence[Parameters], number: int, options: Values) -> list[SweepJob]:
        for option in _FOREIGN:
            if options.has(option):
                raise RequestError(f"--{option} is for one job, not for a sweep.", "Leave one of the two out.")
        if code.startswith("%%"):
            raise RequestError("A cell magic cannot be swept.", "Take the line that begins with %% out of the cell.")
        check_training(options)
        check_names(grid[0], self._luggage.list_sources(code, number))
        plain = self._luggage.transform(code)
        text = plain if find_names(plain).writes.intersection(grid[0]) and not is_python(code) else code
        texts = [put_in(text, parameters) for parameters in grid]
        return [SweepJob(place, row, text) for place, (row, text) in enumerate(zip(grid, texts, strict=True), 1)]

    def _open(
        self, specs: Sequence[SessionSpec], places: Sequence[Place], code: str, number: int, options: Values
    ) -> list[Lane]:
        """The sessions that could be opened, with what goes along; raises CholineError where none could."""
        found = self._bridge.call(_open_all(self._bridge, specs), self._screen.ask)
        troubles = [one for one in found if isinstance(one, CholineError)]
        if len(troubles) == len(found):
            raise troubles[0]
        lanes = []
        for session, place in zip(found, places, strict=True):
            if isinstance(session, CholineError):
                tell_absence(place.label, session)
            else:
                lanes.append(Lane(session, place.label, self._luggage.pack(session, code, number, options)))
        return lanes


def sweep(
    what: Callable[..., object] | str, grid: Grid, *, over: Iterable[str] = (), parallel: int = 0, options: str = "",
    detach: bool = False,
) -> Sweep:  # fmt: skip
    """Run a function of this notebook, or a cell's text, once for each combination of parameters, on several machines.

    `grid` is a dictionary of lists, or a list of dictionaries; `over` names hosts (`here` is this machine); `parallel` is
    how many run at once, without it one for each host or GPU; `options` are more of what `%%choline` takes. With `detach`
    it returns at once.
    """
    from IPython.core.getipython import get_ipython

    from choline_jupyter.magic.notebook import get_notebook

    shell = get_ipython()
    if shell is None:
        raise RequestError("A sweep is started in a notebook.", "Call it there, behind %load_ext choline_jupyter.")
    rows = make_grid(grid)
    code = what if isinstance(what, str) else _write_call(what, rows[0], shell.user_ns)
    values = parse_cell(options).options
    more = {"over": tuple(over) or None, "parallel": parallel or None, "detach": True if detach else None}
    given = {name: value for name, value in more.items() if value is not None}
    return get_notebook(shell).sweep(code, rows, Values({**values.items, **given}))


def _write_call(function: Callable[..., object], parameters: Parameters, namespace: dict[str, Any]) -> str:
    """The call of a function that the notebook has a name for."""
    own = getattr(function, "__name__", "")
    names = [own] if namespace.get(own) is function else [key for key, value in namespace.items() if value is function]
    if not names or not names[0].isidentifier():
        raise RequestError(
            "The function of a sweep has no name in this notebook.", "Define it in a cell, or import it there."
        )
    return f"{names[0]}({', '.join(f'{name}={name}' for name in parameters)})"


async def _open_all(bridge: Bridge, specs: Sequence[SessionSpec]) -> list[LiveSession | CholineError]:
    """All at once; machines are rented one after the other, as two at once would take the same cheapest offer."""
    turn = asyncio.Semaphore(1 if specs[0].rent else len(specs))
    return list(await asyncio.gather(*(_open(bridge, spec, turn) for spec in specs)))


async def _open(bridge: Bridge, spec: SessionSpec, turn: asyncio.Semaphore) -> LiveSession | CholineError:
    async with turn:
        try:
            return await bridge.engine.open(spec)
        except CholineError as error:
            return error


def _describe(job: SweepJob, metric: str, largest: bool) -> dict[str, Any]:
    return {
        **job.parameters, "state": job.state.value, "value": job.find_best(metric, largest), "seconds": job.seconds,
        "where": job.where, "job": job.id, "trouble": job.trouble,
    }  # fmt: skip
