"""One provider's REST API: what each answer means, and that the key is in no message."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.providers.api import Api, explain
from choline_jupyter.providers.credentials import Secret
from choline_jupyter.providers.failure import Absent, KeyRejected, ProviderFailure, Refused, Throttled, Unsure
from tests.fakes.cloud import Answer, Cloud

KEY = "s3cret-of-anna"


class Echo(Cloud):
    """Answers with `answer`, and tells the key that it was sent."""

    answer: Answer = 200, None

    def __init__(self) -> None:
        super().__init__(key=KEY)
        self.route("GET", "/thing", "get", lambda body, query: self.answer)


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.close()


def ask(echo: Echo, key: str = KEY) -> Any:
    return asyncio.run(Api("acme", echo.url, Secret(key)).ask("GET", "/thing"))


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (400, {"error": {"code": "x", "message": "No capacity."}}, Refused, "400 (No capacity.)"),
        (400, {"title": "Bad", "status": 400, "detail": "No stock."}, Refused, "400 (No stock.)"),
        (402, {"error": "Too poor."}, Refused, "402 (Too poor.)"),
        (401, {"error": "who?"}, KeyRejected, "does not take the key"),
        (403, {"detail": "Not this pool."}, KeyRejected, "does not allow that with this key (Not this pool.)"),
        (404, b"", Absent, "404"),
        (429, b"Too many", Throttled, "Too many"),
        (500, b"<html>\x1b[31m", Unsure, "500 (<html> [31m)"),
        (302, b"", Refused, "302"),
    ],
)
def test_each_refusal_says_what_it_means_in_the_providers_words(
    echo: Echo, status: int, body: Any, kind: type[ProviderFailure], words: str
) -> None:
    echo.answer = status, body
    with pytest.raises(kind) as caught:
        ask(echo)
    assert type(caught.value) is kind
    assert words in str(caught.value)


def test_a_provider_that_repeats_the_key_does_not_get_it_shown(echo: Echo) -> None:
    echo.answer = 400, {"error": f"bad key {KEY}"}
    with pytest.raises(Refused) as caught:
        ask(echo)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("address", ["http://[", "nonsense", "ftp://example.org", "http://127.0.0.1:9"])
def test_an_address_that_cannot_be_asked_has_changed_nothing(address: str) -> None:
    with pytest.raises(Refused):
        asyncio.run(Api("acme", address, Secret(KEY)).ask("GET", "/thing"))


@given(
    st.integers(300, 599),
    st.text(max_size=300) | st.sampled_from(['{"error": [1]}', '{"error": null}', "[]", "3", "null"]),
)
def test_any_answer_is_a_short_printable_sentence(status: int, text: str) -> None:
    failure = explain("acme", status, text)
    assert str(failure).isprintable()
    assert len(str(failure)) < 300
