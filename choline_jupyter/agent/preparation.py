"""What a session needs before its next cell: an interpreter, a folder, packages that its code has come to import.

Made by the supervisor, runs in its event loop. A session's jobs wait while something is prepared for it; what is told
meanwhile goes into its own series.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from choline_jupyter.agent.delivery import Deliveries
from choline_jupyter.agent.environment import Environments
from choline_jupyter.agent.installation import Order
from choline_jupyter.agent.layer import find_site, is_used
from choline_jupyter.agent.layout import Layouts, translate
from choline_jupyter.agent.place import find_directory
from choline_jupyter.agent.tool import EnvironmentFault
from choline_jupyter.model.environment import Target

if TYPE_CHECKING:
    from choline_jupyter.agent.session import HostedSession

_T = TypeVar("_T")


class Preparation:
    """Prepares one thing at a time for each session."""

    def __init__(self, deliveries: Deliveries, layouts: Layouts) -> None:
        self._deliveries, self._layouts = deliveries, layouts
        self._environments = Environments()
        self._turns: dict[str, asyncio.Lock] = {}

    async def settle(self, session: HostedSession) -> None:
        """Find the interpreter and the folder, where the session does not bring its own. Raises EnvironmentFault."""
        async with self._take_turn(session):
            spec = session.spec
            if not spec["python"]:
                spec["python"] = await self._find(session)
                spec["is_python_found"] = True
            elif spec.get("packages") and not spec.get("is_python_found"):
                await self._add(session, spec["packages"])
            if self._environments.has_made(spec["python"]):
                self._environments.lay(spec["python"], _find_layer(session))
            is_shown = await self._layouts.settle(session.id, spec)
            wanted = translate(spec["layout"], spec["directory"])
            directory = wanted if is_shown else find_directory(wanted)
            if directory != spec["directory"]:
                session.tell({"state": "moved", "wanted": spec["directory"], "directory": directory})
                spec["directory"] = directory
            session.save()

    async def extend(self, session: HostedSession, packages: Sequence[str], is_found: bool) -> None:
        """Have further packages in a session that is held. What cannot be had is said, or ends the jobs that wait."""
        try:
            async with self._take_turn(session):
                await self._add(session, packages, is_found)
        except (EnvironmentFault, OSError) as fault:
            if is_found:
                session.tell({"state": "notice", "stage": "not installed: %s." % fault})
            else:
                self._take_back(session, packages)
                session.cancel_waiting(str(fault))
        finally:
            session.spec["wanting"] = []
            session.save()
            session.release()

    def choose_python(self, session: HostedSession) -> str:
        """What a new process of the session starts from: its own layer, once something of its own is in there."""
        layer = _find_layer(session)
        is_own = self._environments.has_made(session.spec["python"]) and layer.exists()
        needs_layer = is_own and (session.spec.get("kind") == "script" or is_used(layer))
        return str(layer / "bin" / "python") if needs_layer else str(session.spec["python"])

    def describe_layer(self, session: HostedSession) -> dict[str, Any]:
        """What a new kernel is told of the session's layer; nothing of one that there is not."""
        layer = _find_layer(session)
        if not layer.exists():
            return {}
        return {"layer": str(layer), "is_activated": self._environments.has_made(session.spec["python"])}

    def forget(self, session: HostedSession) -> None:
        """It is over."""
        self._turns.pop(session.id, None)

    def _take_back(self, session: HostedSession, packages: Sequence[str]) -> None:
        """What the user has named and cannot be had is asked for again by the next cell that names it."""
        session.spec["packages"] = [one for one in session.spec["packages"] if one not in packages]
        session.tell({"state": "lacking", "packages": list(packages)})

    async def _find(self, session: HostedSession) -> str:
        return await self._unless_stopped(
            session, self._environments.find(_read_order(session), *self._speak_for(session))
        )

    async def _add(self, session: HostedSession, packages: Sequence[str], is_found: bool = True) -> None:
        spec, layer = session.spec, _find_layer(session)
        order = _read_order(session)._replace(packages=tuple(packages), is_found=is_found, python="")
        adding = self._environments.add(
            spec["python"], layer, order, *self._speak_for(session), not spec.get("is_python_found")
        )
        if await self._unless_stopped(session, adding):
            _, changes = spec.get("layer", ("", 0))
            spec["layer"] = [find_site(layer), changes + 1]  # where its own packages are, how often they have changed

    def _speak_for(self, session: HostedSession) -> tuple[Any, Any]:
        def tell(state: str, stage: str) -> None:
            session.tell({"state": state, "stage": stage})

        def bring(target: Target) -> Awaitable[Sequence[Path]]:
            return self._deliveries.bring(session.id, target, session.tell)

        return tell, bring

    async def _unless_stopped(self, session: HostedSession, work: Awaitable[_T]) -> _T:
        """What may take minutes is given up when the session is stopped."""
        working = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(session.stopping.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if working.cancel():
            raise EnvironmentFault("the session was stopped")
        return working.result()

    def _take_turn(self, session: HostedSession) -> asyncio.Lock:
        return self._turns.setdefault(session.id, asyncio.Lock())


def _find_layer(session: HostedSession) -> Path:
    return Path(os.path.join(str(session.directory), "layer"))


def _read_order(session: HostedSession) -> Order:
    spec = session.spec
    return Order(
        tuple(spec.get("packages", ())), bool(spec.get("are_found")), str(spec.get("version", "")),
        dict(spec.get("indexes") or {}),
    )  # fmt: skip
