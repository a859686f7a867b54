"""Which address of each node all others reach, and what is said when there is none."""

from __future__ import annotations

from typing import Any

import pytest

from choline_jupyter.errors import RequestError
from choline_jupyter.session.nodes.meeting import check_versions, choose_addresses, list_targets

NAMES = ["node 0 (a)", "node 1 (b)", "node 2 (c)"]


def make_meeting(number: int) -> dict[str, Any]:
    """A node with an address in each of two networks, and the loopback."""
    addresses = [[f"10.0.0.{number}", "eth0"], [f"10.1.0.{number}", "eth1"], ["127.0.0.1", "lo"]]
    return {"addresses": addresses, "port": 7000 + number, "word": f"word{number}", "torch": "2.13.0"}


MEETINGS = [make_meeting(number) for number in range(3)]


def answer(reaches: Any) -> list[list[bool]]:
    """What each node says of its targets; `reaches(from, to, address)`."""
    return [
        [reaches(place, other, address) for other, address, _, _ in list_targets(MEETINGS, place)] for place in range(3)
    ]


def test_targets_are_all_addresses_of_the_others_with_their_word() -> None:
    targets = list_targets(MEETINGS, 1)
    assert {target[0] for target in targets} == {0, 2}
    assert targets[0] == (0, "10.0.0.0", 7000, "word0")
    assert len(targets) == 6


def test_the_first_address_that_all_reach_is_taken() -> None:
    assert choose_addresses(NAMES, MEETINGS, answer(lambda *_: True)) == ["10.0.0.0", "10.0.0.1", "10.0.0.2"]
    second = answer(lambda place, other, address: address.startswith("10.1") or (place, other) == (0, 1))
    assert choose_addresses(NAMES, MEETINGS, second) == ["10.1.0.0", "10.1.0.1", "10.1.0.2"]


def test_two_that_do_not_reach_each_other_are_named() -> None:
    with pytest.raises(RequestError, match=r"node 2 \(c\) does not reach node 1 \(b\) \(tried 10.0.0.1, 10.1.0.1, 127"):
        choose_addresses(NAMES, MEETINGS, answer(lambda place, other, address: (place, other) != (2, 1)))


def test_addresses_that_differ_from_node_to_node_do_not_do() -> None:
    found = answer(lambda place, other, address: address.startswith("10.0" if place == 0 else "10.1"))
    with pytest.raises(RequestError, match=r"node 1 \(b\) at different addresses"):
        choose_addresses(NAMES, MEETINGS, found)


def test_one_node_needs_nobody() -> None:
    assert choose_addresses(NAMES[:1], MEETINGS[:1], [[]]) == ["10.0.0.0"]


def test_versions_of_torch() -> None:
    check_versions(NAMES, MEETINGS)
    with pytest.raises(RequestError, match=r"2\.13\.0 on node 0 \(a\), 2\.12\.1 on node 1"):
        check_versions(NAMES, [MEETINGS[0], {**MEETINGS[1], "torch": "2.12.1"}, MEETINGS[2]])
    with pytest.raises(RequestError, match=r"torch is missing on node 2 \(c\)"):
        check_versions(NAMES, [*MEETINGS[:2], {**MEETINGS[2], "torch": ""}])
