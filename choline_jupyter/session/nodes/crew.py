"""The crew: the machines that take part, the spare ones, and those that were lost.

Made by `cli.nodes`; in the engine's loop. A lost machine's place is taken by a spare one, or by itself when it comes back;
that of a rented one by another that is rented, as long as the budget lasts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from choline_jupyter.errors import CholineError, HostError
from choline_jupyter.session.nodes.node import Listener, Node

if TYPE_CHECKING:
    from choline_jupyter.session.engine import Engine
    from choline_jupyter.session.live import LiveSession
    from choline_jupyter.session.nodes.purse import Purse
    from choline_jupyter.session.spec import SessionSpec

_RESUME = "Run it again with --resume: it goes on from its last checkpoint."
OPENING = 60.0  # seconds that a spare machine may take to be reached

Launch = Callable[["LiveSession", int], Awaitable[str]]  # sends the job to a session; gives its id
Say = Callable[[str], None]


class Crew:
    """`specs` are the machines, the first `count` of them to begin with; `nodes` those that take part now, by their places."""

    def __init__(
        self,
        engine: Engine,
        specs: Sequence[SessionSpec],
        count: int,
        launch: Launch,
        listener: Listener,
        say: Say,
        purse: Purse | None = None,
    ) -> None:
        self._engine, self._launch, self._listener, self._say = engine, launch, listener, say
        self._purse = purse  # of machines that are rented
        self._first, self._spare = list(specs[:count]), list(specs[count:])
        self._opened = 0
        self.nodes: list[Node] = []
        self._all: list[Node] = []  # that there ever were
        self._specs: dict[Node, SessionSpec] = {}

    async def open(self) -> None:
        """Open all sessions. Raises CholineError when one cannot be."""
        if self._purse:
            rented = await self._purse.rent([self._name(place, spec) for place, spec in enumerate(self._first)])
            opening = [self._begin(place, spec, rented[place]) for place, spec in enumerate(self._first)]
        else:
            opening = [self._open(place, spec) for place, spec in enumerate(self._first)]
        found = await asyncio.gather(*opening, return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException):
                raise one
        self.nodes = [one for one in found if isinstance(one, Node)]

    async def replace(self, lost: Node) -> Node:
        """Who takes a lost node's place: a spare machine, another rented one, or the same, which may still have to come back.

        Raises HostError where there is nobody.
        """
        self._check_wanted(lost)
        if self._purse:
            return await self._rent_another(lost, self._purse)
        while self._spare:
            spec = self._spare.pop(0)
            try:
                return self._exchange(lost, await self._open(lost.place, spec, OPENING))
            except CholineError as error:
                self._say(f"the spare machine {spec.machine} cannot be used: {error}")
            except asyncio.TimeoutError:
                self._say(f"the spare machine {spec.machine} does not answer")
        return lost

    async def renew(self, node: Node) -> Node:
        """Another session on a node's machine, which has lost the one that it had. Raises CholineError."""
        self._check_wanted(node)
        if self._purse:
            return await self._rent_another(node, self._purse)
        return self._exchange(node, await self._open(node.place, self._specs[node]))

    def list_all(self) -> list[Node]:
        """Every node that there was."""
        return self._all

    def name(self, node: Node) -> str:
        """For messages."""
        return f"node {node.place} ({node.machine})"

    def _exchange(self, old: Node, new: Node) -> Node:
        self.nodes[self.nodes.index(old)] = new
        return new

    def _check_wanted(self, node: Node) -> None:
        """Raise HostError for a node that was ended on purpose (`choline stop`, its lease, its budget): none takes its place."""
        if node.stopped:
            raise HostError(f"{self.name(node)} has ended its session: {node.stopped}.", _RESUME)

    async def _rent_another(self, lost: Node, purse: Purse) -> Node:
        """What was lost is ended if it is not gone yet: nothing is paid for twice."""
        await purse.give_back(lost.session)
        if not purse.replaces:
            raise HostError(f"{self.name(lost)} is lost.", _RESUME)
        spec = self._specs[lost]
        try:
            [session] = await purse.rent([self._name(lost.place, spec)])
            return self._exchange(lost, await self._begin(lost.place, spec, session))
        except CholineError as error:
            what = f"{self.name(lost)} is lost, and no other machine takes its place: {error.message}"
            raise HostError(what, _RESUME) from None

    async def _open(self, place: int, spec: SessionSpec, patience: float | None = None) -> Node:
        session = await asyncio.wait_for(self._engine.open(self._name(place, spec)), patience)
        return await self._begin(place, spec, session)

    def _name(self, place: int, spec: SessionSpec) -> SessionSpec:
        """The session of a node; each has a name of its own."""
        self._opened += 1
        again = f" ({self._opened})" if self._opened > len(self._first) else ""
        return replace(spec, name=f"{spec.name} node {place}{again}")

    async def _begin(self, place: int, spec: SessionSpec, session: LiveSession) -> Node:
        try:
            job = await self._launch(session, place)
        except BaseException:
            with suppress(CholineError):
                await session.stop()
            raise
        node = Node(place, session, job, self._listener, asyncio.get_running_loop().time)
        self._all.append(node)
        self._specs[node] = spec
        return node
