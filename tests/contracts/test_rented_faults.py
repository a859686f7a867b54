"""What every rented provider makes of an API that goes wrong: a failure that says what it means, never an empty answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from choline_jupyter.providers.failure import KeyRejected, ProviderFailure, Refused, Throttled, Unreadable, Unsure
from choline_jupyter.providers.provider import SELF_DESTROY
from tests.contracts.worlds import FAULTS, WORLDS, World, list_worlds
from tests.fakes.cloud import Cloud

MEANING: dict[str, type[ProviderFailure]] = {
    "401": KeyRejected, "429": Throttled, "500": Unsure, "500-created": Unsure, "timeout": Unsure,
    "garbage": Unreadable, "empty": Unreadable, "shape": Unreadable, "410": Refused,
}  # fmt: skip
DONE = ("500-created", "timeout")  # the call was carried out all the same
READS = ("offers", "list", "describe")


@pytest.fixture(params=list_worlds(rented=True))
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with WORLDS[request.param](monkeypatch) as world:
        yield world


def find_cloud(world: World) -> Cloud:
    assert world.cloud is not None
    return world.cloud


async def fail(world: World, call: str, kind: str, act: Callable[[], Awaitable[Any]]) -> ProviderFailure:
    """The failure that one fault makes of an act; its call is made once."""
    cloud = find_cloud(world)
    before = cloud.calls.count(call)
    cloud.fail(call, kind)
    with pytest.raises(MEANING[kind]) as caught:
        await act()
    assert cloud.calls.count(call) == before + 1, "it was tried again"
    assert cloud.key not in f"{caught.value!r} {caught.value.hint}"
    return caught.value


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("call", READS)
def test_what_cannot_be_read_is_a_failure(world: World, call: str, kind: str) -> None:
    async def story() -> None:
        if kind not in world.faults:
            return
        handle = await world.provider.create(await world.order("lab"))
        acts: dict[str, Callable[[], Awaitable[Any]]] = {
            "offers": lambda: world.provider.list_offers(world.wish),
            "list": world.provider.list_mine,
            "describe": lambda: world.provider.describe(handle),
        }
        await fail(world, call, kind, acts[call])
        assert [sighting.handle for sighting in await world.provider.list_mine()] == [handle]

    asyncio.run(story())


@pytest.mark.parametrize("kind", FAULTS)
def test_a_create_that_fails_is_made_once_and_found_by_its_label(world: World, kind: str) -> None:
    async def story() -> None:
        if kind not in world.faults:
            return
        order = await world.order("choline-mine")
        await fail(world, "create", kind, lambda: world.provider.create(order))
        labels = ["choline-mine"] if kind in DONE else []
        assert [sighting.label for sighting in await world.provider.list_mine()] == labels
        assert len(find_cloud(world).list_alive()) == len(labels)

    asyncio.run(story())


@pytest.mark.parametrize("kind", FAULTS)
def test_a_destroy_that_fails_can_be_called_again(world: World, kind: str) -> None:
    async def story() -> None:
        if kind not in world.faults:
            return
        handle = await world.provider.create(await world.order("lab"))
        if kind not in ("empty", "shape"):  # a destroy may be answered with anything
            await fail(world, "destroy", kind, lambda: world.provider.destroy(handle))
        assert bool(find_cloud(world).list_alive()) is (kind not in DONE)
        await world.provider.destroy(handle)
        assert await world.provider.list_mine() == []
        assert find_cloud(world).list_alive() == []

    asyncio.run(story())


def test_what_was_never_there_is_destroyed_and_unknown(world: World) -> None:
    async def story() -> None:
        handle = await world.provider.create(await world.order("lab"))
        await world.provider.destroy(handle)
        await world.provider.destroy(handle)
        assert await world.provider.describe(handle) is None

    asyncio.run(story())


def test_every_page_of_a_long_listing_is_read(world: World) -> None:
    async def story() -> None:
        order = await world.order("lab-0")
        cloud, handles = find_cloud(world), [await world.provider.create(order)]
        for number in range(1, 60):
            handles.append(f"{int(handles[-1]) + 1}" if handles[-1].isdigit() else f"{handles[0]}-{number}")
            cloud.copy(handles[0], handles[-1], f"lab-{number}")
        sightings = await world.provider.list_mine()
        assert sorted(sighting.handle for sighting in sightings) == sorted(handles)
        assert {sighting.label for sighting in sightings} == {f"lab-{number}" for number in range(60)}

    asyncio.run(story())


def test_what_others_made_in_the_account_is_listed_with_their_label(world: World) -> None:
    async def story() -> None:
        ours = await world.provider.create(await world.order("choline-ours"))
        theirs = await world.provider.create(await world.order("choline-theirs"))
        find_cloud(world).rentals[theirs].label = "somebody's own"
        labels = {sighting.handle: sighting.label for sighting in await world.provider.list_mine()}
        assert labels == {ours: "choline-ours", theirs: "somebody's own"}

    asyncio.run(story())


def test_a_listing_that_lags_is_no_proof_of_absence(world: World) -> None:
    async def story() -> None:
        find_cloud(world).list_lag = 2
        await world.provider.create(await world.order("lab"))
        seen = [[sighting.label for sighting in await world.provider.list_mine()] for _ in range(3)]
        assert seen == [[], [], ["lab"]]

    asyncio.run(story())


def test_what_it_costs_is_told_while_it_runs(world: World) -> None:
    async def story() -> None:
        order = await world.order("lab")
        handle = await world.provider.create(order)
        sighting = await world.look(handle)
        if sighting.hour is not None:
            assert sighting.hour == pytest.approx(order.offer.price.hour), "its disk is counted apart"

    asyncio.run(story())


def test_who_can_end_itself_says_how(world: World) -> None:
    assert bool(world.provider.find_end()) is (SELF_DESTROY in world.provider.capabilities)
    assert world.provider.check_ready() == ""
