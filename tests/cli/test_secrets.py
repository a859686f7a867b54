"""`--secret` for scripts: in the script's environment, and nowhere else."""

from __future__ import annotations

import pytest

from tests.cli.terminal import Terminal

pytestmark = pytest.mark.e2e

VALUE = "tr0ub4dor-and-three"


def test_a_script_has_it_and_its_output_does_not(terminal: Terminal) -> None:
    terminal.isolation.environment["SCRIPT_KEY"] = VALUE
    script = terminal.write(
        "show_key.py",
        "import os, sys, time\nkey = os.environ['SCRIPT_KEY']\nprint(len(key), key)\n"
        "for half in (key[:5], key[5:]):\n    sys.stdout.write(half)\n    sys.stdout.flush()\n"
        "raise SystemExit(f'bad {key}')\n",
    )
    ran = terminal.run(script, "--secret", "SCRIPT_KEY")
    assert ran == (1, f"{len(VALUE)} ***\n***", "bad ***\n")
    assert terminal.run("attach").out == ran.out
    paths = [path for path in terminal.folder.parent.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path for path in paths if VALUE.encode() in path.read_bytes()] == []


def test_a_missing_one_is_said_before_anything_is_started(terminal: Terminal) -> None:
    ran = terminal.run(terminal.write("never.py", "print('ran')"), "--secret", "NOT_SET")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == "--secret names NOT_SET, which is not set here.\nSet it first: export NOT_SET=...\n"
