"""Sandboxes from order to end, through Modal's own package: what is asked for, what goes wrong, who ends them."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest
from modal_proto import api_pb2

from choline_jupyter.model.instance import InstanceState
from choline_jupyter.model.offer import Wish
from choline_jupyter.providers.failure import ProviderFailure, Refused, Unsure
from choline_jupyter.providers.modal_cloud.provider import ModalProvider
from choline_jupyter.providers.provider import Contact, Order, Sighting
from choline_jupyter.transport.channel import TransportError
from tests.fakes.modal_servicer.cloud import ModalCloud

PATIENCE = 30.0
OFTEN = 4  # Modal's package asks so often before it gives up


async def make_order(provider: ModalProvider, wish: Wish = Wish("A100 80GB", 1), **more: object) -> Order:  # noqa: B008
    [offer, *_] = await provider.list_offers(wish)
    return dataclasses.replace(Order("lab", offer, 0, 3600.0), **more)  # type: ignore[arg-type]


def rent(provider: ModalProvider, wish: Wish = Wish("A100 80GB", 1), **more: object) -> str:  # noqa: B008
    async def story() -> str:
        return await provider.create(await make_order(provider, wish, **more))

    return asyncio.run(story())


def look(provider: ModalProvider, handle: str) -> Sighting:
    sighting = asyncio.run(provider.describe(handle))
    assert sighting is not None
    return sighting


def wait(cloud: ModalCloud, handle: str) -> None:
    """Until the sandbox has ended."""
    cloud.call(asyncio.wait_for(cloud.boxes[handle].ended.wait(), PATIENCE))


def list_labels(provider: ModalProvider) -> list[str]:
    return [sighting.label for sighting in asyncio.run(provider.list_mine())]


def test_what_is_asked_for_is_what_was_offered(cloud: ModalCloud, provider: ModalProvider) -> None:
    definition = cloud.boxes[rent(provider, Wish("A100 80GB", 4), deadline=5000.7)].definition
    assert definition.resources.gpu_config.gpu_type == "A100-80GB"
    assert definition.resources.gpu_config.count == 4
    assert definition.resources.milli_cpu == definition.resources.milli_cpu_max == 16_000
    assert definition.resources.memory_mb == definition.resources.memory_mb_max == 128 * 1024
    assert definition.timeout_secs == 5000
    assert not definition.idle_timeout_secs
    assert definition.name == "lab"


def test_a_day_is_the_longest_life(cloud: ModalCloud, provider: ModalProvider) -> None:
    assert cloud.boxes[rent(provider, deadline=10 * 86400.0)].definition.timeout_secs == 86400


def test_the_bill_is_the_price_that_was_offered(cloud: ModalCloud, provider: ModalProvider) -> None:
    async def story() -> tuple[str, float]:
        order = await make_order(provider, Wish("H100", 2))
        return await provider.create(order), order.offer.price.hour

    handle, hour = asyncio.run(story())
    before = cloud.bill(handle)
    cloud.advance(1800)
    assert cloud.bill(handle) - before == pytest.approx(hour / 2, rel=0.01)


def test_a_gpu_gets_an_image_with_torch_and_an_image_of_one_s_own_is_taken(
    cloud: ModalCloud, provider: ModalProvider
) -> None:
    rent(provider, label="gpu")
    assert any("torch" in command for image in cloud.images for command in image.dockerfile_commands)
    cloud.images.clear()
    rent(provider, Wish(), label="cpu")
    assert not any("torch" in command for image in cloud.images for command in image.dockerfile_commands)
    rent(provider, label="own", image="nvcr.io/nvidia/pytorch:25.01-py3")
    assert any("nvcr.io/nvidia/pytorch:25.01-py3" in command for command in cloud.images[-1].dockerfile_commands)


def test_its_watchdog_ends_it_when_nobody_comes(cloud: ModalCloud) -> None:
    provider = ModalProvider(first_contact=2, period=1)
    handle = rent(provider)
    wait(cloud, handle)
    assert look(provider, handle).state is InstanceState.GONE
    assert "ended itself" in look(provider, handle).reason
    assert list_labels(provider) == []
    assert cloud.list_alive() == []


def test_modal_ends_it_at_its_deadline_whatever_the_watchdog_does(cloud: ModalCloud, provider: ModalProvider) -> None:
    handle = rent(provider, deadline=3600.0)
    cloud.advance(3599)
    assert list_labels(provider) == ["lab"]
    cloud.advance(2)
    assert look(provider, handle).state is InstanceState.GONE
    assert "deadline" in look(provider, handle).reason
    assert list_labels(provider) == []


def test_one_that_is_taken_away_is_preempted(cloud: ModalCloud, provider: ModalProvider) -> None:
    handle = rent(provider)
    cloud.preempt(handle)
    assert look(provider, handle).state is InstanceState.PREEMPTED
    assert list_labels(provider) == []


def test_one_whose_main_process_fails_is_dead(cloud: ModalCloud, provider: ModalProvider) -> None:
    handle = rent(provider)
    cloud.call(cloud.finish(handle, api_pb2.GenericResult.GENERIC_STATUS_FAILURE, code=3))
    sighting = look(provider, handle)
    assert sighting.state is InstanceState.DEAD
    assert "3" in sighting.reason


def test_one_that_was_ended_from_here_is_not_told_of_any_more(cloud: ModalCloud, provider: ModalProvider) -> None:
    handle = rent(provider)
    asyncio.run(provider.destroy(handle))
    assert asyncio.run(ModalProvider().describe(handle)) is None


def test_a_call_that_is_answered_too_late_makes_one(cloud: ModalCloud, provider: ModalProvider) -> None:
    """Modal's package asks again by itself, and says that it is the same call."""
    cloud.fail("create", "500-created")
    handle = rent(provider)
    assert cloud.calls.count("create") == 2
    assert [rental.handle for rental in cloud.list_alive()] == [handle]


