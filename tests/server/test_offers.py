"""Offers for the panel: every provider has a row, whatever it answers; nonsense is refused; the server goes on meanwhile."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from choline_jupyter.errors import RequestError
from choline_jupyter.model.gpu import read_gpus
from choline_jupyter.model.offer import GIB
from choline_jupyter.server.offer_state import read_query
from choline_jupyter.session.options import parse_cell
from choline_jupyter.session.rent.wish import read_wish
from tests.fakes.cloud import Cloud
from tests.fakes.lambda_cloud import LambdaCloud
from tests.fakes.runpod import RunPodCloud

Fetch = Callable[..., Awaitable[Any]]


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Cloud]]:
    made: dict[str, Cloud] = {"lambda": LambdaCloud(), "runpod": RunPodCloud()}
    (tmp_path / "fakes.json").write_text(json.dumps({name: cloud.tell() for name, cloud in made.items()}))
    monkeypatch.setenv("CHOLINE_FAKE_CLOUD", str(tmp_path / "fakes.json"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    yield made
    for cloud in made.values():
        cloud.close()


async def ask(fetch: Fetch, **params: str) -> Any:
    return json.loads((await fetch("choline", "api", "offers", params=params, request_timeout=60)).body)


def find_row(found: Any, name: str) -> Any:
    return next(row for row in found["providers"] if row["name"] == name)


async def test_the_cheapest_run_is_first_and_every_provider_has_a_row(
    jp_fetch: Fetch, clouds: dict[str, Cloud]
) -> None:
    found = await ask(jp_fetch, gpu="a100")
    totals = [offer["total"] for offer in found["offers"]]
    assert totals == sorted(totals)
    assert {offer["provider"] for offer in found["offers"]} == {"lambda", "runpod"}
    assert {row["name"] for row in found["providers"]} == {"lambda", "modal", "runpod", "vast"}
    assert find_row(found, "lambda")["state"] == find_row(found, "runpod")["state"] == "ready"
    assert find_row(found, "lambda")["needs_laptop"]


async def test_a_provider_that_is_down_is_a_row_that_says_so(jp_fetch: Fetch, clouds: dict[str, Cloud]) -> None:
    clouds["lambda"].fail("offers", "500", count=9)
    found = await ask(jp_fetch, gpu="a100")
    down = find_row(found, "lambda")
    assert (down["state"], down["count"]) == ("down", 0)
    assert down["said"]
    assert not down["said"].startswith("lambda:")
    assert {offer["provider"] for offer in found["offers"]} == {"runpod"}


async def test_what_an_offer_says_to_write_asks_for_it(jp_fetch: Fetch, clouds: dict[str, Cloud]) -> None:
    for offer in (await ask(jp_fetch))["offers"]:
        line = " ".join(f"--{name} {value}" for name, value in offer["options"])
        wish = read_wish(parse_cell(line).options)
        if offer["gpus"]:
            assert read_gpus(offer["gpus"]) == read_gpus(f"{wish.count or 1}x{wish.gpu}")
        assert wish.is_spot == offer["spot"]
        assert f"--provider {offer['provider']}" in line


async def test_a_maximum_is_kept_to(jp_fetch: Fetch, clouds: dict[str, Cloud]) -> None:
    found = await ask(jp_fetch, **{"max-price": "0.8"})
    assert found["offers"]
    assert all(offer["hour"] <= 0.8 for offer in found["offers"])
    assert {offer["provider"] for offer in (await ask(jp_fetch, provider="lambda"))["offers"]} == {"lambda"}


@pytest.mark.parametrize(
    ("field", "value"),
    [("gpu", "a1000x"), ("gpu", "--budget"), ("max-price", "cheap"), ("memory", "-1"), ("count", "0"), ("count", "x")],
)
async def test_nonsense_is_refused_in_a_sentence(jp_fetch: Fetch, field: str, value: str) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await ask(jp_fetch, **{field: value})
    assert refused.value.code == 400
    assert refused.value.response
    assert json.loads(refused.value.response.body)["message"].endswith((".", "?"))


def test_a_query_is_read_as_the_command_reads_it() -> None:
    wish, provider = read_query({"gpu": "4xa100", "memory": "40GB", "spot": "1", "region": "EU", "provider": "vast"})
    assert (wish.gpu, wish.count, wish.is_spot, wish.region, provider) == ("A100", 4, True, "EU", "vast")
    assert wish.gpu_memory >= 40 * GIB * 0.9
    assert read_query({"count": "8", "gpu": ""})[0].count == 8
    with pytest.raises(RequestError):
        read_query({"gpu": "x; rm -rf /"})
