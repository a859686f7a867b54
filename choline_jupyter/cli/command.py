"""What the command does with what was typed: verbs, `attach`, scripts.

Called by `cli.main`.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from choline_jupyter.cli.files import list_needs, pack, show_files
from choline_jupyter.cli.nodes import run_on_nodes
from choline_jupyter.cli.results import get
from choline_jupyter.cli.script import agree_on_terminal, complete_for_script, end_script
from choline_jupyter.errors import JobError, RequestError, UnknownJob
from choline_jupyter.model.job import JobRow, JobState
from choline_jupyter.model.names import make_identifier
from choline_jupyter.session.bridge import Bridge, get_bridge
from choline_jupyter.session.console import Console, answer_on_terminal, find_status, write_event
from choline_jupyter.session.datasets import describe_datasets
from choline_jupyter.session.job_end import is_end
from choline_jupyter.session.keeping import start_keeper
from choline_jupyter.session.machine import make_spec
from choline_jupyter.session.options import HelpRequest, ScriptRequest, VerbRequest, VersionRequest, parse_command
from choline_jupyter.session.outcome import Outcome, note_state, tell_notices
from choline_jupyter.session.project import tell_wait
from choline_jupyter.session.resumption import add_files, read_training, resume_job
from choline_jupyter.session.secrets import Secrets
from choline_jupyter.session.telemetry_text import render_usage
from choline_jupyter.session.usage import PROGRAM, render_help
from choline_jupyter.session.verbs import Verbs, confirm_on_terminal, find_version


def run(arguments: list[str]) -> int:
    """Do what the arguments ask for; returns the exit status. Raises CholineError."""
    request = parse_command(arguments)
    if isinstance(request, HelpRequest):
        print(render_help(request.topic, PROGRAM))
    elif isinstance(request, VersionRequest):
        print(find_version())
    elif isinstance(request, ScriptRequest):
        return run_script(get_bridge(), request)
    elif request.verb == "files":
        print(show_files(request))
    elif request.verb == "attach":
        return attach(get_bridge(), request)
    elif request.verb == "get":
        return get(get_bridge(), request)
    elif request.verb == "forward":
        print(
            Verbs(get_bridge(), confirm_on_terminal, answer_on_terminal).perform(request, str(Path.cwd())), flush=True
        )
        wait_for_interrupt()
    else:
        print(Verbs(get_bridge(), confirm_on_terminal, answer_on_terminal).perform(request, str(Path.cwd())))
    return 0


def wait_for_interrupt() -> None:
    """Until Ctrl-C: what this process has opened is there as long as it is."""
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def run_script(bridge: Bridge, request: ScriptRequest) -> int:
    """Run a script as the one job of a session of its own; its exit status is ours."""
    script = Path(request.script)
    if not script.is_file():
        raise RequestError(f"There is no script {request.script!r}.", "Give the path of a file.")
    if (request.options.number("nodes") or 1) > 1:
        return run_on_nodes(bridge, request)
    secrets = Secrets(answer_on_terminal, sys.stdin.isatty).read(request.options)
    datasets = describe_datasets(request.options)
    job_id = make_identifier("j")
    earlier = request.options.text("resume")
    resumed = resume_job(bridge, earlier, agree_on_terminal, request.options.text("store")) if earlier else None
    training = read_training(request.options, resumed, job_id, bridge.engine.directory)
    options = add_files(request.options, resumed)
    name = request.options.text("session") or f"{script.name} {job_id}"
    spec = make_spec(name, request.options, (str(script.absolute()), *request.args))
    needs = list_needs(script, request.args)
    if spec.provider != "local" and spec.are_found:
        spec = complete_for_script(spec, script.read_text(errors="replace"), needs)
    session = bridge.call(bridge.engine.open(spec), answer_on_terminal)
    is_detached = request.options.has("detach")
    job = JobRow(job_id, session.row.id, name=script.name, detached=is_detached)
    packed = pack(bridge, session, needs, options)
    header = {"msg_id": job_id, "pull": not request.options.has("no-pull"), "training": training, "secrets": secrets}
    header.update(packed.header, **datasets)
    bridge.post(session.run, job, script.read_text(errors="replace"), header, packed.extra)
    console, begun = Console(session, bridge), time.monotonic()
    if is_detached:
        bridge.start(session.type_text(1, "", is_end=True))
        start_keeper()
        print(f"Job {job_id} runs on by itself; `choline attach {job_id}` shows it.{tell_wait(spec.files)}")
        return 0
    console.pass_input()
    try:
        outcome = console.watch(job_id)
    except JobError:
        row = bridge.engine.store.find_job(job_id)
        if row and row.state is JobState.CANCELLED:  # it never began: nothing that it has made keeps its machine
            end_script(bridge, session, time.monotonic() - begun)
        raise
    bridge.call(session.finish_fetches())
    tell_notices(session)
    end_script(bridge, session, time.monotonic() - begun, render_usage(outcome.telemetry))
    session.checkpoints.uploads.wait()
    tell_notices(session)
    return find_status(outcome)


def attach(bridge: Bridge, request: VerbRequest) -> int:
    """Show a job from its first line, then live; its exit status is ours."""
    job = find_job(bridge, request.positionals[0] if request.positionals else "")
    engine = bridge.engine
    row = next(row for row in engine.store.list_sessions() if row.id == job.session)
    if not job.state.is_open:
        return replay(bridge, job)
    session = bridge.call(engine.join(row, follow=False))
    seen = engine.store.find_contiguous(row.id)
    console, outcome = Console(session, bridge), Outcome()
    for event in engine.store.read_job(job.id):
        if event.seq <= seen.get(event.series, 0) and console.show(event, outcome):
            return find_status(outcome)
    bridge.call(engine.follow(session, seen))
    return console.follow(job.id)


def replay(bridge: Bridge, job: JobRow) -> int:
    """Show a job that is over; it asks nothing again."""
    outcome = Outcome()
    for event in bridge.engine.store.read_job(job.id):
        write_event(event)
        if is_end(event):
            note_state(event, outcome)
    if outcome.failure:
        raise outcome.failure
    return find_status(outcome)


def find_job(bridge: Bridge, prefix: str) -> JobRow:
    """The job named, or the newest of all; raises UnknownJob."""
    store = bridge.engine.store
    job = store.find_job(prefix) if prefix else next(iter(store.list_jobs(limit=1)), None)
    if job is None:
        what = f"There is no job {prefix!r}." if prefix else "No job has run yet."
        raise UnknownJob(what, "`choline status` lists the newest.")
    return job
