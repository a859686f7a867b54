"""Addresses of datasets: what each means, what is refused, and that nothing else can happen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.model.dataset import SCHEMES, AddressError, HubAddress, read_address

DIGEST = "ab" * 32


@pytest.mark.parametrize(
    ("text", "name", "is_folder"),
    [
        ("https://example.org/a/train.csv", "train.csv", False),
        ("https://example.org/a/my%20data.csv?token=a=b&c#sha256=" + DIGEST, "my data.csv", False),
        ("HTTPS://example.org:8443/x", "x", False),
        ("http://127.0.0.1:99/x", "x", False),
        ("http://[::1]:99/x", "x", False),
        ("http://localhost/x", "x", False),
        ("http://example.org/x#sha256=" + DIGEST.upper(), "x", False),
        ("hf://datasets/o/n/train.csv", "train.csv", False),
        ("hf://datasets/o/n@v1.0/data/", "data", True),
        ("hf://o/model", "model", True),
        ("hf://o/model/", "model", True),
        ("s3://bucket/a/b.csv", "b.csv", False),
        ("s3://bucket/b=c d.csv", "b=c d.csv", False),
        ("s3://bucket/a/shards/", "shards", True),
        ("s3://bucket/", "bucket", True),
    ],
)
def test_address_is_read(text: str, name: str, is_folder: bool) -> None:
    address = read_address(text)
    assert (address.name, address.is_folder) == (name, is_folder)
    assert address.sha256 == (DIGEST if "#" in text else "")
    assert "#" not in address.text


@pytest.mark.parametrize(
    ("text", "hub"),
    [
        ("hf://datasets/o/n", HubAddress("datasets/o/n", "main", "", True)),
        (
            "hf://datasets/o/n@refs%2Fconvert%2Fparquet/a/b.csv",
            HubAddress("datasets/o/n", "refs/convert/parquet", "a/b.csv", False),
        ),
        ("hf://o/m@abc/x/", HubAddress("o/m", "abc", "x", True)),
    ],
)
def test_hub_address_is_read(text: str, hub: HubAddress) -> None:
    assert read_address(text).read_hub() == hub


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("http://example.org/x", "may be changed on its way"),
        ("http://127.0.0.1.example.org/x", "may be changed on its way"),
        ("https://u:p@example.org/x", "password"),
        ("https://example.org/", "what the file is called"),
        ("https://example.org/a/..", "what the file is called"),
        ("https:///x", "names no host"),
        ("https://example.org:x/y", "names no host"),
        ("https://example.org/x#part", "no digest"),
        ("https://example.org/x#sha256=12", "no digest"),
        ("gs://bucket/x", "Nothing can be fetched"),
        ("file:///etc/passwd", "Nothing can be fetched"),
        ("hf://datasets/name", "names no repository"),
        ("hf://datasets/o/n@/x", "names no repository"),
        ("hf://spaces/o/n", "names no repository"),
        ("hf://datasets/o/n/../../x", "leads nowhere"),
        ("hf://datasets/o/n/a//b", "leads nowhere"),
        ("hf://datasets/o/n#sha256=" + DIGEST, "is a folder"),
        ("s3://bucket", "names no object"),
        ("s3://bucket/a/../", "names no object"),
        ("s3://bucket/a/#sha256=" + DIGEST, "is a folder"),
        ("s3://B/x", "names no bucket"),
        ("s3://a@b/x", "names no bucket"),
    ],
)
def test_what_has_no_meaning_is_refused_in_two_sentences(text: str, what: str) -> None:
    with pytest.raises(AddressError, match=what) as caught:
        read_address(text)
    assert caught.value.hint.endswith(".")
    assert "p@" not in str(caught.value)


@given(st.builds("{}://{}".format, st.sampled_from([*SCHEMES, "x", ""]), st.text()) | st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = read_address(text)
    except AddressError:
        return
    assert address.name not in ("", ".", "..")
    assert "/" not in address.name
    assert "\0" not in address.name
