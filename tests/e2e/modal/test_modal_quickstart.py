"""The quickstart with `--provider modal`, through Modal's own package, on a servicer of its own service stubs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kernels.isolation import Isolation
from tests.e2e.rented_quickstart import Story
from tests.fakes.modal_servicer.cloud import ModalCloud

pytestmark = [pytest.mark.e2e, pytest.mark.kernel_feature, pytest.mark.timeout(400)]


@pytest.fixture
def story(user: Isolation, cloud: ModalCloud) -> Iterator[Story]:
    (Path(user.environment["XDG_CONFIG_HOME"]) / "choline/config.toml").unlink()  # who has none is asked
    made = Story(user, cloud)
    yield made
    made.close()


def test_it_rents_runs_meters_and_ends_itself_when_the_client_is_killed(story: Story, cloud: ModalCloud) -> None:
    story.run_notebook("--gpu 4xa100 --provider modal --budget 2")
    story.check_outputs()
    [rental] = cloud.list_alive()
    assert rental.offer == "A100-40GB"
    assert "4x A100 40GB on modal" in story.kernel.run("%choline status").read()
    story.leave()
    story.check_nothing_left()
    assert cloud.calls.count("create") == 1
