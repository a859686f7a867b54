"""The fake of Lambda Cloud is what the generated client `lambda-ai-cloud-api-client` takes for the real one.

Every answer, also every refusal, is read into the client's own types, and what the client sends the fake understands.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from choline_jupyter.providers.keys import make_key
from tests.fakes.lambda_cloud import LambdaCloud

pytestmark = pytest.mark.oracle


@pytest.fixture
def cloud() -> Iterator[LambdaCloud]:
    cloud = LambdaCloud()
    yield cloud
    cloud.close()


@pytest.fixture
def client(cloud: LambdaCloud) -> Iterator[Any]:
    from lambda_ai_cloud_api_client.client import AuthenticatedClient

    with AuthenticatedClient(base_url=cloud.url, token=cloud.key, raise_on_unexpected_status=True) as client:
        yield client


def add_key(client: Any, name: str = "mine") -> str:
    from lambda_ai_cloud_api_client.api.ssh_keys import add_ssh_key
    from lambda_ai_cloud_api_client.models import AddSSHKeyRequest

    text = make_key().public
    answer = add_ssh_key.sync(client=client, body=AddSSHKeyRequest(name, text))
    assert (answer.data.name, answer.data.public_key) == (name, text)
    return name


def launch(client: Any, **more: Any) -> Any:
    from lambda_ai_cloud_api_client.api.instances import launch_instance
    from lambda_ai_cloud_api_client.models import InstanceLaunchRequest, PublicRegionCode, RequestedTagEntry

    wanted = {"region_name": PublicRegionCode("us-east-1"), "instance_type_name": "gpu_1x_a10", **more}
    tags = [RequestedTagEntry("choline", "lab")]
    body = InstanceLaunchRequest(**wanted, name="lab", tags=tags, user_data="#cloud-config\n{}\n")
    return launch_instance.sync(client=client, body=body)


def test_what_is_offered_is_read(client: Any, cloud: LambdaCloud) -> None:
    from lambda_ai_cloud_api_client.api.instances import list_instance_types

    rows = list_instance_types.sync(client=client).data
    assert set(rows.additional_properties) == set(cloud.types)
    row = rows["gpu_8x_a100_80gb_sxm4"]
    assert row.instance_type.specs.gpus == 8
    assert row.instance_type.price_cents_per_hour == 1432
    assert [str(region.name) for region in row.regions_with_capacity_available] == ["us-midwest-1"]


def test_an_instance_is_launched_shown_listed_and_terminated(client: Any, cloud: LambdaCloud) -> None:
    from lambda_ai_cloud_api_client.api.instances import get_instance, list_instances, terminate_instance
    from lambda_ai_cloud_api_client.models import InstanceTerminateRequest

    [handle] = launch(client, ssh_key_names=[add_key(client)]).data.instance_ids
    seen = [str(get_instance.sync(handle, client=client).data.status) for _ in range(3)]
    assert seen == ["booting", "booting", "active"]
    shown = get_instance.sync(handle, client=client).data
    assert shown.ip
    assert [(tag.key, tag.value) for tag in shown.tags] == [("choline", "lab")]
    assert [row.id for row in list_instances.sync(client=client).data] == [handle]
    ended = terminate_instance.sync(client=client, body=InstanceTerminateRequest([handle])).data
    assert [str(row.status) for row in ended.terminated_instances] == ["terminated"]
    assert list_instances.sync(client=client).data == []
    assert cloud.list_alive() == []


def test_every_refusal_is_one_that_the_client_knows(client: Any, cloud: LambdaCloud) -> None:
    from lambda_ai_cloud_api_client.api.instances import get_instance, terminate_instance
    from lambda_ai_cloud_api_client.api.ssh_keys import add_ssh_key, list_ssh_keys
    from lambda_ai_cloud_api_client.models import AddSSHKeyRequest, InstanceTerminateRequest

    assert launch(client, ssh_key_names=["nobody's"]).error.code == "global/invalid-parameters"
    key = add_key(client)
    cloud.full.add("gpu_1x_a10")
    assert launch(client, ssh_key_names=[key]).error.code == "instance-operations/launch/insufficient-capacity"
    assert add_ssh_key.sync(client=client, body=AddSSHKeyRequest(key, "x")).error.code == "global/invalid-parameters"
    assert get_instance.sync("nobody", client=client).error.code == "global/object-does-not-exist"
    terminated = terminate_instance.sync(client=client, body=InstanceTerminateRequest(["nobody"]))
    assert terminated.error.code == "global/object-does-not-exist"
    cloud.key = "another"
    assert list_ssh_keys.sync(client=client).error.code == "global/invalid-api-key"
