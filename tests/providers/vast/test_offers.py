"""vast.ai's offers: the query of a wish, names of GPUs, the parts of a price."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from choline_jupyter.model.offer import GIB, Wish
from choline_jupyter.providers.failure import Throttled, Unreadable
from choline_jupyter.providers.vast.offers import find_names, make_query, read_offer
from choline_jupyter.providers.vast.provider import VastProvider
from tests.fakes.vast import VastCloud

KNOWN = ["RTX 3090", "RTX 3090 Ti", "A100 PCIE", "A100 SXM4", "A100X", "A10", "H100 SXM", "H100 NVL", "RTX 4000Ada", "Q RTX 4000",
         "RTX A4000", "Tesla V100", "Titan X", "GTX 1080 Ti", "L40", "L40S"]  # fmt: skip
ROW: dict[str, Any] = {
    "id": 7, "machine_id": 70, "gpu_name": "RTX 3090", "num_gpus": 2, "gpu_ram": 24576, "cpu_ram": 64000,
    "cpu_cores_effective": 15.9, "disk_space": 100.5, "dph_base": 0.4, "dph_total": 0.45, "storage_total_cost": 0.05,
    "min_bid": 0.2, "storage_cost": 0.15, "inet_up_cost": 0.02, "inet_down_cost": 0.01, "reliability": 0.99,
    "geolocation": "Sweden, SE", "cuda_max_good": 12.8, "duration": 1000.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("gpu", "names"),
    [
        ("rtx3090", ["RTX 3090"]),
        ("3090", ["RTX 3090"]),
        ("NVIDIA GeForce RTX 3090 Ti", ["RTX 3090 Ti"]),
        ("a100", ["A100 PCIE", "A100 SXM4", "A100X"]),
        ("A100-80GB", ["A100 PCIE", "A100 SXM4", "A100X"]),
        ("h100", ["H100 NVL", "H100 SXM"]),
        ("A4000", ["RTX A4000"]),
        ("RTX 4000 Ada", ["RTX 4000Ada"]),
        ("v100", ["Tesla V100"]),
        ("L40", ["L40"]),
        ("nothing", []),
    ],
)
def test_a_gpu_is_found_however_it_is_written(gpu: str, names: list[str]) -> None:
    assert find_names(gpu, KNOWN) == names


def test_a_wish_is_a_query() -> None:
    wish = Wish("3090", 4, 24 * GIB, 64 * GIB, 100 * GIB, False, "se", 2.0, 0.98, "12.4")
    query = make_query(wish, KNOWN)
    memory, rest = query.pop("gpu_ram")["gte"], query.pop("cpu_ram")["gte"]
    assert 20000 < memory < 24564, "a 4090 tells of 24564 MiB"
    assert 62000 > rest > 58000
    assert query == {
        "direct_port_count": {"gte": 1}, "gpu_name": {"in": ["RTX 3090"]}, "num_gpus": {"eq": 4},
        "disk_space": {"gte": 100.0}, "dph_total": {"lte": 2.0}, "reliability": {"gte": 0.98},
        "geolocation": {"in": ["SE"]}, "cuda_max_good": {"gte": 12.4},
    }  # fmt: skip
    assert make_query(Wish(is_spot=True, max_price=1.0)) == {"direct_port_count": {"gte": 1}, "min_bid": {"lte": 1.0}}
    assert make_query(Wish("B300"), KNOWN)["gpu_name"] == {"in": ["B300"]}, "what nobody knows is asked for as it is"


def test_an_offer_has_the_parts_of_its_price() -> None:
    offer = read_offer(ROW, is_spot=False)
    price = offer.price
    assert price.hour == pytest.approx(0.4), "dph_total without the disk that it includes"
    assert (offer.gpu, price.disk, price.stopped_disk, price.upload, price.download) == (
        "RTX 3090",
        0.15,
        0.15,
        0.01,
        0.02,
    )
    assert (offer.name, offer.host, offer.count, offer.region, offer.cpus) == ("7", "70", 2, "Sweden, SE", 15)
    assert (offer.gpu_memory, offer.reliability, offer.cuda) == (24 * GIB, 0.99, "12.8")
    assert read_offer(ROW, is_spot=True).price.hour == 0.2
    a100 = {**ROW, "gpu_name": "A100 SXM4", "gpu_ram": 81920 * 0.98}
    assert (read_offer(a100, is_spot=False).gpu, read_offer(a100, is_spot=False).gpu_memory) == ("A100 80GB", 80 * GIB)
    assert read_offer({**ROW, "gpu_name": "B300"}, is_spot=False).gpu == "B300"
    assert read_offer({**ROW, "storage_total_cost": None}, is_spot=False).price.hour == 0.4


@pytest.mark.parametrize(
    "change", [{"id": None}, {"storage_cost": "much"}, {"num_gpus": None}, {"dph_total": None, "dph_base": "x"}]
)
def test_a_row_without_what_matters_is_no_offer(change: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError, KeyError)):
        read_offer({**ROW, **change}, is_spot=False)


@pytest.mark.vast
def test_a_search_through_the_package_filters(cloud: VastCloud, provider: VastProvider) -> None:
    def list_gpus(wish: Wish) -> list[tuple[str, int]]:
        return sorted({(offer.gpu, offer.count) for offer in asyncio.run(provider.list_offers(wish))})

    assert list_gpus(Wish("3090", 4)) == [("RTX 3090", 4)]
    assert list_gpus(Wish("a100")) == [("A100 40GB", 1), ("A100 80GB", 1)]
    assert list_gpus(Wish("A100-80GB")) == [("A100 80GB", 1)]
    assert list_gpus(Wish(gpu_memory=40 * GIB, max_price=2.0)) == [("A100 40GB", 1), ("A100 80GB", 1)]
    assert list_gpus(Wish(region="CA")) == [("RTX 4090", 1)]
    assert list_gpus(Wish(reliability=0.998)) == [("H100 SXM", 8)]
    assert list_gpus(Wish(cuda="13.0", count=1)) == [("RTX 4090", 1)]
    assert list_gpus(Wish("B300")) == []


@pytest.mark.vast
def test_a_spot_offer_costs_its_lowest_bid(cloud: VastCloud, provider: VastProvider) -> None:
    plain, spot = [asyncio.run(provider.list_offers(Wish("4090", is_spot=is_spot)))[0] for is_spot in (False, True)]
    assert (plain.is_spot, spot.is_spot) == (False, True)
    assert [plain.price.hour, spot.price.hour] == pytest.approx([0.41, 0.20])


@pytest.mark.vast
def test_the_daily_quota_is_told_from_a_throttle(
    cloud: VastCloud, provider: VastProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud, "_go_wrong", lambda *_: (429, {"error": "search_quota_exceeded"}))
    cloud.fail("offers", "429")
    with pytest.raises(Throttled) as caught:
        asyncio.run(provider.list_offers())
    assert caught.value.is_quota
    assert "midnight" in caught.value.hint


@pytest.mark.vast
def test_one_strange_row_is_left_out_and_all_of_them_are_a_failure(cloud: VastCloud, provider: VastProvider) -> None:
    first, *others = cloud.offers.values()
    first["storage_cost"] = None
    cloud.offers = {row["id"]: row for row in [*others, {**first, "storage_cost": 0.1, "num_gpus": None}]}
    assert len(asyncio.run(provider.list_offers())) == len(others)
    for row in cloud.offers.values():
        row["num_gpus"] = None
    with pytest.raises(Unreadable):
        asyncio.run(provider.list_offers())
