"""Objects of `s3://` addresses: as anybody where no keys were handed over, signed where they were.

Used by `agent.dataset.main`. A bucket's region is learnt from its own answer. An object of a folder is of the version that was
listed, or it is not taken; what is here already in that version is known without asking again.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote, urlencode, urlsplit

from choline_jupyter.agent.dataset.fault import DownloadFault
from choline_jupyter.agent.dataset.listing import Listed, Page, read_page
from choline_jupyter.agent.dataset.signature import Keys, sign
from choline_jupyter.agent.dataset.source import Item, check_name, explain_status, gather
from choline_jupyter.agent.dataset.web import Answer, Passing, Web, find_host, find_origin, is_passing
from choline_jupyter.model.dataset import Address

_AWS = "amazonaws.com"
_REGION = re.compile(r"[a-z0-9-]{1,40}\Z")
_TOLD_REGION = re.compile(r"<Region>([a-z0-9-]{1,40})</Region>")
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,60})</Code>")
_ELSEWHERE = (301, 307, 400, 403)
_SAFE = "-_.~"
_LARGEST = 64 << 20  # bytes of one page of a list
_CHANGED = 412


class BucketSource:
    """`endpoint` is another service that speaks as S3 does, or empty; `keys` are the user's, or None."""

    def __init__(self, address: Address, endpoint: str = "", region: str = "", keys: Keys | None = None) -> None:
        self._bucket, self._key = address.read_bucket()
        self._is_folder = address.is_folder
        self._endpoint, self._keys = endpoint.rstrip("/"), keys
        self._sha256 = address.sha256
        self._region = region if _REGION.match(region) else "us-east-1"
        self._etags: dict[str, str] = {}  # by path, as they were listed
        self._web = Web(self._authorize)

    def list_items(self) -> Sequence[Item]:
        if self._is_folder:
            where = "s3://%s/%s" % (self._bucket, self._key)
            return gather((self._make_item(one) for one in self._list_all() if not one.key.endswith("/")), where)
        return [Item(quote(self._key, safe="/" + _SAFE), self._identify(self._key), sha256=self._sha256)]

    def get(self, item: Item, headers: Mapping[str, str]) -> Answer:
        """Of the version that was listed, where it was."""
        etag = self._etags.get(item.address)
        return self._ask(item.address, {**headers, "If-Match": etag} if etag else headers)

    def _ask(self, path: str, headers: Mapping[str, str]) -> Answer:
        """`path` is below the bucket. The address depends on the region, which may have to be learnt."""
        answer = self._web.get(self._find_address(path), headers, follows=False)
        region = _find_region(answer) if answer.status in _ELSEWHERE else ""
        if region and region != self._region:
            self._region = region
            answer = self._web.get(self._find_address(path), headers, follows=False)
        if answer.status == 307:  # a new bucket, whose name has not spread
            answer = self._web.get(self._find_address(path), headers)
        return answer

    def explain(self, item: Item, answer: Answer) -> DownloadFault:
        return self._explain(answer)

    def _explain(self, answer: Answer) -> DownloadFault:
        code = _CODE.search(answer.text)
        what = code[1] if code else str(answer.status)
        if what in ("NoSuchKey", "NoSuchBucket"):
            return DownloadFault(
                "there is no such %s" % ("object" if what == "NoSuchKey" else "bucket"), "Look at the address."
            )
        if answer.status == _CHANGED:
            return DownloadFault("an object was changed while the others came", "Run it again.")
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
        return explain_status(find_host(self._find_address("")), answer.status)

    def _list_all(self) -> Iterator[Listed]:
        """All below the folder, page by page."""
        page = self._list_page("")
        yield from page.objects
        while page.following:
            page = self._list_page(page.following)
            yield from page.objects

    def _list_page(self, token: str) -> Page:
        query = {"list-type": "2", "encoding-type": "url", "prefix": self._key}
        query.update({"continuation-token": token} if token else {})
        answer = self._ask("?" + urlencode(query, quote_via=quote, safe=_SAFE), {})
        if is_passing(answer.status):
            raise Passing("the bucket %s answers %d" % (self._bucket, answer.status))
        if answer.stream is None:
            raise self._explain(answer)
        with answer.stream:
            text = answer.stream.read(_LARGEST).decode(errors="replace")
        try:
            return read_page(text)
        except ValueError:
            raise DownloadFault("%s does not speak as S3 does" % find_host(self._find_address(""))) from None

    def _make_item(self, one: Listed) -> Item:
        path = quote(one.key, safe="/" + _SAFE, errors="surrogateescape")
        self._etags[path] = one.etag
        name = check_name(one.key[len(self._key) :])
        return Item(path, self._identify(one.key) + one.etag, name, one.size, is_fixed=bool(one.etag))

    def _identify(self, key: str) -> str:
        return "%s/%s/%s" % (self._endpoint or "s3:/", self._bucket, key)

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

    def _find_address(self, path: str) -> str:
        """Of what has this path, which is quoted, below the bucket."""
        if self._endpoint:
            return "%s/%s/%s" % (self._endpoint, self._bucket, path)
        host = "s3.%s.%s" % (self._region, _AWS)
        if "." in self._bucket:  # a certificate is for one name more, not for two
            return "https://%s/%s/%s" % (host, self._bucket, path)
        return "https://%s.%s/%s" % (self._bucket, host, path)


def _find_region(answer: Answer) -> str:
    told = answer.headers.get("x-amz-bucket-region") or ""
    if _REGION.match(told):
        return told
    found = _TOLD_REGION.search(answer.text)
    return found[1] if found else ""
