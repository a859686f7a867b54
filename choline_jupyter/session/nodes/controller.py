"""The controller: has a script run on several machines, again from its last checkpoint when one of them is lost.

Made by `cli.nodes`; lives in the engine's loop. For each attempt it decides which machines take part, numbers their ranks and
says where they meet, so no machine hosts what the others cannot do without. Promises: an attempt begins only when all nodes
reach each other with the same torch; a fault of the script ends the job, a killed rank or a lost machine does not; while an
attempt runs nothing of it waits for this machine; at the end nothing of it is left running, or it is said where that is not
known.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from choline_jupyter.errors import CholineError, HostError
from choline_jupyter.session.nodes.crew import Crew
from choline_jupyter.session.nodes.gathering import Gathering
from choline_jupyter.session.nodes.meeting import check_versions, choose_addresses, list_targets
from choline_jupyter.session.nodes.node import Facts, Node
from choline_jupyter.session.nodes.placing import place_files

if TYPE_CHECKING:
    from choline_jupyter.model.event import Event

RESTARTS = 3  # attempts in a row that have brought no new checkpoint
INTERRUPTED = 130
_LOOK = 0.5  # seconds between looks at the connections
_GRACE = 10.0  # for a script that was interrupted


class Patience:
    """Seconds: until a machine that is not heard is lost, until it must have come back, until it must have ended something."""

    def __init__(self, silence: float = 45.0, back: float = 300.0, end: float = 30.0) -> None:
        self.silence, self.back, self.end = silence, back, end


class Window(Protocol):
    """Where it is shown; called in the engine's loop."""

    def show(self, node: Node, event: Event) -> None:
        """Output of a node."""

    def say(self, sentence: str) -> None:
        """A notice of ours."""

    def close(self) -> None:
        """There is nothing more to come."""


