"""Ranks in words: `rank 1`, `ranks 0-3`, and what a job on several ranks is to say of those that failed or wait.

Used by `session.outcome`, `magic.rank_output` and the command.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from choline_jupyter.model.event import Event

_ADDRESS = re.compile(r"0x[0-9a-f]{4,}")
_MOST = 500


def shorten_ranks(ranks: Iterable[int]) -> str:
    """`1`, `0-3`, `0,2`."""
    parts: list[list[int]] = []
    for number in sorted(set(ranks)):
        if parts and parts[-1][-1] == number - 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)


def name_ranks(ranks: Iterable[int]) -> str:
    """`rank 1`, `ranks 0-3`, `ranks 0,2`."""
    numbers = sorted(set(ranks))
    return f"{'rank' if len(numbers) == 1 else 'ranks'} {shorten_ranks(numbers)}"


def explain_waiting(fact: Mapping[str, Any]) -> str:
    """A state `waiting`: who is missed where."""
    waiting = [one for one in fact.get("waiting", ()) if isinstance(one, dict)]
    places = sorted({(str(one.get("call")), one.get("line")) for one in waiting}, key=str)
    if fact.get("what") == "mismatch":
        each = [f"{name_ranks(_find_there(waiting, place))} in {_spell(place)}" for place in places]
        return f"choline: the ranks wait for each other in different calls: {', '.join(each)}.\n"
    late, place = name_ranks(fact.get("late", ())), places[0] if places else ("", None)
    others = f"{name_ranks(_find_there(waiting, place))} {'waits' if len(waiting) == 1 else 'wait'}"
    if fact.get("what") == "deadlock":
        return f"choline: {fact.get('reason')}; {others} in {_spell(place)} in vain and will be freed.\n"
    line = f" at cell line {place[1]}" if place[1] else ""
    verb = "has" if len(fact.get("late", ())) == 1 else "have"
    return f"choline: {late} {verb} not reached {place[0]} for {fact.get('seconds')} s; {others}{line}.\n"


def explain_freed(ends: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Of those that were freed from a collective: where they waited. And who found that another is gone."""
    places: dict[tuple[str, Any], list[int]] = {}
    for rank, end in ends.items():
        where = end.get("aborted")
        if isinstance(where, dict) and where.get("call") and end.get("status") != "ok":
            places.setdefault((str(where["call"]), where.get("line")), []).append(int(rank))
    bereft = [int(rank) for rank, end in ends.items() if end.get("bereft") and "aborted" not in end]
    lost = [f"choline: {name_ranks(bereft)} could not go on without the others.\n"] if bereft else []
    return lost + [f"choline: {name_ranks(ranks)} waited in {_spell(place)} and were freed.\n".replace(
        "were freed", "was freed" if len(ranks) == 1 else "were freed"
    ) for place, ranks in places.items()]  # fmt: skip


def group_errors(errors: Sequence[Event]) -> list[list[Event]]:
    """Error events that say the same, put together; the earliest first."""
    groups: dict[str, list[Event]] = {}
    for event in sorted(errors, key=lambda event: event.at):
        content = event.read_content()
        text = "\n".join(map(str, content.get("traceback", ())))[:100_000]
        key = f"{content.get('ename')}\n{content.get('evalue')}\n{_ADDRESS.sub('0x', text)}"
        groups.setdefault(_ADDRESS.sub("0x", key), []).append(event)
    return list(groups.values())


def _find_there(waiting: Sequence[Mapping[str, Any]], place: tuple[str, Any]) -> list[int]:
    return [int(one["rank"]) for one in waiting[:_MOST] if (str(one.get("call")), one.get("line")) == place]


def _spell(place: tuple[str, Any]) -> str:
    return f"{place[0]} (cell line {place[1]})" if place[1] else place[0]
