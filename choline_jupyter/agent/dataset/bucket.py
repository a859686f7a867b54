"""Objects of `s3://` addresses: as anybody where no keys were handed over, signed where they were.

Used by `agent.dataset.main`. A bucket's region is learnt from its own answer.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlsplit

from choline_jupyter.agent.dataset.fault import DownloadFault
from choline_jupyter.agent.dataset.signature import Keys, sign
from choline_jupyter.agent.dataset.source import Item, explain_status
from choline_jupyter.agent.dataset.web import Answer, Web, find_host, find_origin
from choline_jupyter.model.dataset import Address

_AWS = "amazonaws.com"
_REGION = re.compile(r"[a-z0-9-]{1,40}\Z")
_TOLD_REGION = re.compile(r"<Region>([a-z0-9-]{1,40})</Region>")
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,60})</Code>")
_ELSEWHERE = (301, 307, 400, 403)


class BucketSource:
    """`endpoint` is another service that speaks as S3 does, or empty; `keys` are the user's, or None."""

    def __init__(self, address: Address, endpoint: str = "", region: str = "", keys: Keys | None = None) -> None:
        self._bucket, self._key = address.read_bucket()
        self._endpoint, self._keys = endpoint.rstrip("/"), keys
        self._sha256 = address.sha256
        self._region = region if _REGION.match(region) else "us-east-1"
        self._web = Web(self._authorize)

    def list_items(self) -> Sequence[Item]:
        identity = "%s/%s/%s" % (self._endpoint or "s3:/", self._bucket, self._key)
        return [Item("", identity, sha256=self._sha256)]

    def get(self, item: Item, headers: Mapping[str, str]) -> Answer:
        """The address depends on the region, which may have to be learnt."""
        answer = self._web.get(self._find_address(), headers, follows=False)
        region = _find_region(answer) if answer.status in _ELSEWHERE else ""
        if region and region != self._region:
            self._region = region
            answer = self._web.get(self._find_address(), headers, follows=False)
        if answer.status == 307:  # a new bucket, whose name has not spread
            answer = self._web.get(self._find_address(), headers)
        return answer

    def explain(self, item: Item, answer: Answer) -> DownloadFault:
        code = _CODE.search(answer.text)
        what = code[1] if code else str(answer.status)
        if what in ("NoSuchKey", "NoSuchBucket"):
            return DownloadFault(
                "there is no such %s" % ("object" if what == "NoSuchKey" else "bucket"), "Look at the address."
            )
        if what == "RequestTimeTooSkewed":
            return DownloadFault("the clock of that machine is wrong, so that nothing can be signed there")
        if answer.status in (401, 403):
            way = "Hand over keys: --secret AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY."
            return DownloadFault(
                "the bucket %s does not give it to everybody (%s)" % (self._bucket, what)
                if self._keys is None
                else "the bucket %s does not give it to these keys (%s)" % (self._bucket, what),
                way if self._keys is None else "Look at what the keys may read.",
            )
        return explain_status(find_host(self._find_address()), answer.status)

    def _authorize(self, address: str) -> Mapping[str, str]:
        if self._keys is None or not self._is_own(address):
            return {}
        now = dt.datetime.now(dt.timezone.utc)
        return sign(address, self._keys, self._region, now)

    def _is_own(self, address: str) -> bool:
        """Whether a server is the bucket's service: a signature, though it is good for one request only, goes to no other."""
        if self._endpoint:
            return find_origin(address) == find_origin(self._endpoint)
        parts = urlsplit(address)
        return parts.scheme == "https" and (parts.hostname or "").endswith("." + _AWS)

    def _find_address(self) -> str:
        key = quote(self._key, safe="/-_.~")
        if self._endpoint:
            return "%s/%s/%s" % (self._endpoint, self._bucket, key)
        host = "s3.%s.%s" % (self._region, _AWS)
        if "." in self._bucket:  # a certificate is for one name more, not for two
            return "https://%s/%s/%s" % (host, self._bucket, key)
        return "https://%s.%s/%s" % (self._bucket, host, key)


def _find_region(answer: Answer) -> str:
    told = answer.headers.get("x-amz-bucket-region") or ""
    if _REGION.match(told):
        return told
    found = _TOLD_REGION.search(answer.text)
    return found[1] if found else ""
