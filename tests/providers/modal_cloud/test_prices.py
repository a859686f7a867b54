"""What is offered of Modal, and at which rates."""

from __future__ import annotations

from decimal import Decimal

import pytest

from choline_jupyter.model.gpu import find_gpu
from choline_jupyter.model.offer import GIB, Wish
from choline_jupyter.providers.modal_cloud.prices import CORE, KINDS, MEMORY, Rates, make_offers

TOLD = {"sandbox_cpu": str(CORE), "sandbox_memory": str(MEMORY), "gpu_l4": "0.000222", "gpu_l40s": "0.000542"}


def test_every_kind_is_in_the_table_of_gpus() -> None:
    assert [find_gpu(kind.gpu).name for kind in KINDS] == [kind.gpu for kind in KINDS]
    assert [find_gpu(kind.gpu).memory for kind in KINDS] == [kind.memory * GIB for kind in KINDS]


def test_a_price_is_that_of_the_gpus_with_their_share_of_the_machine() -> None:
    [offer] = make_offers(Wish("A100 80GB", 4), Rates())
    assert offer.name == "A100-80GB:4"
    assert offer.price.hour == pytest.approx(3600 * 4 * (0.000694 + 4 * CORE + 32 * MEMORY))
    assert (offer.cpus, offer.memory, offer.count) == (32, 128 * GIB, 4)
    assert offer.detail == {"gpu": "A100-80GB:4", "cores": 16, "memory": 128 * 1024}


def test_more_memory_can_be_wished_for_and_is_paid_for() -> None:
    [offer] = make_offers(Wish("T4", 1, memory=100 * GIB), Rates())
    assert offer.detail["memory"] == 100 * 1024
    assert offer.price.hour == pytest.approx(3600 * (0.000164 + 2 * CORE + 100 * MEMORY))


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish("A100", 1), ["A100-40GB:1", "A100-80GB:1"]),
        (Wish("H100", 8), ["H100:8"]),
        (Wish("H100 NVL", 1), []),
        (Wish("A10", 5), []),
        (Wish("RTX 3090", 1), []),
        (Wish("T4", 9), []),
        (Wish(gpu_memory=100 * GIB), ["H200:1", "B200:1"]),
        (Wish("T4", 1, region="eu"), []),
        (Wish("T4", 1, is_spot=True), []),
    ],
)
def test_offers_are_what_fits(wish: Wish, words: list[str]) -> None:
    assert [offer.name for offer in make_offers(wish, Rates())] == words


def test_without_a_wish_there_are_all_of_them_and_a_machine_without_gpu() -> None:
    offers = make_offers(Wish(), Rates())
    assert offers[0].name == "CPU"
    assert not offers[0].detail["gpu"]
    assert len(offers) == len(KINDS) + 1


def test_what_modal_tells_is_live_and_what_is_listed_is_not() -> None:
    live = {offer.name: offer.is_live for offer in make_offers(Wish(), Rates(TOLD))}
    assert [name for name, is_live in live.items() if is_live] == ["CPU", "L4:1", "L40S:1"]
    assert not any(offer.is_live for offer in make_offers(Wish(), Rates()))


@pytest.mark.parametrize("name", ["L4", "gpu_l4", "NVIDIA L4", "GPU L4", "nvidia-l4-gpu"])
@pytest.mark.parametrize(("told", "rate"), [("0.000200", 0.0002), ("0.72", 0.0002), (Decimal("0.0002"), 0.0002)])
def test_a_rate_is_of_a_second_or_of_an_hour(name: str, told: object, rate: float) -> None:
    kind = next(kind for kind in KINDS if kind.word == "L4")
    found, is_live = Rates({name: told}).find_gpu(kind)
    assert found == pytest.approx(rate)
    assert is_live


@pytest.mark.parametrize("told", [{"L4": "5"}, {"L4": "0"}, {"L40S": "0.0002"}, {"L4 credits": "0.0002"}, {}])
def test_a_rate_that_is_something_else_is_not_believed(told: dict[str, str]) -> None:
    kind = next(kind for kind in KINDS if kind.word == "L4")
    assert Rates(told).find_gpu(kind) == (0.000222, False)


def test_a_function_s_processor_is_not_a_sandbox_s() -> None:
    assert Rates({"cpu": "0.0000131", "memory": "0.00000222"}).find_core() == (CORE, False)
    assert Rates({"Sandbox CPU": "0.00004"}).find_core() == (0.00004, True)
