"""Starts one session on a rented machine, in a process of its own: `python -m choline_jupyter.session.starter ID`.

Begun by `begin_start`, which the Jupyter server calls when a person has agreed to what it may cost. Promises: whoever began it
may end, it goes on; how far it is stands in `session.start_record`; a start that fails or is cancelled has its machine ended,
and says what still costs money. What was rented is watched over by the keeper from its intent on.
"""

from __future__ import annotations

import asyncio
import dataclasses
import shlex
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from choline_jupyter.errors import CholineError
from choline_jupyter.session.engine import Engine
from choline_jupyter.session.failures import complete_errors
from choline_jupyter.session.machine import make_spec
from choline_jupyter.session.options import parse_cell
from choline_jupyter.session.rent.waiting import WaitingLine
from choline_jupyter.session.start_record import Start, Starts

if TYPE_CHECKING:
    from choline_jupyter.session.spec import SessionSpec

_PATIENCE = 600.0  # seconds that a machine which has let us in may take to make the session


class RecordedLine(WaitingLine):
    """What is waited for, kept where others can read it."""

    def __init__(self, starts: Starts, start: Start) -> None:
        super().__init__()
        self._starts, self._start = starts, start

    def tell(self, stage: str, text: str) -> None:
        super().tell(stage, text)
        self._starts.save(dataclasses.replace(self._start, stage=stage, text=text))


def begin_start(starts: Starts, start: Start) -> None:
    """Have it done by a process that outlives this one. Its lock is handed over: there is no moment without a holder."""
    with starts.hold(start.id) as lock:
        starts.save(start)
        worker = subprocess.Popen(
            [sys.executable, "-m", "choline_jupyter.session.starter", start.id],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd=start.directory,
            pass_fds=(lock.fileno(),),
        )
        starts.note_worker(start.id, worker.pid)

    def wait() -> None:
        worker.wait()
        starts.note_end(start.id)

    threading.Thread(target=wait, name="choline-start", daemon=True).start()


def read_spec(start: Start) -> SessionSpec:
    """What its words mean, in the working folder; what it may cost was agreed to. Raises RequestError."""
    spec = make_spec(start.name, parse_cell(shlex.join(start.words)).options)
    assert spec.rent
    limits = dataclasses.replace(spec.rent.limits, is_agreed=True)
    return dataclasses.replace(spec, directory=start.directory, rent=dataclasses.replace(spec.rent, limits=limits))


async def start_session(engine: Engine, starts: Starts, start: Start) -> None:
    """Return when the session is there; raises CholineError, and nothing that it has rented is kept then."""
    spec = read_spec(start)
    engine.tenancy.make_line = lambda: RecordedLine(starts, start)
    [row] = await engine.rent([spec], [start.id])
    try:
        starts.save(dataclasses.replace(start, stage="opening", text="opening the session"))
        session = await engine.settle(row, spec, None)
        await asyncio.wait_for(session.learn_files(), _PATIENCE)
    except BaseException:
        await engine.stop(row)
        raise


async def _serve(id: str) -> None:
    """From its record to the session, or to the sentence on why there is none."""
    engine = Engine(asyncio.get_running_loop())
    starts = Starts(engine.directory)
    start = starts.find(id)
    if start:
        work = asyncio.ensure_future(start_session(engine, starts, start))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
        problem = await _find_problem(work)
        if problem:
            starts.save(dataclasses.replace(start, problem=problem))
        else:
            await engine.tenancy.fleet.run(engine.store.flush)
            starts.remove(id)
    await engine.close()
    engine.store.close()


async def _find_problem(work: asyncio.Future[None]) -> str:
    """Why it came to nothing; empty when it has not, and when somebody has cancelled it."""
    try:
        with complete_errors():
            await work
    except asyncio.CancelledError:
        return ""
    except asyncio.TimeoutError:
        return "The machine has not opened the session in time; it was given back."
    except CholineError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
