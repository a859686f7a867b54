"""Objects of buckets: for everybody, signed, in another region; a real server that checks signatures itself."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest

from choline_jupyter.agent.dataset.bucket import BucketSource
from choline_jupyter.agent.dataset.fault import DownloadFault
from choline_jupyter.agent.dataset.main import bring
from choline_jupyter.agent.dataset.signature import Keys, sign
from choline_jupyter.model.dataset import read_address
from tests.net.data_server import PIECE, DataServer, Request

DATA = bytes(range(256)) * 1024
DIGEST = hashlib.sha256(DATA).hexdigest()
KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "very/secret", "AWS_SESSION_TOKEN": "token=="}


class Bucket:
    """A service on loopback; `region` is where it says that it is."""

    def __init__(self, server: DataServer, home: Path) -> None:
        self.server, self.home, self.region = server, home, "us-east-1"

    def bring(self, url: str = "s3://data/a b/x+y.bin", **secrets: str) -> Any:
        return self.bring_all(url, **secrets)[0][1]

    def bring_all(self, url: str, **secrets: str) -> Any:
        settings = {"AWS_ENDPOINT_URL": self.server.address}
        order = {"home": str(self.home), "url": url, "settings": settings, "secrets": secrets}
        return bring(order, lambda _: None)["files"]

    def put(self, key: str, data: bytes) -> str:
        """An object, and how a list tells of it."""
        file = self.server.put(f"/data/{quote(key, safe='/-_.~')}", data)
        tag = file.etag.replace('"', "&quot;")
        return f"<Contents><Key>{quote_plus(key)}</Key><ETag>{tag}</ETag><Size>{len(data)}</Size></Contents>"

    def put_page(self, prefix: str, *objects: str, token: str = "", following: str = "") -> None:
        """What a list answers, as AWS spells it."""
        asked = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
        asked.update({"continuation-token": token} if token else {})
        more = f"<NextContinuationToken>{following}</NextContinuationToken>" if following else ""
        inside = f"<Name>data</Name>{more}<EncodingType>url</EncodingType>{''.join(objects)}"
        text = f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inside}</ListBucketResult>'
        self.server.put(f"/data/?{urlencode(asked, quote_via=quote, safe='')}", text.encode())

    def check(self, request: Request) -> int:
        """As a service does: make the signature again, of what came."""
        headers = request.headers
        if not headers["Authorization"]:
            return 403
        now = dt.datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.timezone.utc)
        keys = Keys("AKID", KEYS["AWS_SECRET_ACCESS_KEY"], headers["x-amz-security-token"] or "")
        expected = sign(f"http://{headers['Host']}{request.path}", keys, self.region, now)
        return 0 if headers["Authorization"] == expected["Authorization"] else 403


@pytest.fixture
def bucket(server: DataServer, tmp_path: Path) -> Bucket:
    server.put("/data/a%20b/x%2By.bin", DATA)
    return Bucket(server, tmp_path)


def test_an_object_for_everybody(bucket: Bucket) -> None:
    assert bucket.bring() == DIGEST
    assert [request.headers["Authorization"] for request in bucket.server.log] == [None]


def test_an_object_for_those_with_keys_also_where_it_was_cut(bucket: Bucket) -> None:
    bucket.server.guard = bucket.check
    with pytest.raises(DownloadFault, match="not give it to everybody") as caught:
        bucket.bring()
    assert "--secret AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY" in caught.value.hint
    with pytest.raises(DownloadFault, match="not give it to these keys"):
        bucket.bring(**{**KEYS, "AWS_SECRET_ACCESS_KEY": "other"})
    bucket.server.files["/data/a%20b/x%2By.bin"].cuts = [2 * PIECE]
    assert bucket.bring(**KEYS) == DIGEST
    assert bucket.server.log[-1].headers["Range"] == f"bytes={2 * PIECE}-"
    assert bucket.server.count_sent() == len(DATA)


def test_one_key_without_the_other_is_said(bucket: Bucket) -> None:
    with pytest.raises(DownloadFault, match="two keys are needed") as caught:
        bucket.bring(AWS_ACCESS_KEY_ID="AKID")
    assert "AWS_SECRET_ACCESS_KEY" in caught.value.hint


def test_a_region_is_learnt(bucket: Bucket) -> None:
    bucket.region = "eu-central-1"
    bucket.server.guard = bucket.check
    bucket.server.files["/data/a%20b/x%2By.bin"].headers["x-amz-bucket-region"] = "eu-central-1"
    assert bucket.bring(**KEYS) == DIGEST
    assert len(bucket.server.log) == 2


def test_a_redirect_to_another_host_is_not_signed(bucket: Bucket, other: DataServer) -> None:
    file = bucket.server.put("/data/a%20b/x%2By.bin", b"", status=307)
    file.headers["Location"] = f"{other.address}/elsewhere"
    other.put("/elsewhere", DATA)
    assert bucket.bring(**KEYS) == DIGEST
    assert [request.headers["Authorization"] for request in other.log] == [None]


def test_nothing_is_signed_for_a_host_that_is_not_the_service() -> None:
    source = BucketSource(read_address("s3://data/x"), keys=Keys("a", "b"))
    assert source._authorize("https://data.s3.eu-west-1.amazonaws.com/x")
    for address in ("http://data.s3.amazonaws.com/x", "https://amazonaws.com.example/x", "https://evilamazonaws.com/x"):
        assert source._authorize(address) == {}


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("data", "https://data.s3.us-east-1.amazonaws.com/a%20b"),
        ("my.data", "https://s3.us-east-1.amazonaws.com/my.data/a%20b"),
    ],
)
def test_where_aws_has_it(name: str, address: str) -> None:
    assert BucketSource(read_address(f"s3://{name}/a b"), region="a/b")._find_address("a%20b") == address


def test_a_folder_comes_page_by_page_and_once(bucket: Bucket) -> None:
    """With keys, as every request is signed with its query; what was listed in the version that is here is not asked for."""
    bucket.server.guard = bucket.check
    marker = "<Contents><Key>a+b%2F</Key><Size>0</Size></Contents>"
    bucket.put_page("a b/", marker, bucket.put("a b/x+y.bin", DATA), following="1/a+b==&amp;")
    bucket.put_page("a b/", bucket.put("a b/ä/z.txt", b"z"), token="1/a+b==&")
    expected = [["x+y.bin", DIGEST, len(DATA)], ["ä/z.txt", hashlib.sha256(b"z").hexdigest(), 1]]
    assert [file[:3] for file in bucket.bring_all("s3://data/a b/", **KEYS)] == expected
    assert len(bucket.server.log) == 4
    bucket.put_page("a b/", bucket.put("a b/ä/z.txt", b"new"), token="1/a+b==&")
    assert [file[2] for file in bucket.bring_all("s3://data/a b/", **KEYS)] == [len(DATA), 3]
    assert len(bucket.server.log) == 7


def test_the_whole_bucket_where_nobody_says_what_version_that_is(bucket: Bucket) -> None:
    bucket.put("x", b"1")
    bucket.put_page("", "<Contents><Key>x</Key></Contents>")
    for _ in range(2):
        assert [file[0] for file in bucket.bring_all("s3://data/")] == ["x"]
    assert bucket.server.log[-1].headers["If-None-Match"]
    assert bucket.server.count_sent() == 1 + 2 * len(bucket.server.files[bucket.server.log[0].path].data)


def test_an_object_that_is_another_than_was_listed_is_not_taken(bucket: Bucket) -> None:
    bucket.put_page("f/", bucket.put("f/x", b"old"))
    bucket.put("f/x", b"new")
    with pytest.raises(DownloadFault, match="changed while the others came"):
        bucket.bring_all("s3://data/f/")


@pytest.mark.parametrize(
    ("objects", "what"),
    [
        ([], "there is no file in s3://data/f/"),
        (["f/../../x"], "cannot be written"),
        (["f//x"], "cannot be written"),
        (["f/x", "f/x/y/z"], "x is a file there and a folder"),
    ],
)
def test_a_list_that_no_disk_can_hold(bucket: Bucket, objects: list[str], what: str) -> None:
    bucket.put_page("f/", *(bucket.put(key, b"x") for key in objects))
    with pytest.raises(DownloadFault, match=what):
        bucket.bring_all("s3://data/f/")


def test_what_is_no_list_is_said(bucket: Bucket) -> None:
    bucket.server.put("/data/", b"<html>Log in</html>")
    with pytest.raises(DownloadFault, match="does not speak as S3 does"):
        bucket.bring_all("s3://data/f/")
    bucket.server.put("/data/", b"", status=403)
    with pytest.raises(DownloadFault, match="not give it to everybody"):
        bucket.bring_all("s3://data/f/")
