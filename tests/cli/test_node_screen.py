"""What several nodes put out, as one stream of whole lines."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from choline_jupyter.cli.node_screen import NodeScreen
from choline_jupyter.model.event import Event, Kind, Series


def show(screen: NodeScreen, place: int, text: str, name: str = "stdout") -> None:
    content = json.dumps({"name": name, "text": text}).encode()
    node: Any = SimpleNamespace(place=place)
    screen.show(node, Event(Series("s-1", 1, 0), 1, Kind.STREAM, "j-1", 1, 0.0, content=content))


def read(screen: NodeScreen, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    screen.close()
    screen.write_all()
    told = capsys.readouterr()
    return told.out, told.err


def test_lines_that_come_in_pieces_stay_whole(capsys: pytest.CaptureFixture[str]) -> None:
    screen = NodeScreen()
    for place, text in ((0, "lo"), (1, "a\nb"), (0, "ss 1\nlo"), (1, "c\n"), (0, "ss 2\n")):
        show(screen, place, text)
    assert read(screen, capsys) == ("[node 1] a\n[node 0] loss 1\n[node 1] bc\n[node 0] loss 2\n", "")


def test_streams_stay_apart_and_what_has_no_end_is_shown_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    screen = NodeScreen()
    show(screen, 0, "out")
    show(screen, 0, "err", "stderr")
    assert read(screen, capsys) == ("[node 0] out\n", "[node 0] err\n")


def test_a_notice_comes_behind_what_was_put_out_before(capsys: pytest.CaptureFixture[str]) -> None:
    screen = NodeScreen()
    show(screen, 1, "half", "stderr")
    screen.say("node 1 is lost")
    assert read(screen, capsys) == ("", "[node 1] half\ncholine: node 1 is lost.\n")
