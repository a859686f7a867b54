"""Machines that look for each other: who answers with the word is the one that was meant, anybody else is not."""

from __future__ import annotations

import socket

from choline_jupyter.agent.meeting import Meeting, list_addresses, reach


def test_who_answers_with_its_word_is_reached() -> None:
    first, second = Meeting(), Meeting()
    targets = [
        ("127.0.0.1", first.port, first.word),
        ("127.0.0.1", second.port, second.word),
        ("127.0.0.1", first.port, second.word),  # another machine at that address
    ]
    assert reach(targets) == [True, True, False]
    first.close()
    second.close()
    assert reach(targets) == [False, False, False]


def test_the_port_is_free_behind_a_meeting() -> None:
    meeting = Meeting()
    assert reach([("127.0.0.1", meeting.port, meeting.word)]) == [True]
    meeting.close()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as torch does
        other.bind(("", meeting.port))
        other.listen()


def test_what_is_no_address_is_not_reached() -> None:
    assert reach([("", 1, "x"), ("127.0.0.1", 0, "x"), ("no such name.invalid", 9, "x")]) == [False, False, False]
    assert reach([]) == []


def test_addresses_end_with_the_loopback() -> None:
    addresses = list_addresses()
    assert addresses[-1] == ("127.0.0.1", "lo")
    assert all(not address.startswith("127.") for address, _ in addresses[:-1])
