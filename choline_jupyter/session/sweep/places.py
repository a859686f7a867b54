"""The places of a sweep: which sessions it opens on which machines, one for each GPU that is there.

Called by `magic.sweep`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from choline_jupyter.errors import CholineError, RequestError
from choline_jupyter.providers.provider import Access
from choline_jupyter.session.machine import make_spec
from choline_jupyter.session.option_reader import Values
from choline_jupyter.session.outcome import tell

if TYPE_CHECKING:
    from choline_jupyter.session.bridge import Bridge
    from choline_jupyter.session.spec import SessionSpec

HERE = "here"  # this machine, among hosts
MOST = 64


@dataclass(frozen=True)
class Place:
    """Where one session is opened. `label` is what the table shows, `gpu` the one that it is to use, if there are several."""

    spec: SessionSpec
    label: str
    gpu: str = ""


def find_places(bridge: Bridge, options: Values, jobs: int, ask: Callable[[str, bool], str]) -> list[Place]:
    """As many as are wanted: `--parallel`, else one for each machine, or for each GPU of it. Raises CholineError."""
    wanted = options.number("parallel") or 0
    if wanted > MOST:
        raise RequestError(f"--parallel {wanted} is more than a sweep opens.", f"Use at most {MOST}.")
    specs = [make_spec("", one) for one in _list_machines(options)]
    if specs[0].rent:
        return [Place(specs[0], f"machine {number + 1}") for number in range(min(wanted or 1, jobs))]
    ordered = _take_turns(_list_places(bridge, specs, ask))
    count = min(wanted or len(ordered), jobs)
    return [ordered[number % len(ordered)] for number in range(count)]


def make_specs(name: str, places: Sequence[Place]) -> list[SessionSpec]:
    """The sessions of the sweep `name`; a budget is that of all machines together, so each gets its share."""
    specs = []
    for number, place in enumerate(places, 1):
        spec = dataclasses.replace(place.spec, name=f"{name}.{number}", gpus=place.gpu)
        if spec.rent:
            limits = dataclasses.replace(spec.rent.limits, budget=spec.rent.limits.budget / len(places))
            spec = dataclasses.replace(spec, rent=dataclasses.replace(spec.rent, limits=limits))
        specs.append(spec)
    return specs


def _list_machines(options: Values) -> list[Values]:
    """The options of each machine: of every host of `--over`, else of the one that they mean."""
    hosts = options.list("over")
    if not hosts:
        return [options]
    if options.has("host"):
        raise RequestError("--host and --over both name machines.", "Name all of them behind --over.")
    return [Values({**options.items, "host": None if host == HERE else host}) for host in dict.fromkeys(hosts)]


def _list_places(bridge: Bridge, specs: Sequence[SessionSpec], ask: Callable[[str, bool], str]) -> list[Place]:
    """One for each GPU, or machine; one that cannot be reached is told and left out, unless it is the last."""
    found: list[Place] = []
    troubles: list[CholineError] = []
    for spec in specs:
        try:
            gpus = _count_gpus(bridge, spec, ask)
        except CholineError as error:
            troubles.append(error)
            tell_absence(spec.machine, error)
            continue
        numbers = [str(gpu) for gpu in range(gpus)] if gpus > 1 else [""]
        found += [Place(spec, _name(spec, gpu), gpu) for gpu in numbers]
    if not found:
        raise troubles[0]
    return found


def tell_absence(label: str, error: CholineError) -> None:
    """Say that a sweep goes on without this one."""
    tell(f"choline: {label} takes no part: {error}\n")


def _count_gpus(bridge: Bridge, spec: SessionSpec, ask: Callable[[str, bool], str]) -> int:
    """How many GPUs sessions of this machine can share out; a session of several ranks uses all of them."""
    if spec.ranks > 1:
        return 0
    access = Access(accept_key=spec.accept_key, client=spec.client)
    return len(bridge.call(bridge.engine.probe(spec.provider, spec.machine, access), ask).gpus)


def _name(spec: SessionSpec, gpu: str) -> str:
    machine = HERE if spec.provider == "local" else spec.machine
    return f"{machine}, GPU {gpu}" if gpu else machine


def _take_turns(places: Sequence[Place]) -> list[Place]:
    """The first of each machine, then the second of each: few sessions are on as many machines as there are."""
    seen: dict[str, int] = {}
    keyed = []
    for place in places:
        turn = seen[place.spec.machine] = seen.get(place.spec.machine, 0) + 1
        keyed.append((turn, place))
    return [place for _, place in sorted(keyed, key=lambda pair: pair[0])]
