"""A cell on a sandbox: offer, intent, Modal's own package, the agent through its exec, a kernel, output, the end."""

from __future__ import annotations

import dataclasses

import pytest

from choline_jupyter.model.event import Kind
from choline_jupyter.session.live import LiveSession
from choline_jupyter.session.machine import make_spec
from choline_jupyter.session.options import parse_cell
from tests.e2e.losses.engine_client import EngineClient, read_text
from tests.fakes.modal_servicer.cloud import ModalCloud

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

PATIENCE = 60.0
CELL = """
import os, pathlib
print(pathlib.Path("/proc/self/status").read_text().count("NSpid"), flush=True)
print(sorted(os.listdir("/mnt/choline")))
pathlib.Path("made-there.txt").write_text("made in the sandbox")
"hel" + "lo"
"""


def open_session(client: EngineClient) -> LiveSession:
    """What a cell with such a line runs in."""
    spec = make_spec("book", parse_cell("--gpu t4 --provider modal --budget 2").options)
    # without the mark that would tell the sandbox, which is on this machine, that the folder is the very same one
    return client.call(client.engine.open(dataclasses.replace(spec, files={**(spec.files or {}), "mark": {}})))


def test_a_cell_runs_in_a_sandbox_that_ends_with_its_session(client: EngineClient, cloud: ModalCloud) -> None:
    session = open_session(client)
    [rental] = cloud.list_alive()
    assert rental.label == session.row.machine
    events = client.run(session, CELL)
    assert read_text(events) == "1\n['workspaces']\n"
    assert client.evaluate(session, "1 + 1") == "2"
    [workspace] = (cloud.find_volume("choline") / "workspaces").iterdir()
    assert (workspace / "root/made-there.txt").read_text() == "made in the sandbox"
    assert client.call(client.engine.stop(session.row))
    assert cloud.list_alive() == []


def test_an_interrupt_reaches_the_cell(client: EngineClient, cloud: ModalCloud) -> None:
    session = open_session(client)
    job = client.start(session, "import time\nprint('sleeping', flush=True)\ntime.sleep(600)")
    while (event := session.feed.get(PATIENCE)) and event.kind is not Kind.STREAM:
        pass
    client.post(session.interrupt)
    events = client.finish(session, job)
    assert "KeyboardInterrupt" in str(events[-1].read_content())
