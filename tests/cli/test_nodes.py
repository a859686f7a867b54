"""`--nodes` that cannot be meant: a sentence, and nothing is started."""

from __future__ import annotations

import pytest

from tests.cli.terminal import Terminal

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["2", "--host", "me@one"], "--nodes 2 needs 2 machines, and --host names 1."),
        (["65"], "--nodes 65 needs 65 machines, and at most 64 can be."),
        (["2", "--detach"], "--detach does not go with --nodes: this command is what replaces a lost node."),
        (
            ["2", "--gpu", "4x3090", "--provider", "vast", "--budget", "5"],
            "Machines of vast do not reach each other, and nodes have to.\nUse --provider runpod, or --host with",
        ),
        (
            ["2", "--gpu", "4x3090", "--budget", "5"],
            "No provider is ready whose machines reach each other, and nodes have to (runpod: ",
        ),
        (["0"], "--nodes '0' is no count."),
    ],
)
def test_refused(terminal: Terminal, options: list[str], said: str) -> None:
    ran = terminal.run(terminal.write("train.py", "print('ran')"), "--nodes", *options)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err
    assert "No session is open" in terminal.run("status").out
