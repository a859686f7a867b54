"""`choline SCRIPT --nodes N`: a script on several machines, their output in one stream.

Called by `cli.command`. The engine's thread does the work; this one writes what comes and hears Ctrl-C.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.foresight import Need
from choline_jupyter.cli.files import choose_files, list_needs, send_files
from choline_jupyter.cli.node_screen import NodeScreen
from choline_jupyter.cli.script import agree_on_terminal, complete_for_script
from choline_jupyter.errors import CholineError, RequestError
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.names import make_identifier
from choline_jupyter.session.console import answer_on_terminal
from choline_jupyter.session.datasets import describe_datasets
from choline_jupyter.session.fetched_files import FetchedFiles
from choline_jupyter.session.job_record import describe_job
from choline_jupyter.session.machine import make_spec
from choline_jupyter.session.nodes.controller import Controller
from choline_jupyter.session.nodes.crew import Crew
from choline_jupyter.session.nodes.gathering import Gathering
from choline_jupyter.session.nodes.purse import Purse, check_rent
from choline_jupyter.session.option_reader import Values
from choline_jupyter.session.project import find_project
from choline_jupyter.session.rent.meter import render_money
from choline_jupyter.session.resumption import add_files, read_training, resume_job
from choline_jupyter.session.secrets import Secrets

if TYPE_CHECKING:
    from choline_jupyter.session.bridge import Bridge
    from choline_jupyter.session.live import LiveSession
    from choline_jupyter.session.options import ScriptRequest
    from choline_jupyter.session.rent.renter import Rent
    from choline_jupyter.session.spec import SessionSpec

MOST = 64
_WEEK = 7 * 86400.0


def run_on_nodes(bridge: Bridge, request: ScriptRequest) -> int:
    """Run a script on several machines; its exit status is ours. Raises CholineError."""
    launch = _Launch(bridge, request)
    count = request.options.number("nodes") or 1
    specs = launch.make_specs(count)
    screen, began = NodeScreen(), time.monotonic()
    controller = Controller(specs[0].ranks, screen)
    purse = Purse(bridge.engine, launch.rent) if launch.rent else None
    controller.crew = Crew(bridge.engine, specs, count, launch.send, controller, screen.say, purse)
    controller.gathering = launch.make_gathering()
    try:
        with _hear(signal.SIGTERM, signal.SIGHUP, act=_interrupt):
            bridge.call(controller.open(), answer_on_terminal)
        with _hear_signals(bridge, controller):
            bridge.start(controller.serve())
            screen.write_all()
    except CholineError as error:
        error.still_billing = ()  # what costs money when all has been ended is another matter
        raise
    finally:
        with _hear(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, act=_wait_for_the_end):
            bridge.call(controller.close())
            if purse:
                sys.stderr.write(f"choline: {_end_machines(bridge, purse, time.monotonic() - began)}\n")
            for node in controller.crew.list_all() if purse is None else ():
                bridge.engine.close_row(node.session.row)
    if controller.failure:
        controller.failure.still_billing = ()
        raise controller.failure
    return controller.code


def _end_machines(bridge: Bridge, purse: Purse, seconds: float) -> str:
    """End what was rented, and say what it took."""
    is_gone = bridge.call(purse.end())
    spent = purse.add_up()
    cost = f"{render_money(spent.total)} of {render_money(purse.budget)} in all (estimate)"
    end = "All are gone" if is_gone else "Not all are known to be gone yet: `choline status`"
    return f"{seconds:.0f} s, {spent.machines} rented machines; {cost}. {end}."


class _Launch:
    """Makes the sessions' specs, and sends the script to each of them."""

    def __init__(self, bridge: Bridge, request: ScriptRequest) -> None:
        options = request.options
        if options.has("detach"):
            what = "--detach does not go with --nodes: this command is what replaces a lost node."
            raise RequestError(what, "Leave it in a terminal that stays, as in tmux.")
        self._bridge, self._script, self._words = bridge, Path(request.script), request.args
        self._code = self._script.read_text(errors="replace")
        self._secrets = Secrets(answer_on_terminal, sys.stdin.isatty).read(options)
        earlier = options.text("resume")
        resumed = resume_job(bridge, earlier, agree_on_terminal, options.text("store")) if earlier else None
        self._options = add_files(options, resumed)
        self.job = make_identifier("j")
        told = read_training(options, resumed, self.job, bridge.engine.directory)
        self._datasets = describe_datasets(options)
        self._training = {"name": self.job, **told, "parts": True}
        self._files: dict[str, os.stat_result] | None = None
        self._first: LiveSession | None = None
        self._needs = list_needs(self._script, self._words)
        self.rent: Rent | None = None

    def make_specs(self, count: int) -> list[SessionSpec]:
        """The machines: those that --host names, or as many of what the options ask for. Raises RequestError."""
        hosts = list(filter(None, (self._options.text("host") or "").split(",")))
        if count > MOST or (hosts and len(hosts) < count):
            what = f"--host names {len(hosts)}" if hosts else f"at most {MOST} can be"
            raise RequestError(f"--nodes {count} needs {count} machines, and {what}.", "As in --host me@one,me@two.")
        each = [Values({**self._options.items, "host": host}) for host in hosts] or [self._options] * count
        specs = [self._complete(options) for options in each]
        if any(spec.files is not None for spec in specs):
            known = FetchedFiles(self._bridge.engine.directory).list_remembered(str(self._script.absolute()))
            fetched = [Need(path, "folder" if path.is_dir() else "data", "fetched on demand before") for path in known]
            self._files = dict(choose_files([*self._needs, *fetched], self._options))
        return specs

    def make_gathering(self) -> Gathering:
        """What brings the nodes' checkpoints together."""
        directory = self._bridge.engine.directory
        inbox = directory / "inbox" / f"nodes-{self.job}"
        forget_old(inbox.parent)
        name = str(self._training["name"])
        return Gathering(find_project(Path.cwd()), inbox, name, self._options.text("keep"), self.describe)

    def describe(self) -> dict[str, Any]:
        """What stands beside each checkpoint."""
        session, store = self._first, self._bridge.engine.store
        assert session
        return describe_job(store, session.row, session.packages, session.files.sync, self.job)

    async def send(self, session: LiveSession, place: int) -> str:
        """Have a session run the script; gives the job's id. Raises HostError, RequestError."""
        name = make_identifier("j")
        if place == 0 and self._first is None:
            name, self._first = self.job, session
        job = JobRow(name, session.row.id, name=self._script.name)
        packed = await asyncio.to_thread(self._pack, session)
        header: dict[str, Any] = {
            "msg_id": job.id, "pull": not self._options.has("no-pull"), "training": self._training, "node": True,
        }  # fmt: skip
        session.run(
            job, self._code, {**header, "secrets": self._secrets, **packed.header, **self._datasets}, packed.extra
        )
        return job.id

    def _pack(self, session: LiveSession) -> Any:
        """In a thread; files are looked at again, as a session may be opened hours later."""
        files = {path: os.stat(path) for path in self._files or () if os.path.exists(path)}  # noqa: PTH110, PTH116
        return send_files(self._bridge, session, files, self._options)

    def _complete(self, options: Values) -> SessionSpec:
        base = options.text("session") or f"{self._script.name} {self.job}"
        spec = make_spec(base, options, (str(self._script.absolute()), *self._words))
        if spec.rent:
            check_rent(spec.rent)
            self.rent = spec.rent
        if spec.provider != "local" and spec.are_found:
            spec = complete_for_script(spec, self._code, self._needs)
        return spec


def forget_old(inbox: Path) -> None:
    """Remove what commands that were killed have left of other jobs."""
    for folder in inbox.glob("nodes-*"):
        if folder.stat().st_mtime < time.time() - _WEEK:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _hear_signals(bridge: Bridge, controller: Controller) -> Iterator[None]:
    """Ctrl-C interrupts the script, the second one ends it, as does the terminal's end."""
    with (
        _hear(signal.SIGINT, act=lambda *_: bridge.post(controller.interrupt)),
        _hear(signal.SIGTERM, signal.SIGHUP, act=lambda *_: bridge.post(controller.stop)),
    ):
        yield


@contextmanager
def _hear(*numbers: int, act: Callable[..., object]) -> Iterator[None]:
    before = {number: signal.signal(number, act) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(*_: object) -> None:
    """The end of the terminal ends what is begun in the same way as Ctrl-C."""
    raise KeyboardInterrupt


def _wait_for_the_end(*_: object) -> None:
    """What runs on other machines is being ended, which is what whoever interrupts wants."""
