"""Which machine options mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from choline_jupyter.errors import RequestError
from choline_jupyter.session.machine import make_spec
from choline_jupyter.session.option_reader import Values
from choline_jupyter.session.option_table import SCRIPT, TABLE
from choline_jupyter.session.options import parse_cell
from choline_jupyter.session.rent.renter import Rent
from choline_jupyter.session.sent_jobs import SentJobs
from choline_jupyter.session.spec import SessionSpec

KEY = "SHA256:" + "a" * 43


def give(**options: str) -> Values:
    names = [option.name for option in TABLE.list_options(SCRIPT)]
    return Values({name: options.get(name.replace("-", "_")) for name in names})


def test_without_options_it_is_this_machine() -> None:
    spec = make_spec("a.ipynb", give())
    assert (spec.name, spec.provider, spec.machine, spec.command) == ("a.ipynb", "local", "this machine", ())


@pytest.mark.parametrize("options", [{"host": "anna@lab"}, {"host": "anna@lab", "provider": "ssh"}])
def test_a_host_is_reached_by_ssh(options: dict[str, str]) -> None:
    spec = make_spec("a.ipynb", give(**options, accept_host_key=KEY))
    assert (spec.provider, spec.machine, spec.accept_key) == ("ssh", "anna@lab", KEY)


def test_a_command_makes_it_a_script() -> None:
    assert make_spec("a", give(), ("train.py", "--lr", "1")).command == ("train.py", "--lr", "1")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"provider": "ssh"}, "needs a machine"),
        ({"provider": "local", "host": "lab"}, "does not go with the provider local"),
        ({"host": "lab", "ssh": "putty"}, "no ssh client 'putty'"),
        ({"host": "lab", "accept_host_key": "yes"}, "wants a fingerprint"),
        ({"host": "lab", "accept_host_key": KEY + "a"}, "wants a fingerprint"),
        ({"host": "lab", "accept_host_key": KEY + "\n"}, "wants a fingerprint"),
    ],
)
def test_what_does_not_fit_together_is_refused(options: dict[str, str], reason: str) -> None:
    with pytest.raises(RequestError, match=reason) as caught:
        make_spec("a", give(**options))
    assert caught.value.hint


def test_an_environment_is_one_package_a_line(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("# what it takes\ntorch==2.13.0\n\n  numpy>=2  # arrays\n")
    assert make_spec("a", give(host="lab", env=str(file))).packages == ("torch==2.13.0", "numpy>=2")


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("numpy", {}, "is for other machines"),
        ("-e .", {"host": "lab"}, "is not a package"),
        ("-r other.txt", {"host": "lab"}, "cannot be read"),
        ("no package", {"host": "lab"}, "is not a package"),
        (None, {"host": "lab"}, "cannot be read"),
    ],
)
def test_what_is_no_environment(tmp_path: Path, text: str | None, options: dict[str, str], reason: str) -> None:
    file = tmp_path / "requirements.txt"
    if text is not None:
        file.write_text(text)
    with pytest.raises(RequestError, match=reason) as caught:
        make_spec("a", give(**options, env=str(file)))
    assert caught.value.hint


def rent(line: str) -> Rent:
    found = make_spec("a", parse_cell(f"--gpu 4x3090 --budget 2 {line}").options).rent
    assert found
    return found


def test_what_becomes_of_a_job_is_the_user_s_to_say() -> None:
    assert (rent("").on_loss, rent("").wait) == ("", 3600.0)
    assert rent("--on-loss stop").on_loss == "stop"
    assert (rent("--on-loss wait").on_loss, rent("--on-loss wait").wait) == ("wait", 3600.0)
    assert rent("--on-loss wait --wait 1h30m --provider vast").wait == 5400.0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("--gpu 4x3090 --budget 2 --on-loss pray", "is no policy"),
        ("--gpu 4x3090 --budget 2 --wait 1h", "is for --on-loss wait"),
        ("--gpu 4x3090 --budget 2 --on-loss stop --wait 1h", "is for --on-loss wait"),
        ("--gpu 4x3090 --budget 2 --on-loss wait --provider lambda", "there is nothing to wait for"),
        ("--gpu 4x3090 --budget 2 --on-loss wait --provider modal", "there is nothing to wait for"),
        ("--gpu 4x3090 --budget 2 --on-loss wait --provider runpod", "there is nothing to wait for"),
        ("--host lab --wait 1h", "is for rented machines"),
    ],
)
def test_what_cannot_be_done_about_losses_is_refused(line: str, reason: str) -> None:
    with pytest.raises(RequestError, match=reason) as caught:
        make_spec("a", parse_cell(line).options)
    assert caught.value.hint


def test_what_is_not_said_again_stays(tmp_path: Path) -> None:
    sent = SentJobs(tmp_path, "s-1")
    said, silent = SessionSpec("a", rent=rent("--on-loss wait --wait 2h")), SessionSpec("a", rent=rent(""))
    assert sent.inherit_policy(silent) == silent
    sent.keep_spec(said)
    assert sent.inherit_policy(silent).rent == said.rent
    assert sent.inherit_policy(SessionSpec("a", rent=rent("--on-loss stop"))).rent == rent("--on-loss stop")
    assert sent.inherit_policy(SessionSpec("a")) == SessionSpec("a")
