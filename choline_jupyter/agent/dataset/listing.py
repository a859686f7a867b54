"""One page of what a bucket says is in it, read without trusting it.

Used by `agent.dataset.bucket`. The answer to ListObjectsV2 with `encoding-type=url`
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html) is flat, and names are percent-encoded in it, so that a
few patterns read it: no entity of a stranger's XML is ever expanded.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote_plus

_CONTENTS = re.compile(r"<Contents>(.*?)</Contents>", re.DOTALL)
_FIELD = re.compile(r"<(Key|Size|ETag)>([^<]*)</\1>")
_NEXT = re.compile(r"<NextContinuationToken>([^<]+)</NextContinuationToken>")
_SIZE = re.compile(r"[0-9]{1,18}\Z")
_ETAG = re.compile(r'"[!#-~]{1,200}"\Z')
_MARK = "<ListBucketResult"


class Listed(NamedTuple):
    """An object. `size` is -1 and `etag` empty where the service does not say."""

    key: str
    size: int
    etag: str


class Page(NamedTuple):
    """Some objects, and the token of the next page; empty behind the last one."""

    objects: list[Listed]
    following: str


def read_page(text: str) -> Page:
    """Raises ValueError for what is no such page."""
    if _MARK not in text:
        raise ValueError("it is no list of a bucket")
    following = _NEXT.search(text)
    return Page(list(_read_objects(text)), html.unescape(following[1]) if following else "")


def _read_objects(text: str) -> Iterator[Listed]:
    is_encoded = "<EncodingType>url</EncodingType>" in text
    for found in _CONTENTS.finditer(text):
        fields = {name: html.unescape(value) for name, value in _FIELD.findall(found[1])}
        key, size, etag = (fields.get(name, "") for name in ("Key", "Size", "ETag"))
        if is_encoded:
            # AWS writes a space as `+`; where a service writes `%20`, a `+` is `%2B` all the same.
            key = unquote_plus(key, errors="surrogateescape")
        yield Listed(key, int(size) if _SIZE.match(size) else -1, etag if _ETAG.match(etag) else "")
