"""What happens on the market: two buyers, risen prices, bids, hosts that die, listings without an end, keys and bills."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from choline_jupyter.model.instance import InstanceState as State
from choline_jupyter.model.offer import Offer, Wish
from choline_jupyter.providers import startup
from choline_jupyter.providers.failure import KeyRejected, Refused, Unreadable
from choline_jupyter.providers.provider import Sighting
from choline_jupyter.providers.vast import provider as vast_provider
from choline_jupyter.providers.vast.provider import VastProvider
from tests.fakes.vast import PAGE, VastCloud
from tests.providers.vast.conftest import make_order

pytestmark = pytest.mark.vast
WISH = Wish("RTX 3090", 1)


async def find_offer(provider: VastProvider, wish: Wish = WISH) -> Offer:
    return (await provider.list_offers(wish))[0]


async def look(provider: VastProvider, handle: str, times: int = 5) -> Sighting:
    """The last of so many looks: it boots meanwhile if it ever does."""
    seen = [await provider.describe(handle) for _ in range(times)]
    assert seen[-1] is not None
    return seen[-1]


def test_it_boots_through_the_states_that_vast_has(cloud: VastCloud, provider: VastProvider) -> None:
    async def story() -> list[State]:
        cloud.boot_looks = 4
        handle = await provider.create(make_order(await find_offer(provider)))
        return [(await look(provider, handle, 1)).state for _ in range(6)]

    assert asyncio.run(story()) == [*[State.BOOTING] * 4, State.READY, State.READY]


def test_an_offer_that_is_taken_is_not_bought(cloud: VastCloud, provider: VastProvider) -> None:
    async def story() -> None:
        offer = await find_offer(provider)
        await provider.create(make_order(offer))
        with pytest.raises(Refused, match="taken"):
            await provider.create(make_order(offer, "second"))

    asyncio.run(story())
    assert cloud.calls.count("create") == 1


def test_the_second_buyer_of_an_offer_never_gets_a_machine(cloud: VastCloud, provider: VastProvider) -> None:
    cloud.is_stale = True  # the search has not heard of the first buyer

    async def story() -> tuple[State, State]:
        offer = await find_offer(provider)
        first, second = [await provider.create(make_order(offer, label)) for label in ("first", "second")]
        return (await look(provider, first)).state, (await look(provider, second, 50)).state

    assert asyncio.run(story()) == (State.READY, State.BOOTING)
    assert len(cloud.list_alive()) == 2, "both are paid for until the loser is destroyed"


def test_a_host_that_never_comes_up_stays_on_its_way(cloud: VastCloud, provider: VastProvider) -> None:
    async def story() -> State:
        offer = await find_offer(provider)
        cloud.dead.add(int(offer.host))
        return (await look(provider, await provider.create(make_order(offer)), 50)).state

    assert asyncio.run(story()) is State.BOOTING


def test_a_price_that_has_risen_is_refused(cloud: VastCloud, provider: VastProvider) -> None:
    async def story() -> None:
        offer = await find_offer(provider)
        cloud.reprice(int(offer.name), 1.01)
        cheap = replace(offer, price=replace(offer.price, disk=offer.price.disk / 2))
        for order in (make_order(cheap), make_order(replace(offer, price=replace(offer.price, hour=0.2)))):
            with pytest.raises(Refused, match="risen"):
                await provider.create(order)
        assert cloud.list_alive() == []
        await provider.create(make_order(offer))

    asyncio.run(story())
    [rental] = cloud.list_alive()
    assert rental.price.hour == pytest.approx(0.2222)


def test_a_spot_machine_is_bid_for_and_outbid(cloud: VastCloud, provider: VastProvider) -> None:
    async def story() -> None:
        offer = await find_offer(provider, replace(WISH, is_spot=True))
        for bid in (0.0, offer.price.hour / 2):
            with pytest.raises(Refused):
                await provider.create(make_order(offer, bid=bid))
        handle = await provider.create(make_order(offer, bid=0.15))
        running = await look(provider, handle)
        assert running.state is State.READY
        assert running.hour == pytest.approx(0.15)
        cloud.outbid(handle)
        [halted] = await provider.list_mine()
        assert (halted.state, halted.hour) == (State.PREEMPTED, 0.0)

    asyncio.run(story())
    [rental] = cloud.list_alive()
    assert rental.detail["is_bid"]


def test_a_stopped_one_keeps_its_disk_and_is_charged_for_it(cloud: VastCloud, provider: VastProvider) -> None:
    async def story() -> None:
        handle = await provider.create(make_order(await find_offer(provider)))
        await look(provider, handle)
        await provider.stop(handle)
        sighting = await look(provider, handle, 1)
        assert (sighting.state, sighting.hour) == (State.STOPPED, 0.0)
        with pytest.raises(Refused):
            await provider.stop("1")

    asyncio.run(story())


@pytest.mark.parametrize(
    ("status", "state"), [("offline", State.DEAD), ("exited", State.DEAD), ("frozen", State.UNKNOWN)]
)
def test_a_host_that_dies_is_told(cloud: VastCloud, provider: VastProvider, status: str, state: State) -> None:
    async def story() -> State:
        handle = await provider.create(make_order(await find_offer(provider)))
        await look(provider, handle)
        cloud.turn(handle, status)
        return (await look(provider, handle, 1)).state

    assert asyncio.run(story()) is state


def test_one_that_vanishes_is_absent(cloud: VastCloud, provider: VastProvider) -> None:
    async def story() -> None:
        handle = await provider.create(make_order(await find_offer(provider)))
        cloud.end(handle)
        assert await provider.describe(handle) is None
        assert await provider.list_mine() == []

    asyncio.run(story())


def test_a_startup_script_that_is_too_long_is_not_sent(cloud: VastCloud, provider: VastProvider) -> None:
    async def story() -> None:
        order = make_order(await find_offer(provider), startup="x" * (startup.LONGEST + 1))
        with pytest.raises(Refused, match="4049"):
            await provider.create(order)

    asyncio.run(story())
    assert "create" not in cloud.calls


def test_the_script_with_the_watchdog_fits(provider: VastProvider) -> None:
    from choline_jupyter.providers.keys import make_key

    watchdog = startup.make_watchdog(900, 8 * 3600, provider.find_end())
    script = startup.make_startup(make_key().private, make_key().public, watchdog, limit=startup.LONGEST)
    assert len(script) < startup.LONGEST


@pytest.mark.parametrize("count", [PAGE - 1, PAGE, PAGE + 1, 3 * PAGE])
def test_a_page_more_or_less_loses_nothing(cloud: VastCloud, provider: VastProvider, count: int) -> None:
    async def story() -> list[Sighting]:
        handle = await provider.create(make_order(await find_offer(provider)))
        for number in range(1, count):
            cloud.copy(handle, str(int(handle) + number), f"lab-{number}")
        return await provider.list_mine()

    assert len(asyncio.run(story())) == count
    assert cloud.calls.count("list") == -(-count // PAGE)


def test_a_listing_without_an_end_is_a_failure(
    cloud: VastCloud, provider: VastProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("choline_jupyter.providers.vast.listing._PAGES", 30)
    cloud.is_endless = True
    with pytest.raises(Unreadable, match="does not end"):
        asyncio.run(provider.list_mine())
    assert cloud.calls.count("list") == 30


def test_the_bill_and_the_credit_are_told(cloud: VastCloud, provider: VastProvider) -> None:
    async def story() -> tuple[Sighting, float | None]:
        handle = await provider.create(make_order(await find_offer(provider)))
        await look(provider, handle)
        cloud.advance(3600)
        [sighting] = await provider.list_mine()
        return sighting, await provider.find_credit()

    sighting, credit = asyncio.run(story())
    assert sighting.billed == pytest.approx(0.22 + 0.15 * 20 / 730, abs=1e-3)
    assert credit == pytest.approx(25 - (sighting.billed or 0), abs=1e-3)


def test_without_a_bill_a_listing_is_still_one(cloud: VastCloud, provider: VastProvider) -> None:
    async def story() -> list[Sighting]:
        await provider.create(make_order(await find_offer(provider)))
        cloud.fail("charges", "500")
        return await provider.list_mine()

    [sighting] = asyncio.run(story())
    assert sighting.billed is None


def test_a_machine_s_own_key_ends_that_machine_and_nothing_else(cloud: VastCloud, provider: VastProvider) -> None:
    async def story() -> tuple[str, str]:
        one, other = [await provider.create(make_order(await find_offer(provider), label)) for label in "ab"]
        return one, other

    one, other = asyncio.run(story())
    key = cloud.rentals[one].detail["key"]

    def ask(method: str, path: str) -> int:
        request = urllib.request.Request(cloud.url + path, b"{}", {"Authorization": f"Bearer {key}"}, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    paths = [("DELETE", f"/api/v0/instances/{other}/"), ("PUT", "/api/v0/asks/100/"), ("GET", "/api/v0/users/current")]
    assert [ask(*path) for path in paths] == [403, 403, 403]
    assert ask("DELETE", f"/api/v0/instances/{one}/") == 200
    assert [rental.handle for rental in cloud.list_alive()] == [other]


@pytest.mark.parametrize("tool", ["python3", *(["curl"] if shutil.which("curl") else [])])
def test_a_machine_ends_itself_with_either_tool(
    cloud: VastCloud, provider: VastProvider, tmp_path: Path, tool: str
) -> None:
    """The watchdog's own words, in a shell that has nothing but that tool."""

    async def rent() -> list[str]:
        return [await provider.create(make_order(await find_offer(provider), label)) for label in "ab"]

    one, other = asyncio.run(rent())
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)) if tool == "curl" else sys.executable)
    environment = {"PATH": str(tmp_path / "bin"), "VAST_URL": cloud.url, "CONTAINER_ID": one}
    for key, left in (("wrong", [one, other]), (cloud.rentals[one].detail["key"], [other])):
        told = {**environment, "CONTAINER_API_KEY": key}
        ran = subprocess.run(["/bin/sh", "-c", provider.find_end()], env=told, check=False, capture_output=True)
        assert (ran.returncode == 0) is (left == [other]), ran.stderr
        assert [rental.handle for rental in cloud.list_alive()] == left


