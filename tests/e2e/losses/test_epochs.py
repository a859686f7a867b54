"""Two clients that know of different epochs of one session: the agent serves one epoch only."""

from __future__ import annotations

import asyncio
import sys

import pytest

from choline_jupyter.model.event import Kind
from choline_jupyter.transport.pipe import PipeTransport
from choline_jupyter.wire.frame import Type
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.agent_processes import is_running, wait_until
from tests.e2e.losses.raw_client import RawClient

pytestmark = pytest.mark.e2e

RUN = {"session": "s-epochs", "attempt": 1, "count": 1, "allow_stdin": False}


def test_a_later_epoch_ends_the_session_and_an_earlier_one_is_refused(home: Isolation) -> None:
    async def meet() -> int:
        client = await RawClient.connect(PipeTransport(options=("--linger", "1")))
        await client.open_session("s-epochs", str(home.folder), sys.executable)
        job = {**RUN, "job": "j-1", "msg_id": "j-1", "epoch": 1}
        await client.ask(
            Type.RUN, job, b"import os, time\nprint(os.getpid(), flush=True)\nwhile True: time.sleep(0.01)"
        )
        pid = int((await client.hear_event(Kind.STREAM, "j-1")).read_content()["text"])
        stale = await client.ask(Type.RUN, {**RUN, "job": "j-2", "msg_id": "j-2", "epoch": 0}, b"1")
        assert stale["refused"] == "superseded"
        other = await RawClient.connect(PipeTransport(options=("--linger", "1")))
        later = await other.ask(
            Type.FOLLOW, {"session": "s-epochs", "epoch": 2, "after": {}, "unread": {}, "window": 1}
        )
        assert later["refused"] == "superseded"
        again = await client.ask(Type.RUN, {**job, "job": "j-3", "msg_id": "j-3"}, b"1")
        assert again["refused"] == "no-session"
        for one in (client, other):
            await one.close()
        return pid

    pid = asyncio.run(meet())
    wait_until(lambda: not is_running(pid))
