"""A connector that comes to a supervisor which leaves: it is not taken for one that has had its channel."""

from __future__ import annotations

import socket

from choline_jupyter.agent.connect import _hand_over


def test_a_supervisor_that_leaves_unread_what_it_was_sent_has_not_taken_it() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    assert not _hand_over(ours)


def test_the_end_of_a_channel_is_no_reset() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.shutdown(socket.SHUT_WR)
        assert _hand_over(ours)
