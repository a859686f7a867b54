"""Offers for Python code are those of the table."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kernels.isolation import Isolation
from tests.fakes.lambda_cloud import LambdaCloud
from tests.fakes.runpod import RunPodCloud


@pytest.fixture
def user() -> Iterator[Isolation]:
    """Whose two providers are fakes."""
    made, clouds = Isolation(), {"lambda": LambdaCloud(), "runpod": RunPodCloud()}
    (made.folder / "fakes.json").write_text(json.dumps({name: cloud.tell() for name, cloud in clouds.items()}))
    made.environment["CHOLINE_FAKE_CLOUD"] = str(made.folder / "fakes.json")
    yield made
    for cloud in clouds.values():
        cloud.close()
    made.close()


def run(user: Isolation, code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"from choline_jupyter import CholineError, offers\n{code}"]
    return subprocess.run(command, cwd=user.folder, env=user.environment, capture_output=True, text=True, check=False)


def test_they_are_ranked_with_their_arithmetic(user: Isolation) -> None:
    ran = run(user, "for one in offers('a100', max_price=3): print(one.offer.provider, one.total, dict(one.parts))")
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert {line.split()[0] for line in lines} == {"lambda", "runpod"}
    totals = [float(line.split()[1]) for line in lines]
    assert totals == sorted(totals)
    assert "'machine': " in lines[0]


def test_what_cannot_be_asked_is_an_error_of_one_sentence_each(user: Isolation) -> None:
    code = "try: offers('a1000')\nexcept CholineError as error: print(error.render())"
    assert run(user, code).stdout.splitlines()[0] == "There is no GPU 'a1000'."
    Path(user.environment["CHOLINE_FAKE_CLOUD"]).write_text("{}")
    told = run(user, code.replace("a1000", "a100")).stdout
    assert told.startswith("No provider that rents machines is ready.\n")
    assert "runpod" in told
