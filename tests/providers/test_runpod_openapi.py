"""Our requests to RunPod, and the answers of our fake, against the OpenAPI that RunPod publishes.

CHOLINE_RUNPOD_OPENAPI is the path of that file (https://api.runpod.io/v2/openapi.json); it has no licence, so it is not in
the tree. Run by: CHOLINE_RUNPOD_OPENAPI=... pytest -m openapi tests/providers/test_runpod_openapi.py
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from choline_jupyter.model.offer import ANY_NETWORK, Wish
from choline_jupyter.providers.runpod import RunPodProvider, write_body
from tests.fakes.runpod import RunPodCloud
from tests.providers.rented_world import make_order, point_at

pytestmark = pytest.mark.openapi
Check = Callable[[str, Any], None]


@pytest.fixture
def check() -> Check:
    """Whether something is an instance of one of the published schemas."""
    document = json.loads(Path(os.environ["CHOLINE_RUNPOD_OPENAPI"]).read_text())

    def check(name: str, data: Any) -> None:
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(data)

    return check


@pytest.fixture
def cloud() -> Iterator[RunPodCloud]:
    cloud = RunPodCloud()
    yield cloud
    cloud.close()


@pytest.fixture
def provider(cloud: RunPodCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunPodProvider:
    return point_at(cloud, RunPodProvider, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    "wish",
    [
        Wish("RTX 4090"),
        Wish("A100", 8, region="CA"),
        Wish("RTX 4090", cuda="12.4"),
        Wish("RTX 4090", 2, network=ANY_NETWORK),
    ],
)
def test_the_request_for_a_pod_is_a_valid_one(provider: RunPodProvider, check: Check, wish: Wish) -> None:
    order = asyncio.run(make_order(provider, wish=wish))
    check("CreatePodRequest", write_body(order))
    check("CreatePodRequest", write_body(replace(order, image="ubuntu:24.04")))


def test_the_check_knows_a_wrong_one(provider: RunPodProvider, check: Check) -> None:
    body = write_body(asyncio.run(make_order(provider)))
    for wrong in ({**body, "gpuCount": 1}, {**body, "disk": 0}, {**body, "name": ""}):
        with pytest.raises(jsonschema.ValidationError):
            check("CreatePodRequest", wrong)


def test_the_fake_answers_as_it_is_published(provider: RunPodProvider, cloud: RunPodCloud, check: Check) -> None:
    order = asyncio.run(make_order(provider))
    with httpx.Client(base_url=cloud.url, headers={"Authorization": f"Bearer {cloud.key}"}) as client:
        query: dict[str, str | int] = {"include": "AVAILABILITY", "product": "POD", "count": 2, "cloud": "SECURE"}
        check("ListGpuTypesResponse", client.get("/v2/catalog/gpus", params=query).json())
        made = client.post("/v2/pods", json=write_body(order)).json()
        check("Pod", made)
        for _ in range(3):
            check("Pod", client.get(f"/v2/pods/{made['id']}").json())
        check("ListPodsResponse", client.get("/v2/pods").json())
        check("ListPodBillingResponse", client.get("/v2/billing/pods", params={"podId": made["id"]}).json())
        check("ListDataCentersResponse", client.get("/v2/catalog/datacenters").json())
        check("SshKeys", client.get("/v2/account/ssh-keys").json())
        check("Pod", client.post(f"/v2/pods/{made['id']}/action", json={"action": "stop"}).json())
        for answer in (client.get("/v2/pods/none"), client.post("/v2/pods", json={"gpuCount": 1})):
            check("ErrorResponse", answer.json())
        cloud.key = "another"
        check("ErrorResponse", client.get("/v2/pods").json())
