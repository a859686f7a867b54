"""Provision: what a machine cannot fetch for a session's environment is fetched here and brought to it.

Made by `session.engine`, asked by `session.live` when the agent says that it wants something; runs in the engine's loop.
Which packages these are is decided here, by what the session was opened with; the machine only says what they must fit.
"""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from choline_jupyter.errors import CholineError, HostError
from choline_jupyter.session.bulk import Bulk, hash_file
from choline_jupyter.session.connection import Connection
from choline_jupyter.session.wheels import fetch_wheels, read_target
from choline_jupyter.wire.frame import Type

Tell = Callable[[dict[str, Any]], Awaitable[object]]


async def provide_to(
    connection: Connection, session: str, named: Collection[str], found: Collection[str], wish: dict[str, Any]
) -> None:
    """Bring what a session wants; a way that is cut meanwhile is the connection's to mend, and it asks again."""

    async def tell(fact: dict[str, Any]) -> None:
        await connection.request(Type.PROVIDE, {"session": session, **fact})

    with suppress(HostError):
        await provide(Bulk(connection), sorted(named), sorted(found), wish, tell)


async def provide(bulk: Bulk, named: Sequence[str], found: Sequence[str], wish: dict[str, Any], tell: Tell) -> None:
    """Bring the wheels that `wish` is for; `tell` passes stages and at last the answer to the agent.

    The packages are those that the user has `named` and those that were `found` in what he runs.
    """
    with tempfile.TemporaryDirectory(prefix="choline-wheels-") as folder:
        try:
            await tell({"stage": "finding packages for that machine"})
            wheels, notice = await fetch_wheels(read_target(wish), named, Path(folder), found)
            if notice:
                await tell({"notice": notice})
            size = sum(wheel.stat().st_size for wheel in wheels)
            if wheels:
                await tell({"stage": f"sending {len(wheels)} packages, {size / 1e6:.0f} MB"})
            digests = {wheel.name: await hash_file(wheel) for wheel in wheels}
            await bulk.put({digests[wheel.name]: wheel for wheel in wheels})
            await tell({"wheels": digests})
        except HostError:
            raise
        except (CholineError, OSError) as error:
            await tell({"failure": str(error)})
