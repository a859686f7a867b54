"""The kernel application of one rank, run in a process that the fork server has just forked.

The fork server calls `import_kernel` before its first fork. `run_rank` never returns: it makes the process a session
leader with its own working folder and environment, starts a stock IPKernelApp with the hook and the bridge in it, and
leaves with the kernel's exit.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Optional

from ipykernel.iostream import OutStream
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp

from choline_jupyter.agent.blob_folder import BlobFolder
from choline_jupyter.agent.doorbell import Ringer
from choline_jupyter.agent.kernel.bridge import Bridge
from choline_jupyter.agent.kernel.file_hook import NO_FILES, FilesOnDemand, begin_files
from choline_jupyter.agent.kernel.hook import OutputHook
from choline_jupyter.agent.kernel.jobs import Jobs
from choline_jupyter.agent.kernel.layer import activate_layer, take_site
from choline_jupyter.agent.kernel.luggage import Luggage
from choline_jupyter.agent.kernel.membership import Membership
from choline_jupyter.agent.kernel.process_group import ProcessGroup, make_environment
from choline_jupyter.agent.kernel.results import Results
from choline_jupyter.agent.kernel.secrets import Secrets
from choline_jupyter.agent.kernel.telemetry import LOAD, TELEMETRY, Telemetry, has_gpu
from choline_jupyter.agent.layout import enter_layout, translate
from choline_jupyter.agent.masked_journal import MaskedJournal
from choline_jupyter.agent.process import MARK, make_mark
from choline_jupyter.agent.training_feed import TrainingFeed
from choline_jupyter.agent.workspace import find_workspace

_NOT_BEGUN = "raise KeyboardInterrupt('before the cell began')"
_LATE_IMPORTS = (
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "ipykernel.debugger",
    "sqlite3",
    "tornado.platform.asyncio",
)


class RankSpec(NamedTuple):
    """What a rank is told at its start; paths are absolute, `environment` None keeps the fork server's.

    `layout` (a `agent.layout.Layout`) says where its files are, `workspace` what is kept of them, `blobs` the large ones.
    `files` (`agent.kernel.file_hook`) is where it asks for files that are not here yet. `size` is the number of ranks, `port`
    a free one for what a cell's own `init_process_group` may want to listen on.
    """

    session: str
    rank: int
    journal: str
    socket: str
    bell: str
    address: str
    directory: str
    environment: Optional[dict[str, str]] = None
    gpus: str = ""
    layout: Optional[dict[str, Any]] = None
    workspace: str = ""
    blobs: str = ""
    layer: str = ""
    is_activated: bool = False
    files: Optional[dict[str, Any]] = None
    size: int = 1
    port: int = 0


class RankKernel(IPythonKernel):
    """ipykernel's own kernel; a job brings the cell number and the folder of the notebook it comes from."""

    jobs: Jobs
    luggage: Luggage
    results: Results
    membership: Optional[Membership] = None
    telemetry: Optional[Telemetry] = None
    training: TrainingFeed
    secrets: Secrets
    _coming: tuple[dict[str, Any], list[Any], str] = ({}, [], "")
    _layer: tuple[str, int] = ("", 0)
    _stale: Sequence[str] = ()  # modules that the session now has in another version than this process
    files: FilesOnDemand = NO_FILES
    layout: Optional[dict[str, Any]] = None
    _execute_sleep = 0  # stock ipykernel sleeps before each reply, lest it pass the last output; here both must be seen

    async def execute_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        wish = parent.get("metadata", {}).get("choline") or {}
        if wish.get("count"):
            _number_cell(self.shell, wish["count"])
        folder = translate(self.layout, wish.get("cwd") or "")
        if folder and os.path.isdir(folder):
            os.chdir(folder)
        self._take_layer(*(wish.get("layer") or self._layer))
        self._coming = wish, parent.get("buffers") or [], parent["header"]["msg_id"]
        self.files.forget()
        if not self.jobs.start(parent["header"]["msg_id"]):
            parent["content"]["code"] = _NOT_BEGUN
        await super().execute_request(stream, ident, parent)  # type: ignore[no-untyped-call]  # ipykernel's

    async def do_execute(self, code: str, silent: bool, *arguments: Any, **keywords: Any) -> dict[str, Any]:
        """First what came with the cell: here what is written belongs to the cell already, and a name that is also a
        magic's is not taken for that yet. Last what the client wants to have of what the cell has made.
        """
        with self.secrets.set_for(self._coming[2]):
            return await self._execute(code, silent, *arguments, **keywords)

    async def _execute(self, code: str, silent: bool, *arguments: Any, **keywords: Any) -> dict[str, Any]:
        (wish, buffers, request), self._coming = self._coming, ({}, [], "")
        try:
            self._say(self.luggage.unpack(self.shell, wish, buffers))
        except KeyboardInterrupt:  # ipykernel would leave the request without an answer
            code = _NOT_BEGUN
        self.luggage.tell_unplaced(*self.jobs.get(request))
        code = self._join_others(wish) or code
        os.environ.update(self.training.begin(*self.jobs.get(request), wish.get("training")))
        if self.telemetry:
            self.telemetry.begin(*self.jobs.get(request))
        reply: dict[str, Any] = await super().do_execute(code, silent, *arguments, **keywords)  # type: ignore[no-untyped-call]
        if self.telemetry:
            self.telemetry.end()
        self.training.finish()
        if not self.membership:  # of several one announces for all, when all have ended
            self.luggage.announce(*self.jobs.get(request), pull=wish.get("pull", True) is not False)
        shell: Any = self.shell
        self.results.send(shell.user_ns, wish.get("out") or [], request)
        if wish.get("move"):
            self.results.move(shell.user_ns, shell.user_ns_hidden, wish["move"], request)
        return reply

    def _join_others(self, wish: dict[str, Any]) -> str:
        """One of several ranks: code to run in the cell's stead when there can be no process group for it."""
        try:
            return self.membership.begin(wish) if self.membership else ""
        except KeyboardInterrupt:
            return _NOT_BEGUN

    def _take_layer(self, folder: str, changes: int) -> None:
        """Find what has come into the session's own packages since the last cell."""
        if (folder, changes) != self._layer:
            self._layer = (folder, changes)
            self._stale = take_site(folder)

    def _say(self, sentences: Iterable[str]) -> None:
        try:
            if self._stale:
                text = "choline: loaded before and so still the former one: %s. A new session has the new one.\n"
                sys.stderr.write(text % ", ".join(self._stale))
                self._stale = ()
            for sentence in sentences:
                sys.stderr.write("choline: %s\n" % sentence)
        except OSError as error:
            sys.stderr.write("choline: what came with the cell could not be read: %s\n" % error)

    async def dispatch_shell(self, msg: Any, /, *arguments: Any, **keywords: Any) -> None:
        await super().dispatch_shell(msg, *arguments, **keywords)
        if keywords.get("concurrent"):
            super()._publish_status("idle", "shell")  # type: ignore[no-untyped-call]  # ipykernel leaves it out; the widget's sender waits for it

    def _publish_execute_input(self, *arguments: Any, **keywords: Any) -> None:
        """The local kernel has said it already; nobody else listens."""

    def _publish_status(self, status: str, *arguments: Any, **keywords: Any) -> None:
        """Only `idle` says something that is not known: all output of a request has been published."""
        if status != "busy":
            super()._publish_status(status, *arguments, **keywords)  # type: ignore[no-untyped-call]


