"""Signatures: those of the examples that AWS has published, and those that its own signer makes."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.agent.dataset.signature import Keys, sign

KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
DAY = dt.datetime(2013, 5, 24, tzinfo=dt.timezone.utc)
EXAMPLES = {
    "?lifecycle": "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    "?max-keys=2&prefix=J": "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
}

letters = st.text(st.characters(codec="utf-8", exclude_characters="\0/?#", exclude_categories=("Cc", "Cs")), min_size=1)
words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4, max_size=60)


@pytest.mark.parametrize("query", EXAMPLES)
def test_published_examples(query: str) -> None:
    headers = sign(f"https://examplebucket.s3.amazonaws.com/{query}", KEYS, "us-east-1", DAY)
    assert headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        f"SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={EXAMPLES[query]}"
    )


@pytest.mark.oracle
@given(
    path=st.lists(letters, min_size=1, max_size=4),
    query=st.dictionaries(letters, letters, max_size=3),
    secret=words,
    token=st.one_of(st.just(""), words),
    region=st.sampled_from(["us-east-1", "eu-central-1"]),
)
def test_it_is_what_the_official_signer_makes(
    path: list[str], query: dict[str, str], secret: str, token: str, region: str
) -> None:
    from urllib.parse import quote, urlencode

    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    address = "https://bucket.s3.amazonaws.com/" + "/".join(quote(part, safe="-_.~") for part in path)
    address += "?" + urlencode(query, quote_via=quote, safe="-_.~") if query else ""
    request = AWSRequest("GET", address)
    S3SigV4Auth(Credentials("AKID", secret, token or None), "s3", region).add_auth(request)
    now = dt.datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.timezone.utc)
    ours = sign(address, Keys("AKID", secret, token), region, now)
    theirs = {name.lower(): value for name, value in request.headers.items()}
    assert {name.lower(): value for name, value in ours.items()} == theirs