def test_the_package_s_own_listing_of_the_fake_is_ours(cloud: VastCloud, provider: VastProvider) -> None:
    """The fake is what the vendor's client reads: its own, more trusting, listing and look give the same instances."""
    from vastai import VastAI

    async def story() -> str:
        handle = await provider.create(make_order(await find_offer(provider)))
        await look(provider, handle)
        return handle

    handle = asyncio.run(story())
    account = VastAI(api_key=cloud.key, server_url=cloud.url, retry=1)
    assert [row["id"] for row in account.show_instances()] == [int(handle)]
    assert account.show_instance(id=int(handle))["actual_status"] == "running"
    account.destroy_instance(id=int(handle))
    assert cloud.list_alive() == []


def test_nobody_there_is_refused_and_a_wrong_key_rejected(
    cloud: VastCloud, provider: VastProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.key = "another"
    with pytest.raises(KeyRejected):
        asyncio.run(provider.list_mine())
    provider.take_key("another")
    assert asyncio.run(provider.list_mine()) == []
    monkeypatch.delenv("CHOLINE_FAKE_CLOUD")
    monkeypatch.setenv("VAST_API_KEY", "k")
    monkeypatch.setenv("VAST_URL", "http://127.0.0.1:9")
    with pytest.raises(Refused, match="reached"):
        asyncio.run(provider.list_mine())


def test_without_a_key_or_the_package_it_says_what_is_missing(
    tmp_path: object, provider: VastProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CHOLINE_FAKE_CLOUD", "VAST_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(vast_provider, "find_key", lambda *_: None)
    assert "VAST_API_KEY" in provider.check_ready()
    with pytest.raises(KeyRejected):
        asyncio.run(provider.list_mine())
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert "choline-jupyter[vast]" in provider.check_ready()