class RankApp(IPKernelApp):
    """IPKernelApp with the hook in place before anything can be printed."""

    hook: OutputHook

    def init_iopub(self, context: Any) -> None:
        super().init_iopub(context)  # type: ignore[no-untyped-call]
        self.hook.install(self.iopub_thread)

    def log_connection_info(self) -> None:
        """Nobody connects to it by hand."""


def import_kernel() -> None:
    """Import, before any fork, what ipykernel leaves to each kernel's start; its debugger only as if it had none.

    No front end can attach to a rank, and importing debugpy would take as long as all the rest of a start. A cell's own
    `import debugpy` is not affected.
    """
    blocked: dict[str, Any] = sys.modules  # None there is what makes an import fail
    blocked["debugpy"] = None
    for name in _LATE_IMPORTS:
        with suppress(ImportError):
            importlib.import_module(name)
    del blocked["debugpy"]


def run_rank(spec: RankSpec, listener: socket.socket, call: int) -> None:
    """Be this rank until its kernel ends; called once, in the forked child. `call`: where to ask for a supervisor."""
    _settle(spec)
    _spare_flushes()
    ringer = Ringer(Path(spec.bell), Path(spec.address), "%s/%d" % (spec.session, spec.rank))
    journal = MaskedJournal(Path(spec.journal), spec.rank, ringer.ring)
    folder = Path(spec.journal)
    group = ProcessGroup(spec.rank, spec.size, folder, lambda: app.shell) if spec.size > 1 else None
    jobs = Jobs(journal, ringer, group.describe if group else None)
    app = RankApp.instance(
        transport="ipc",
        ip=spec.socket + ".z",
        connection_file=spec.socket + ".json",
        parent_handle=0,
        kernel_class=RankKernel,
    )
    RankKernel.jobs = jobs
    blobs = BlobFolder(Path(spec.blobs))
    RankKernel.results = Results(journal, jobs, blobs)
    RankKernel.secrets = Secrets(journal.mask)
    workspace = find_workspace(spec._asdict())
    RankKernel.layout = spec.layout
    if spec.files:
        RankKernel.files = begin_files(spec.files)
    RankKernel.training = TrainingFeed(journal, Path(spec.journal), Path(spec.blobs), workspace, spec.rank)
    RankKernel.luggage = Luggage(journal, workspace, RankKernel.files.pause, blobs, spec.rank, spec.size)
    app.hook = OutputHook(journal, jobs)
    app.hook.hear = RankKernel.training.hear
    # ":memory:" keeps `In`, `_i` and `%history` and leaves the user's own history file to the local cells
    app.initialize(["--HistoryManager.hist_file=:memory:", "--Session.key=", "--log-level=40"])  # type: ignore[no-untyped-call]
    is_told = group or spec.layout or has_gpu()
    RankKernel.telemetry = Telemetry(journal, spec.rank, TELEMETRY if is_told else LOAD)
    if group:
        RankKernel.membership = Membership(group, jobs, ringer, RankKernel.luggage)
    Bridge(listener, journal, ringer, jobs, RankKernel.secrets, call, RankKernel.membership).start(app)
    app.start()  # type: ignore[no-untyped-call]


