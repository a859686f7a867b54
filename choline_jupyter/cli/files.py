"""The files that go along with a script: itself, what its code needs, and the files that its arguments name.

Called by `cli.command`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from choline_jupyter.capture.foresight import Need, Source, foresee
from choline_jupyter.errors import RequestError
from choline_jupyter.session.cargo import Cargo, Packed
from choline_jupyter.session.consent import Consent, render_choices
from choline_jupyter.session.console import answer_on_terminal
from choline_jupyter.session.datasets import list_datasets, render_datasets

if TYPE_CHECKING:
    from choline_jupyter.session.bridge import Bridge
    from choline_jupyter.session.live import LiveSession
    from choline_jupyter.session.option_reader import Values
    from choline_jupyter.session.options import VerbRequest


def list_needs(script: Path, arguments: Sequence[str]) -> list[Need]:
    """What a script needs of this machine's files."""
    source = Source(script.read_text(errors="replace"), str(script.absolute()), arguments=tuple(arguments))
    search_path = [str(script.absolute().parent), *sys.path[1:]]
    needs = foresee([source], Path.cwd(), {}, search_path)
    return [Need(script.absolute(), "module", "the script"), *_list_named(arguments), *needs]


def pack(bridge: Bridge, session: LiveSession, needs: Sequence[Need], options: Values) -> Packed:
    """Send ahead what must go ahead of a script and return the rest. Raises HostError, RequestError."""
    if session.spec is None or session.spec.files is None:
        return Packed({})
    return send_files(bridge, session, choose_files([*needs, *session.list_fetched()], options), options)


def choose_files(needs: Sequence[Need], options: Values) -> Mapping[str, os.stat_result]:
    """The files that go along; the user is asked about what may. Raises RequestError."""
    consent = _make_consent()
    return consent.settle(consent.choose(needs, options))


def send_files(bridge: Bridge, session: LiveSession, files: Mapping[str, os.stat_result], options: Values) -> Packed:
    """Have a session get files; what is to go with the job itself is returned. Raises HostError, RequestError."""
    session.served.exclude(options.list("without"))
    shipment = session.files.sync.plan(files)
    for trouble in shipment.trouble:
        sys.stderr.write(f"choline: {trouble}.\n")
    return Cargo(shipment=None if shipment.is_empty else shipment).send(bridge, session)


def show_files(request: VerbRequest) -> str:
    """`choline files SCRIPT`. Raises RequestError."""
    if not request.positionals:
        raise RequestError("choline files needs a script.", "In a notebook, %choline files shows what its cells need.")
    script = Path(request.positionals[0])
    if not script.is_file():
        raise RequestError(f"There is no script {request.positionals[0]!r}.", "Give the path of a file.")
    choices = _make_consent().choose(list_needs(script, ()), request.options)
    return render_choices(choices) + render_datasets(list_datasets(request.options))


def _list_named(arguments: Sequence[str]) -> Iterator[Need]:
    """Arguments that are paths here, `--option=path` too."""
    for argument in arguments:
        path = Path(argument.rpartition("=")[2] if argument.startswith("-") else argument).absolute()
        if path.exists():
            yield Need(path, "folder" if path.is_dir() else "data", "an argument of the script")


def _make_consent() -> Consent:
    return Consent(answer_on_terminal, sys.stdin.isatty)
