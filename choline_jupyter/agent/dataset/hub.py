"""The hub: files and whole repositories of `hf://` addresses, at one commit.

Used by `agent.dataset.main`. A name of a revision is made a commit first, so that all files of a repository are of one, and
what is here already is known without asking again. A token goes to the hub's own host and to no other: the files
themselves lie elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urljoin

from choline_jupyter.agent.dataset.fault import DownloadFault
from choline_jupyter.agent.dataset.source import Item, check_name, explain_status, gather
from choline_jupyter.agent.dataset.web import Answer, Passing, Web, find_host, find_origin, is_passing
from choline_jupyter.model.dataset import Address

ENDPOINT = "https://huggingface.co"
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_DIGEST = re.compile(r'"?([0-9a-f]{64})"?\Z')
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')
_LARGEST = 64 << 20  # bytes of one page


class HubSource:
    """`token` is the user's, or empty."""

    def __init__(self, address: Address, endpoint: str = "", token: str = "") -> None:
        self._hub, self._sha256 = address.read_hub(), address.sha256
        self._endpoint = (endpoint or ENDPOINT).rstrip("/")
        self._token = token
        self._web = Web(self._authorize)

    def list_items(self) -> Sequence[Item]:
        commit = self._find_commit()
        if not self._hub.is_folder:
            return [self._make_item(commit, self._hub.path, "", -1, self._sha256)]
        start = len(self._hub.path)
        files = self._list_files(commit)
        items = (self._make_item(commit, path, path[start:].lstrip("/"), size, digest) for path, size, digest in files)
        return gather(items, self._hub.path or self._hub.repository)

    def get(self, item: Item, headers: Mapping[str, str]) -> Answer:
        return self._web.get(item.address, headers)

    def explain(self, item: Item, answer: Answer) -> DownloadFault:
        return self._explain(answer)

    def _explain(self, answer: Answer) -> DownloadFault:
        if answer.status in (401, 403):  # what is not there is 401, too, for one who may not know
            what = "%s is not there, or not for everybody (%d)" % (self._hub.repository, answer.status)
            way = "If it is private or gated, hand over a token: --secret HF_TOKEN."
            return DownloadFault(what, "Look at what the token may read." if self._token else way)
        if answer.status == 404:
            revision = "revision %s" % self._hub.revision
            what = "%s in its %s" % (self._hub.path, revision) if self._hub.path else revision
            return DownloadFault("%s has no %s" % (self._hub.repository, what), "Look at the address.")
        return explain_status(find_host(self._endpoint), answer.status)

    def _authorize(self, address: str) -> Mapping[str, str]:
        is_hub = find_origin(address) == find_origin(self._endpoint)
        return {"Authorization": "Bearer %s" % self._token} if self._token and is_hub else {}

    def _find_commit(self) -> str:
        if _COMMIT.match(self._hub.revision):
            return self._hub.revision
        told, _ = self._ask("revision/%s" % quote(self._hub.revision, safe=""))
        commit = told.get("sha") if isinstance(told, dict) else None
        if not isinstance(commit, str) or not _COMMIT.match(commit):
            raise DownloadFault("%s does not say which commit that is" % find_host(self._endpoint))
        return commit

    def _list_files(self, commit: str) -> Iterator[tuple[str, int, str]]:
        """Path, size and digest of what is below the folder, page by page."""
        above = "/" + quote(self._hub.path) if self._hub.path else ""
        page = "tree/%s%s?recursive=true" % (commit, above)
        while page:
            told, page = self._ask(page)
            for entry in told if isinstance(told, list) else ():
                if isinstance(entry, dict) and entry.get("type") == "file":
                    yield self._read_entry(entry)

    def _read_entry(self, entry: Mapping[str, Any]) -> tuple[str, int, str]:
        path, size, large = entry.get("path"), entry.get("size"), entry.get("lfs") or {}
        name = check_name(path if isinstance(path, str) else "")
        digest = _DIGEST.match(str(large.get("oid", ""))) if isinstance(large, dict) else None
        return name, size if isinstance(size, int) else -1, digest[1] if digest else ""

    def _ask(self, page: str) -> tuple[Any, str]:
        """One page of the hub's API, and the address of the next."""
        repository = self._hub.repository
        kind = "" if repository.startswith("datasets/") else "models/"
        address = page if "://" in page else "%s/api/%s%s/%s" % (self._endpoint, kind, repository, page)
        answer = self._web.get(address, {})
        if is_passing(answer.status):
            raise Passing("%s answers %d" % (find_host(self._endpoint), answer.status))
        if answer.stream is None:
            raise self._explain(answer)
        with answer.stream:
            try:
                told = json.loads(answer.stream.read(_LARGEST))
            except ValueError:
                raise DownloadFault("%s does not speak as the hub does" % find_host(self._endpoint)) from None
        following = _NEXT.search(answer.headers.get("Link") or "")
        return told, urljoin(address, following[1]) if following else ""

    def _make_item(self, commit: str, path: str, name: str, size: int, sha256: str) -> Item:
        address = "%s/%s/resolve/%s/%s" % (self._endpoint, self._hub.repository, commit, quote(path))
        return Item(address, address, name, size, sha256, is_fixed=True)


def find_linked_digest(answer: Answer) -> str:
    """What the hub says of a large file's content while it sends one on to where that lies."""
    found = [_DIGEST.match(headers.get("X-Linked-Etag") or "") for headers in (answer.headers, *answer.hops)]
    return next((match[1] for match in found if match), "")
