"""A session that this process works with: it sends jobs and requests, keeps their rows, feeds their events.

Made by `session.engine`, used by `magic`, `cli` and the keeper. Its methods run in the engine's event loop; the feed is
read by the thread that shows. Promise: opening, following and the first job leave together, without a round trip
between them.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from choline_jupyter.errors import AgentFailed, HostError, SessionEnded
from choline_jupyter.model.event import SUPERVISOR_RANK, Event, Kind, Series
from choline_jupyter.model.index_settings import strip_credentials
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.session import SessionState
from choline_jupyter.session.checkpoints import Checkpoints
from choline_jupyter.session.connection import Connection, Refused
from choline_jupyter.session.feed import WINDOW, Feed
from choline_jupyter.session.fetch import fetch_files
from choline_jupyter.session.fetched_files import FetchedFiles
from choline_jupyter.session.file_service import FileService, make_service
from choline_jupyter.session.files import SessionFiles
from choline_jupyter.session.follower import Follower
from choline_jupyter.session.job_record import describe_job, explain_replay, make_wish
from choline_jupyter.session.job_rows import JobRows
from choline_jupyter.session.opening import make_opening
from choline_jupyter.session.past import Past
from choline_jupyter.session.provision import provide_to
from choline_jupyter.session.sent_jobs import SentJobs
from choline_jupyter.session.typed_text import TypedText
from choline_jupyter.wire.frame import Type
from choline_jupyter.wire.mask import Mask

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight import Need
    from choline_jupyter.ledger.event_store import EventStore
    from choline_jupyter.model.session import SessionRow
    from choline_jupyter.session.spec import SessionSpec

Answer = asyncio.Future[dict[str, Any]]
Cargo = tuple[Sequence[Any], Sequence[Any]]

_LARGEST = 15 << 20  # of code: a job travels in one frame


class LiveSession:
    """One session. `feed` delivers the events of all its jobs, in the order of each series."""

    def __init__(self, row: SessionRow, spec: SessionSpec | None, connection: Connection, store: EventStore) -> None:
        self.row, self.spec = row, spec
        self.packages = set(spec.packages if spec else ())  # that it has been asked to have
        self._found = set(self.packages if spec and spec.are_found else ())  # of these, not by the user
        self.connection = connection
        self.feed = Feed(self._credit_later)
        self.secrets: dict[str, str] = {}  # that jobs were given, to be given again
        self.mask = Mask()  # over what comes back, behind the rank's own
        self.failure: HostError | None = None
        self.jobs = JobRows(store, row.id)
        self._store, self._loop = store, asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._follower: Follower | None = None
        self.has_ended = False
        self.shares_files: bool | None = None  # whether it works on this machine's own files; None until it has said so
        self._opened = asyncio.Event()
        self.deaths = 0  # of its kernels: the names of one that has died are gone
        self.rank_deaths: dict[int, int] = {}  # the same where the other ranks have theirs
        self._fetches: set[asyncio.Task[None]] = set()
        self._runs: dict[str, asyncio.Task[Any]] = {}
        self._provision: asyncio.Task[None] | None = None
        self.cargo: Cargo = ((), ())  # names that go with the next job
        self.sent = SentJobs(store.directory, row.id)
        self.typed = TypedText()  # into its script
        self.replays: dict[str, str] = {}  # jobs that make the names of earlier ones anew, by which
        self.past = Past(lambda sentence: self.files.note(sentence))  # noqa: PLW0108 - `files` are made when needed
        self.stop_recovery: Callable[[], object] | None = None  # until its jobs go on elsewhere
        self._is_lost = False  # its machine is, and there is no other yet

    @property
    def ranks(self) -> int:
        """How many kernels run its cells, as far as that is known here."""
        return self.spec.ranks if self.spec and not self.spec.command else 1

    @property
    def is_following(self) -> bool:
        """Whether its events are being delivered."""
        return self._follower is not None

    def open(self) -> None:
        """Have the session made or found, and follow it; what goes wrong comes out of the feed."""
        self._send_open(self.spec.packages if self.spec else (), bool(self.spec and self.spec.are_found))
        if self.spec and self.spec.rent:
            self._loop.run_in_executor(None, self.sent.keep_spec, self.spec)
        self.follow()

    def add_packages(self, packages: Sequence[str], are_found: bool) -> None:
        """Have further packages in its environment before the next job runs; costs nothing where none is new."""
        new = [name for name in packages if name not in self.packages]
        if new and self.spec:
            self.packages.update(new)
            self._found.update(new if are_found else ())
            self._send_open(new, are_found)

    def follow(
        self, seen: dict[Series, int] | None = None, make: Callable[..., Follower] = Follower
    ) -> Follower | None:
        """Have its events delivered, from what was seen, or from where this machine's store ends."""
        if self._follower:
            return None
        known = self._store.find_contiguous(self.row.id) if seen is None else seen
        ends = {series.rank: seq for series, seq in known.items() if series.epoch == self.row.epoch}
        listeners = self._take, self._credit, self._lose, self.served.take
        self._follower = make(self.row.id, self._store, ends, *listeners, self.mask, self.row.epoch)
        self.connection.follow(self._follower, WINDOW)
        return self._follower

    def run(self, job: JobRow, code: str, header: dict[str, Any], extra: bytes = b"") -> None:
        """Send a job; its events come out of the feed.

        `header` has msg_id, count, cwd, allow_stdin, and with names that go along: `names` (what to make of them), and
        where their bytes are if not in `extra`; `secrets` are values by name.
        """
        self.failure = None  # what went wrong with an earlier job
        self.secrets.update(header.get("secrets", {}))
        self.mask.add(self.secrets.values())
        data = code.encode(errors="replace")
        if len(data) + len(extra) > _LARGEST:
            self._fail(
                AgentFailed("A job of more than 15 MB cannot be sent.", "Put its data into a file and read it there.")
            )
            return
        self.jobs.begin(job, code)
        wish = {"job": job.id, "attempt": job.attempt, "code": len(data), **header}
        wish |= {"session": self.row.id, "epoch": self.row.epoch}
        cargo, self.cargo = self.cargo, ((), ())
        if self.spec and self.spec.rent and job.attempt == 1:
            self._loop.run_in_executor(None, self.sent.keep, job.id, data, header, *cargo)
        wish["training"] = make_wish(self.row, job.id, header.get("training"))
        self._runs[job.id] = self._keep(self._run(self.connection.ask(Type.RUN, wish, data + extra), job.id))

    @cached_property
    def files(self) -> SessionFiles:
        """What the session has of the project's files."""
        return SessionFiles(self.row, self._store.directory)

    @cached_property
    def checkpoints(self) -> Checkpoints:
        """Brings home what jobs save while they run."""
        root, inbox = self.files.sync.root, self._store.directory / "inbox"
        describe = lambda job: describe_job(self._store, self.row, self.packages, self.files.sync, job)  # noqa: E731
        return Checkpoints(
            self.connection, self.row.id, root, inbox, describe, self.files.note, lambda: self.past.holds(self.row)
        )

    async def learn_files(self) -> bool:
        """Whether the session works on this machine's own files, when the agent has said so. Raises HostError."""
        await self._opened.wait()
        if self.shares_files is None:
            raise self.failure or AgentFailed("The session could not be opened.", "`%choline doctor` looks at it.")
        return self.shares_files

    async def pull(self, announced: Sequence[Event]) -> list[str]:
        """Bring home all that these events announce; gives what to say of it. Raises HostError."""
        for event in [event for event in announced if event.kind is Kind.ARTIFACT]:
            await fetch_files(self.connection, self.files, self.files.take(event, is_asked=True), event.job)
        if [event for event in announced if event.kind is Kind.CHECKPOINT and self.checkpoints.take(event)]:
            await self.checkpoints.bring()
        return self.files.take_notices() or ["All files are home."]

    def list_fetched(self) -> list[Need]:
        """What a session of this name, or of this script, has fetched on demand before."""
        return FetchedFiles(self._store.directory).list_needs(self._subject)

    @property
    def _subject(self) -> str:
        return self.spec.command[0] if self.spec and self.spec.command else self.row.name

    @cached_property
    def served(self) -> FileService:
        """Brings files that its kernels need and nobody foresaw; none, if it was not opened with folders to serve."""
        roots = ((self.spec.files if self.spec else None) or {}).get("roots", ())
        note = lambda path, digest: self.files.sync.note(path, digest)  # noqa: E731, PLW0108 - made when needed
        return make_service(self.connection, self.row.id, roots, note)

    async def confirm(self, job: str) -> None:
        """Return when the agent has taken a job; raises HostError when it has not."""
        if job in self._runs:
            await self._runs[job]
        if self.failure:
            raise self.failure

    def answer(self, event: Event, value: str) -> None:
        """Answer an input request."""
        self._tell(Type.INPUT, {"seq": event.seq, "rank": event.series.rank, "value": value})

    async def type_text(self, number: int, text: str, *, is_end: bool) -> None:
        """Text for a script's standard input; `number` counts from 1. Returns when the other machine has it."""
        await self._ask(Type.INPUT, self.typed.add(number, text, is_end))

    def interrupt(self, job: str = "") -> None:
        """Interrupt a job, the running one when none is named; or, while its machine is lost, that it goes on elsewhere."""
        self.stop_recovery() if self.stop_recovery else self._tell(Type.INTERRUPT, {"job": job})

    def recall(self, job: str) -> None:
        """Cancel a job if it has not begun."""
        self._tell(Type.INTERRUPT, {"job": job, "waiting": True})

    def pass_comm(self, header: dict[str, Any], body: bytes) -> None:
        """A front end's comm message for the kernel."""
        self.connection.send(Type.COMM, {"session": self.row.id, **header}, body)

    def order(self, header: dict[str, Any], body: bytes = b"") -> None:
        """What a node of a script on several machines is to do; sent again after a cut, so it has a number."""
        self._keep(self._ask(Type.COMM, header, body))

    async def finish_fetches(self) -> None:
        """Return when all that jobs have announced so far is home, or cannot be."""
        while self._fetches:
            await asyncio.wait(self._fetches)

    async def let_go(self) -> None:
        """Bring nothing home any more, so that another process may."""
        for fetch in self._fetches:
            fetch.cancel()
        await self.finish_fetches()

    async def stop(self) -> None:
        """End the session, when its files are home; returns when all its processes are gone. Raises HostError."""
        await self.finish_fetches()
        try:
            await self.connection.request(Type.STOP, {"session": self.row.id})
        except Refused:
            pass  # it has ended already

    def _send_open(self, packages: Sequence[str], are_found: bool) -> None:
        if self.spec:
            opening = make_opening(self.row, self.spec, packages, are_found)
            self._keep(self._open(self.connection.ask(Type.OPEN, opening)))

    async def _open(self, answer: Answer) -> None:
        """An agent that cannot make a session says why; of one that has ended it is the job that hears."""
        heard = await self._hear(answer)
        self.shares_files = heard.get("shares", False if heard else None)
        self._opened.set()
        if heard.get("refused", "no-session") != "no-session":
            self._fail(AgentFailed(str(heard["message"]), "`%choline doctor` shows what is missing."))

    async def _run(self, answer: Answer, job: str) -> None:
        """A session that ended meanwhile (its lease, a restart of its machine) does not run the job."""
        if (await self._hear(answer)).get("refused") == "no-session":
            self.jobs.cancel(job)
            self._end("it had ended before")
            self._fail(self.failure or SessionEnded("The session had ended.", "Run it again: that opens a new one."))

    def _tell(self, type: Type, header: dict[str, Any]) -> None:
        self._keep(self._ask(type, header))

    def _ask(self, type: Type, header: dict[str, Any], body: bytes = b"") -> Coroutine[Any, Any, dict[str, Any]]:
        """It is sent now."""
        return self._hear(self.connection.ask(type, {"session": self.row.id, **header}, body))

    async def _hear(self, answer: Answer) -> dict[str, Any]:
        """An answer; a failure is for the showing thread."""
        try:
            return await answer
        except HostError as error:
            self._fail(error)
            return {}

    def suspend(self, stop_recovery: Callable[[], object]) -> None:
        """Its machine is lost: nothing that fails because of that is told, until `go_on` or `end`."""
        self.stop_recovery, self._is_lost = stop_recovery, True
        self.connection.unfollow(self.row.id)
        self._follower = None

    def go_on(self, row: SessionRow, connection: Connection) -> None:
        """From here on it is where this row says, in a later epoch. What it had there is another matter."""
        self.row, self.connection = row, connection
        self.failure, self.shares_files, self._is_lost = None, None, False
        self._opened.clear()
        self.served.use(connection)
        self.checkpoints.use(connection)
        self._runs.clear()

    def end(self, reason: str) -> None:
        """It will not go on; its open jobs hear so."""
        self.stop_recovery, self._is_lost = None, False
        self._end(reason)

    def _fail(self, error: HostError) -> None:
        if not self._is_lost:
            self.failure = error
            self.feed.wake()

    def _take(self, event: Event, size: int) -> None:
        """Each event of the session, in the loop: keep the books, then feed it."""
        if self.past.has(self.row, event):
            return
        if event.kind is Kind.STATE and event.series.rank == SUPERVISOR_RANK:
            fact = event.read_content()
            self.deaths += fact.get("state") == "died"
            if fact.get("state") == "died":
                self.rank_deaths.clear()
            elif fact.get("state") == "rank_died":
                self.rank_deaths[fact["rank"]] = event.seq
        if event.kind is Kind.STATE and event.job:
            self._note(event)
        elif event.kind is Kind.STATE and event.series.rank == SUPERVISOR_RANK:
            self._note_session(event)
        elif event.kind is Kind.ARTIFACT:
            self._bring_home(event)
        elif event.kind is Kind.CHECKPOINT and self.checkpoints.take(event):
            self._fetch(self.checkpoints.bring())
        self.feed.put(event, size)

    def _bring_home(self, event: Event) -> None:
        """Files that a job has made: the small ones before anybody hears of it, the others from now on."""
        missing = self.files.take(event)
        if missing:
            self._fetch(fetch_files(self.connection, self.files, missing, event.job))

    def _fetch(self, fetching: Coroutine[Any, Any, None]) -> None:
        fetch = self._keep(fetching)
        self._fetches.add(fetch)
        fetch.add_done_callback(self._fetches.discard)

    def _note(self, event: Event) -> None:
        """A job has changed its state: the row follows."""
        fact = event.read_content()
        if event.job in self.replays and fact.get("state") == "done":
            self.files.notices += explain_replay(self.replays.pop(event.job), fact["reply"])
        if (row := self.jobs.find(event.job)) is None:
            return
        if fact.get("state") == "unplaced":
            self.files.sync.drop(map(str, fact["files"]))
            return
        if fact.get("state") == "done":
            self._runs.pop(event.job, None)
            self._remember_fetched()
        self.jobs.note(row, event, fact)

    def _remember_fetched(self) -> None:
        """What a job fetched on demand goes ahead next time."""
        fetched = self.served.take_fetched()
        if fetched:
            remembering = FetchedFiles(self._store.directory).remember
            self._loop.run_in_executor(None, remembering, self._subject, fetched)

    def _note_session(self, event: Event) -> None:
        """The session has ended over there: no cell should look for its names any more. Or it wants something."""
        fact = event.read_content()
        if fact.get("state") == "ended":
            self._end(str(fact.get("reason")))
        elif fact.get("state") == "lacking":
            lacking = set(map(str, fact.get("packages", ())))
            self.packages -= {name for name in self.packages if strip_credentials(name) in lacking}
        elif fact.get("state") == "wanting" and self.spec and (self._provision is None or self._provision.done()):
            named, wish = self.packages - self._found, dict(fact.get("wheels", {}))
            self._provision = self._keep(provide_to(self.connection, self.row.id, named, self._found, wish))

    def _lose(self) -> None:
        """Its agent does not know the session."""
        if not self._is_lost:
            self._end("its machine has nothing of it any more")

    def _end(self, reason: str) -> None:
        """Its id is not used again: what is opened under its name next is another session.

        Jobs that are still open then will get no other end than this one; a job that is on its way has its answer.
        """
        self.has_ended = True
        self.sent.remove()
        self._store.save_session(dataclasses.replace(self.row, state=SessionState.STOPPED))
        self.connection.unfollow(self.row.id)
        series = Series(self.row.id, self.row.epoch, SUPERVISOR_RANK)
        seq = self._follower.find_ends().get(SUPERVISOR_RANK, 0) if self._follower else 0
        content = json.dumps({"state": "died", "stopped": reason}).encode()
        coming = {job for job, run in self._runs.items() if not run.done()}  # the agent may take them yet
        for job in [row for row in self.jobs.list_open() if row.id not in coming]:
            self._take(Event(series, seq, Kind.STATE, job.id, job.attempt, time.time(), content=content), 0)

    def _credit(self, rank: int, count: int) -> None:
        self.connection.send(Type.CREDIT, {"session": self.row.id, "rank": rank, "bytes": count})

    def _credit_later(self, rank: int, count: int) -> None:
        """From the showing thread."""
        if self._follower:
            self._loop.call_soon_threadsafe(self._follower.consume, rank, count)

    def _keep(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
