"""Whether nodes fit together: they reach each other, and have the same torch.

Used by `session.nodes.controller` before each attempt, on what the nodes have said (`agent.node`). Pure functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from choline_jupyter.errors import RequestError

Facts = dict[str, Any]
Target = tuple[int, str, int, str]  # of which node, its address, port and word

_HINT = "Ranks talk from machine to machine, so nodes have to be in one network whose ports are open to each other."


def check_versions(names: Sequence[str], meetings: Sequence[Facts]) -> None:
    """Raise RequestError unless all have the same torch: different ones do not understand each other."""
    versions = [str(one.get("torch") or "") for one in meetings]
    if "" in versions:
        name = names[versions.index("")]
        raise RequestError(f"torch is missing on {name}.", "Have it installed there, or name it in --env FILE.")
    if len(set(versions)) > 1:
        told = ", ".join(f"{version} on {name}" for name, version in zip(names, versions, strict=True))
        raise RequestError(f"The nodes have different versions of torch: {told}.", "Name one version in --env FILE.")


def list_targets(meetings: Sequence[Facts], place: int) -> list[Target]:
    """All addresses of the others, that node `place` is to try."""
    found = []
    for other, meeting in enumerate(meetings):
        if other != place:
            found += [(other, address, meeting["port"], meeting["word"]) for address in read_addresses(meeting)]
    return found


def choose_addresses(names: Sequence[str], meetings: Sequence[Facts], found: Sequence[Sequence[bool]]) -> list[str]:
    """For each node the first address at which all others reach it; `found` is what each said of its `list_targets`.

    Raises RequestError that names two nodes that do not reach each other.
    """
    reached = {
        (place, other, address)
        for place, answers in enumerate(found)
        for (other, address, _, _), is_reached in zip(list_targets(meetings, place), answers, strict=False)
        if is_reached
    }
    chosen = []
    for node, meeting in enumerate(meetings):
        others = [place for place in range(len(meetings)) if place != node]
        fit = (one for one in read_addresses(meeting) if all((place, node, one) in reached for place in others))
        address = next(fit, None)
        if address is None:
            raise _explain(names, meetings, reached, node, others)
        chosen.append(address)
    return chosen


def read_addresses(meeting: Facts) -> list[str]:
    """A node's own addresses, the loopback last."""
    return [str(address) for address, _ in meeting.get("addresses") or ()]


def _explain(
    names: Sequence[str], meetings: Sequence[Facts], reached: set[tuple[int, int, str]], node: int, others: list[int]
) -> RequestError:
    tried = ", ".join(read_addresses(meetings[node])) or "no address"
    far = next(
        (p for p in others if not any((p, node, one) in reached for one in read_addresses(meetings[node]))), None
    )
    who = names[others[0] if far is None else far]
    if far is None:
        return RequestError(f"The nodes reach {names[node]} at different addresses only ({tried}).", _HINT)
    return RequestError(f"{who} does not reach {names[node]} (tried {tried}).", _HINT)
