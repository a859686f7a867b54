"""The quickstart on `%%choline --gpu 4x3090 --provider vast --budget 2`: the fake vast.ai, its sshd, the official package."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from tests.e2e.kernels.isolation import Isolation
from tests.e2e.rented_quickstart import Story
from tests.fakes.vast import VastCloud

pytestmark = [pytest.mark.vast, pytest.mark.kernel_feature, pytest.mark.timeout(400)]


@pytest.fixture
def cloud() -> Iterator[VastCloud]:
    """So dear that cents tell seconds apart."""
    if os.geteuid() != 0:
        pytest.skip("needs a kernel feature: mount and pid namespaces, which only root has here")
    made = VastCloud(has_machines=True)
    for number in made.offers:
        made.reprice(number, 20)
    yield made
    made.close()


@pytest.fixture
def user(cloud: VastCloud) -> Iterator[Isolation]:
    """Whose notebooks find the fake vast.ai."""
    made = Isolation()
    told = made.folder.parent / "fakes.json"
    told.write_text(json.dumps({"vast": cloud.tell()}))
    made.environment["CHOLINE_FAKE_CLOUD"] = str(told)
    yield made
    made.close()


@pytest.fixture
def story(user: Isolation, cloud: VastCloud) -> Iterator[Story]:
    made = Story(user, cloud)
    yield made
    made.close()


def test_it_rents_runs_meters_and_ends_itself_when_the_client_is_killed(story: Story, cloud: VastCloud) -> None:
    story.run_notebook("--gpu 4x3090 --provider vast --budget 2")
    story.check_outputs()
    [rental] = cloud.list_alive()
    assert cloud.offers[int(rental.offer)]["gpu_name"] == "RTX 3090"
    assert "4x RTX 3090 on vast" in story.kernel.run("%choline status").read()
    story.leave()
    story.check_nothing_left()
    assert cloud.calls.count("create") == 1