def _spare_flushes() -> None:
    """Skip a flush when nothing is waiting: it takes a round through the IOPub thread, four times in a cell.

    A property and a builtin, not a function around it: no frame of ours may stand in a traceback of the user's.
    """
    send, flush = OutStream._flush, OutStream.flush
    nothing = [].clear  # the builtin that does nothing and returns None

    def send_noted(stream: Any) -> None:
        """In the IOPub thread: ipykernel clears its own note before it has sent anything."""
        stream.is_sending = True
        try:
            send(stream)  # type: ignore[no-untyped-call]
        finally:
            stream.is_sending = False

    def choose(stream: Any) -> Any:
        is_waiting = stream._flush_pending or getattr(stream, "is_sending", False)  # its own note, in 6 and 7
        return flush.__get__(stream) if is_waiting else nothing

    setattr(OutStream, "_flush", send_noted)  # noqa: B010 - mypy does not let a method become another
    setattr(OutStream, "flush", property(choose))  # noqa: B010 - nor a property


def _number_cell(shell: Any, count: int) -> None:
    """Give the next cell its notebook's number; cells that ran elsewhere are blank in `In`."""
    inputs = shell.history_manager.input_hist_parsed
    raw = shell.history_manager.input_hist_raw
    for history in (inputs, raw):
        history.extend([""] * (count - len(history)))
    shell.execution_count = count


def _settle(spec: RankSpec) -> None:
    """Make the forked process a citizen of its own: session, signals, standard streams, environment, folder, seeds."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    _redirect(Path(spec.journal) / ("r%d.log" % spec.rank))
    if spec.environment is not None:
        os.environ.clear()
        os.environ.update(spec.environment)
    elif spec.is_activated:
        activate_layer(spec.layer)
    elif sys.prefix != sys.base_prefix:
        _activate()
    os.environ.pop("JPY_PARENT_PID", None)
    os.environ[MARK] = make_mark(spec.session, spec.rank)
    if spec.gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = spec.gpus
    if spec.size > 1:
        os.environ.update(make_environment(spec.rank, spec.size, spec.port))
    enter_layout(spec._asdict())
    os.chdir(spec.directory)
    sys.path[:] = ["", *(entry for entry in sys.path if entry)]
    sys.argv[:] = [""]
    _reseed()


def _activate() -> None:
    """As a shell in which a virtual environment is activated: `!pip` and `!python` are the session's own."""
    os.environ["VIRTUAL_ENV"] = sys.prefix
    os.environ["PATH"] = os.pathsep.join((os.path.join(sys.prefix, "bin"), os.environ.get("PATH", os.defpath)))


def _redirect(log: Path) -> None:
    """What bypasses ipykernel's capture (a crash report of the interpreter, say) goes to a file beside the journal."""
    null = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((null, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(out)


def _reseed() -> None:
    """Kernels forked from one server must not draw the same numbers; `random` reseeds itself, numpy does not.

    A numpy that has not drawn yet has not loaded its generator either: it will seed itself.
    """
    generator = sys.modules.get("numpy.random")
    if generator is not None:
        generator.seed()