class Controller:
    """`ranks` is how many each node has. `code` and `failure` are how it ended; `crew` is set before `serve`."""

    crew: Crew
    gathering: Gathering | None = None

    def __init__(self, ranks: int, window: Window, patience: Patience | None = None) -> None:
        self._ranks, self._window, self._patience = ranks, window, patience or Patience()
        self._news: asyncio.Event
        self._attempt = self._stale = self._marks = 0
        self._is_running = self._is_interrupted = self._is_stopped = self._is_closed = False
        self._task: asyncio.Task[int] | None = None
        self.code, self.failure = 1, None  # type: int, CholineError | None

    def show(self, node: Node, event: Event) -> None:
        self._window.show(node, event)

    def take_part(self, node: Node, fact: Facts) -> None:
        if self.gathering:
            self.gathering.take(node, fact)

    def wake(self) -> None:
        self._news.set()

    def interrupt(self) -> None:
        """Interrupt the script everywhere; the second time, or while none runs, end it."""
        if self._is_running and not self._is_interrupted:
            self._is_interrupted = True
            for node in self.crew.nodes:
                node.session.interrupt(node.job)
            self._news.set()
        else:
            self.stop()

    def stop(self) -> None:
        """End it everywhere."""
        self._is_stopped = True
        if self._task:
            self._task.cancel()

    async def open(self) -> None:
        """Open the sessions. Raises CholineError."""
        self._news = asyncio.Event()
        await self.crew.open()

    async def serve(self) -> None:
        """Until the job is over everywhere; how it ended is in `code` and `failure`."""
        self._task = asyncio.ensure_future(self._run())
        try:
            self.code = await self._task
        except asyncio.CancelledError:
            self.code = INTERRUPTED
        except CholineError as error:
            self.failure = error
        finally:
            await self.close()
            self._window.close()

    async def _run(self) -> int:
        while True:
            group = await self._meet()
            ends = await self._try(group)
            code = await self._judge(ends)
            if code is not None:
                await self._finish(code)
                return code
            await self._repair()

    async def _meet(self) -> list[Facts]:
        """Have all nodes ready; gives what each is to be told of the attempt. Raises CholineError."""
        for node in list(self.crew.nodes):
            await self._have_ready(node)
        nodes = self.crew.nodes
        names, meetings = [self.crew.name(node) for node in nodes], [node.meeting or {} for node in nodes]
        check_versions(names, meetings)
        for place, node in enumerate(nodes):
            node.reached = None
            targets = [target[1:] for target in list_targets(meetings, place)]
            node.tell("reach", round=self._attempt, targets=targets)
        if not await self._wait(lambda: all(node.reached for node in nodes), self._patience.end):
            raise HostError("A node does not answer.", "`choline status` shows where sessions are.")
        addresses = choose_addresses(names, meetings, [(node.reached or {})["found"] for node in nodes])
        common = {
            "attempt": self._attempt, "nodes": len(nodes), "world": self._ranks * len(nodes), "address": addresses[0],
            "port": meetings[0]["port"],
        }  # fmt: skip
        return [
            {**common, "node": place, "first": self._ranks * place, "own": addresses[place]}
            for place in range(len(nodes))
        ]

    async def _have_ready(self, node: Node) -> None:
        """Wait for a machine that may have to come back, and that may have lost its session meanwhile."""
        if await self._comes(node):
            return
        failure = node.find_failure()
        if node.has_ended or failure:
            if self._attempt == 0:
                raise failure or HostError(f"{self.crew.name(node)} has ended its session.", "Run it again.")
            node = await self.crew.renew(node)
            if await self._comes(node):
                return
        what = f"{self.crew.name(node)} has not come within {self._patience.back:.0f} s."
        raise node.find_failure() or HostError(what, "Run it again with --resume: it goes on from its last checkpoint.")

    async def _comes(self, node: Node) -> bool:
        """Whether it is there; one that is heard of may take its time: it makes its environment."""

        def is_settled() -> bool:
            is_silent = node.measure_silence() > self._patience.back
            return bool(node.meeting) or node.has_ended or bool(node.find_failure()) or is_silent

        await self._wait(is_settled, math.inf)
        return bool(node.meeting) and not node.has_ended

    async def _try(self, group: list[Facts]) -> list[Facts | None]:
        """One attempt; gives how it ended on each node, None where nobody knows."""
        nodes = self.crew.nodes
        await self._share_checkpoints()
        self._marks = self.gathering.count if self.gathering else 0
        for node, part in zip(nodes, group, strict=True):
            node.begin(part)
        self._is_running, began = True, asyncio.get_running_loop().time
        deadline = None
        while not self._is_over(nodes):
            await self._rest()
            if self._is_interrupted:
                deadline = deadline or began() + _GRACE
                if began() > deadline:
                    break
        for node in nodes:
            if not node.end:
                node.tell("halt")
        await self._wait(lambda: all(node.end or self._is_lost(node, 1.0) for node in nodes), self._patience.end)
        self._is_running = False
        return [node.end for node in nodes]

    def _is_over(self, nodes: list[Node]) -> bool:
        """All have come to the end, or one has failed or is lost."""
        ends = [node.end for node in nodes]
        if all(ends) or any(end and end["code"] for end in ends):
            return True
        return any(self._is_lost(node, self._patience.silence) for node in nodes)

    def _is_lost(self, node: Node, patience: float) -> bool:
        """What nobody is heard from is not a lost machine but this one's network."""
        others = [other for other in self.crew.nodes if other is not node]
        is_here = not others or any(other.measure_silence() == 0 for other in others)
        return node.has_ended or (node.measure_silence() > patience and is_here)

    async def _judge(self, ends: list[Facts | None]) -> int | None:
        """The code that the job ends with; None for another attempt."""
        if all(end and not end["code"] for end in ends):
            return 0
        if self._is_interrupted:
            return INTERRUPTED
        causes = [(end["cause"]["at"], node, end["cause"]) for node, end in zip(self.crew.nodes, ends, strict=True)
                  if end and end["cause"] and not end["cause"]["bereft"]]  # fmt: skip
        if causes:
            _, node, cause = min(causes, key=lambda one: one[0])
            return self._tell_fault(node, cause)
        for node, end in zip(self.crew.nodes, ends, strict=True):
            if end is None:
                self._window.say(f"{self.crew.name(node)} is lost")
        if all(ends):
            killed = [
                node
                for node, end in zip(self.crew.nodes, ends, strict=True)
                if end and end["code"] and not end["cause"]
            ]
            self._window.say(f"a rank of {' or '.join(map(self.crew.name, killed or self.crew.nodes))} was killed")
        return None

    def _tell_fault(self, node: Node, cause: Facts) -> int:
        """Which rank has failed first, with its traceback unless it has been shown."""
        head = "rank {rank} failed first: {ename}: {evalue}".format(**cause)
        shown = "" if cause["is_shown"] else "\n" + str(cause["traceback"])
        self._window.say(f"{self.crew.name(node)}: {head}{shown}")
        return int(cause["code"]) or 1

    async def _repair(self) -> None:
        """Have what is needed for another attempt. Raises HostError when it would be in vain."""
        lost = [node for node in self.crew.nodes if not node.end]
        if self.gathering:
            for node in lost:
                self.gathering.abandon(node)
            await self.gathering.settle([node for node in self.crew.nodes if node.end])
            self._stale = 0 if self.gathering.count > self._marks else self._stale
        self._stale += 1
        self._attempt += 1
        if self._stale > RESTARTS:
            raise HostError(
                f"{RESTARTS} attempts in a row ended without a new checkpoint.",
                "`choline logs JOB` shows what was said.",
            )
        for node in lost:
            node.meeting = None
            await self.crew.replace(node)
        self._window.say(f"the script begins again on all nodes (attempt {self._attempt + 1})")

    async def _share_checkpoints(self) -> None:
        """Every node goes on from the same files."""
        for sentence in self._take_notices():
            self._window.say(sentence)
        if not self.gathering or self._attempt == 0:
            return
        nodes = [node for node in self.crew.nodes if not node.session.shares_files]
        for node in nodes:
            await place_files(node, self.gathering)
        self.gathering.begin_attempt()
        if not await self._wait(lambda: all(node.is_placed or node.has_ended for node in nodes), self._patience.back):
            raise HostError("The last checkpoint did not reach all nodes.", "Run it again with --resume.")

    async def _finish(self, code: int) -> None:
        """Have the job end everywhere: what the first node has made comes home, of the others their checkpoints."""
        nodes = self.crew.nodes
        for node in nodes:
            if node.end:
                node.tell("finish", code=code, pull=node.place == 0)
        done = [node for node in nodes if node.end]
        await self._wait(
            lambda: all(n.has_ended or self._is_lost(n, self._patience.silence) for n in done), self._patience.back
        )
        for node in done:
            with suppress(HostError):
                await node.session.finish_fetches()
        if self.gathering:
            await self.gathering.settle([node for node in done if not self._is_lost(node, 0)])

    async def close(self) -> None:
        """End what is left anywhere."""
        if self._is_closed:
            return
        self._is_closed = True
        left = [node for node in self.crew.list_all() if not node.has_ended]
        stopping = [asyncio.wait_for(node.session.stop(), self._patience.end) for node in left]
        for node, outcome in zip(left, await asyncio.gather(*stopping, return_exceptions=True), strict=True):
            if isinstance(outcome, BaseException):
                name = node.session.row.name
                self._window.say(
                    f"{self.crew.name(node)} does not answer: what ran there may still run; `choline stop '{name}'`"
                )
        if self.gathering:
            for sentence in self._take_notices():
                self._window.say(sentence)
            self.gathering.close()

    def _take_notices(self) -> list[str]:
        if not self.gathering:
            return []
        said, self.gathering.notices = self.gathering.notices, []
        return said

    async def _wait(self, test: Callable[[], Any], patience: float) -> bool:
        """Until something is so, or for so many seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        while not test():
            if loop.time() > deadline:
                return False
            await self._rest()
        return True

    async def _rest(self) -> None:
        """Until something has changed, or it is time to look at the connections."""
        if self._is_stopped:
            raise asyncio.CancelledError  # one that comes with news can get lost
        look = asyncio.get_running_loop().call_later(_LOOK, self._news.set)
        await self._news.wait()
        look.cancel()
        self._news.clear()