def test_a_create_that_fails_for_good_is_unsure_and_found_by_its_label(
    cloud: ModalCloud, provider: ModalProvider
) -> None:
    cloud.fail("create", "500-created", OFTEN)
    with pytest.raises(Unsure):
        rent(provider)
    assert list_labels(provider) == ["lab"]
    assert len(cloud.list_alive()) == 1


@pytest.mark.parametrize("call", ["list", "describe"])
def test_what_cannot_be_told_is_a_failure_and_not_nothing(
    cloud: ModalCloud, provider: ModalProvider, call: str
) -> None:
    handle = rent(provider)
    cloud.fail(call, "500", OFTEN)
    with pytest.raises(ProviderFailure):
        asyncio.run(provider.list_mine() if call == "list" else provider.describe(handle))
    assert list_labels(provider) == ["lab"]


def test_a_label_that_is_used_already_makes_no_second_one(cloud: ModalCloud, provider: ModalProvider) -> None:
    rent(provider)
    with pytest.raises(Unsure):
        rent(provider)
    assert len(cloud.list_alive()) == 1


def test_waiting_for_a_machine_can_be_given_up_and_leaves_nothing(cloud: ModalCloud, provider: ModalProvider) -> None:
    """The wait is inside the package's create; it ends what it has begun."""
    cloud.boot_looks = 1000

    async def story() -> None:
        creating = asyncio.ensure_future(provider.create(await make_order(provider)))
        await asyncio.to_thread(cloud.looked.wait, PATIENCE)
        creating.cancel()
        with pytest.raises(asyncio.CancelledError):
            await creating
        [handle] = cloud.boxes
        await asyncio.to_thread(wait, cloud, handle)

    asyncio.run(story())
    assert cloud.list_alive() == []


def test_a_machine_that_is_not_found_in_time_is_not_waited_for(cloud: ModalCloud) -> None:
    cloud.boot_looks = 1000
    with pytest.raises(Unsure, match="no machine"):
        rent(ModalProvider(patience=1.0))
    [handle] = cloud.boxes
    wait(cloud, handle)
    assert cloud.list_alive() == []


def test_an_order_that_modal_refuses_has_made_nothing(cloud: ModalCloud, provider: ModalProvider) -> None:
    cloud.fail("create", "400")
    with pytest.raises(Refused):
        rent(provider)
    assert cloud.list_alive() == []


def test_a_token_without_the_right_to_see_rates_gets_the_listed_ones(
    cloud: ModalCloud, provider: ModalProvider
) -> None:
    assert asyncio.run(provider.list_offers(Wish("T4", 1)))[0].is_live
    cloud.fail("offers", "403")
    assert not asyncio.run(provider.list_offers(Wish("T4", 1)))[0].is_live


def test_a_channel_ends_with_its_sandbox_and_there_is_no_other(cloud: ModalCloud, provider: ModalProvider) -> None:
    async def story() -> None:
        handle = await provider.create(await make_order(provider))
        transport = provider.connect(Contact("lab", handle))
        channel = await transport.open()
        await asyncio.to_thread(cloud.preempt, handle)
        try:
            assert await asyncio.wait_for(channel.reader.read(), PATIENCE) == b""
        except ConnectionError:
            pass
        await channel.close()
        with pytest.raises(TransportError, match="ended"):
            await transport.open()

    asyncio.run(story())


def test_workspaces_are_on_the_volume_and_outlive_the_sandbox(cloud: ModalCloud, provider: ModalProvider) -> None:
    async def reach(label: str) -> Path:
        """The folder of workspaces in the agent's own, as the machine outside sees it."""
        order = dataclasses.replace(await make_order(provider), label=label)
        handle = await provider.create(order)
        await (await provider.connect(Contact(label, handle)).open()).close()
        sandbox = cloud.boxes[handle].sandbox
        assert sandbox
        link = sandbox.folder / "home/.local/state/choline/agent/workspaces"
        assert link.is_symlink()
        return link.readlink()

    points = [asyncio.run(reach(label)) for label in ("lab-1", "lab-2")]
    assert points == [Path("/mnt/choline/workspaces")] * 2
    assert (cloud.find_volume("choline") / "workspaces").is_dir()
