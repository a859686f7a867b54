"""`choline get NAME...`: variables of a session as files in the working folder.

Called by `cli.command`.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from choline_jupyter.errors import CholineError
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.names import make_identifier
from choline_jupyter.session.bridge import Bridge
from choline_jupyter.session.console import Console, answer_on_terminal
from choline_jupyter.session.options import VerbRequest
from choline_jupyter.session.progress import TransferLine
from choline_jupyter.session.results import bring, check_names, read_results
from choline_jupyter.session.value_file import write_value
from choline_jupyter.session.verbs import Verbs


def get(bridge: Bridge, request: VerbRequest) -> int:
    """Write each name into a file; the status is 1 if one of them could not be had."""
    names = check_names(request.positionals)
    engine, wanted = bridge.engine, request.options.text("session")
    row = engine.find_row(wanted) if wanted else Verbs(bridge).find_here(str(Path.cwd()))
    session = bridge.call(engine.join(row), answer_on_terminal)
    job = JobRow(make_identifier("j"), row.id, name=f"get {' '.join(names)}")
    bridge.post(session.run, job, "", {"msg_id": job.id, "allow_stdin": False, "out": names})
    outcome = Console(session, bridge).watch(job.id)
    failures = 0
    for result in read_results(outcome.artifacts, names):
        try:
            if result.failure or result.why:
                raise CholineError(result.failure or f"{result.name} stays in the session: it is {result.why}.")
            line = TransferLine(result.name, sum(result.sizes))
            with closing(line):
                parts = bridge.call(bring(session, result, engine.directory / "inbox", line.note))
            print(write_value(result.name, parts, Path.cwd()).name)
        except CholineError as error:
            failures += 1
            print(f"choline: {error}", file=sys.stderr)
    return min(failures, 1)
