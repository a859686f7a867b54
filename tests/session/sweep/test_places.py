"""Where a sweep opens its sessions, and what each machine may spend."""

from __future__ import annotations

import pytest

from choline_jupyter.session.options import parse_cell
from choline_jupyter.session.rent.limits import Limits
from choline_jupyter.session.rent.renter import Rent
from choline_jupyter.session.rent.wish import read_wish
from choline_jupyter.session.spec import SessionSpec
from choline_jupyter.session.sweep.places import Place, _list_machines, _take_turns, make_specs


def test_a_budget_is_that_of_all_machines() -> None:
    rent = Rent(read_wish(parse_cell("--gpu a100").options), Limits(6.0))
    specs = make_specs("w-1", [Place(SessionSpec("", rent=rent), "machine")] * 3)
    assert [spec.rent.limits.budget for spec in specs if spec.rent] == [2.0, 2.0, 2.0]
    assert [spec.name for spec in specs] == ["w-1.1", "w-1.2", "w-1.3"]


def test_hosts_take_turns() -> None:
    places = [Place(SessionSpec("", machine=machine), machine, gpu) for machine in "ab" for gpu in "01"]
    assert [(place.label, place.gpu) for place in _take_turns(places)] == [
        ("a", "0"),
        ("b", "0"),
        ("a", "1"),
        ("b", "1"),
    ]


@pytest.mark.parametrize(
    ("line", "hosts"),
    [
        ("", [None]),
        ("--host a", ["a"]),
        ("--over a,b", ["a", "b"]),
        ("--over here,b", [None, "b"]),
        ("--over a,a", ["a"]),
    ],
)
def test_machines_that_are_meant(line: str, hosts: list[str | None]) -> None:
    assert [options.text("host") for options in _list_machines(parse_cell(line).options)] == hosts
