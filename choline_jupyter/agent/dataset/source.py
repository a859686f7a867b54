"""A source: where a dataset comes from, as files to GET and what authorizes that.

`web` addresses are here; the hub's are in `hub`, buckets' in `bucket`. Used by `agent.dataset.main`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from choline_jupyter.agent.dataset.fault import DownloadFault
from choline_jupyter.agent.dataset.web import Answer, Web, find_host
from choline_jupyter.model.dataset import Address
from choline_jupyter.store.entry import EntryError, check_path

_MOST = 50_000  # files of one folder: they are told in one frame


class Item(NamedTuple):
    """One file. `address` is as its source understands it. `name` is its path below the dataset's folder, empty where the
    dataset is that one file.

    `identity` is what its address means, the same from everywhere; `is_fixed`: what is there never changes.
    `size` is -1 and `sha256` empty where nobody has said.
    """

    address: str
    identity: str
    name: str = ""
    size: int = -1
    sha256: str = ""
    is_fixed: bool = False


class Source(Protocol):
    """What `Download` asks for. All of it raises DownloadFault, and Passing where it may go better in a moment."""

    def list_items(self) -> Sequence[Item]:
        """The files of the dataset."""

    def get(self, item: Item, headers: Mapping[str, str]) -> Answer:
        """A GET of a file: its answer is 200, 206, 304 or 416, or one that `explain` is asked about."""

    def explain(self, item: Item, answer: Answer) -> DownloadFault:
        """What an answer means that is none of these."""


class WebSource:
    """A file at an address of the web."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._web = Web(allows_plain=bool(address.sha256))

    def list_items(self) -> Sequence[Item]:
        text = self._address.text
        return [Item(text, text, sha256=self._address.sha256)]

    def get(self, item: Item, headers: Mapping[str, str]) -> Answer:
        return self._web.get(item.address, headers)

    def explain(self, item: Item, answer: Answer) -> DownloadFault:
        return explain_status(find_host(item.address), answer.status)


def gather(items: Iterable[Item], what: str) -> list[Item]:
    """All files of the folder `what`; raises DownloadFault where there are none, too many, or two that exclude each other."""
    found: list[Item] = []
    for item in items:
        found.append(item)
        if len(found) > _MOST:
            raise DownloadFault("it has more than %d files" % _MOST, "Name a folder of it, ending with /.")
    if not found:
        raise DownloadFault("there is no file in %s" % what, "Look at the address.")
    names = {item.name for item in found}
    both = next((parent for name in names for parent in _list_parents(name) if parent in names), None)
    if both:
        raise DownloadFault("%s is a file there and a folder, which no disk can hold" % both, "Name a folder of it.")
    return found


def check_name(path: str) -> str:
    """The path of a file below a folder, as somebody else has told it; raises DownloadFault for what cannot be written."""
    try:
        return check_path(path)
    except EntryError:
        raise DownloadFault("it has a file whose name cannot be written: %r" % path[:80]) from None


def _list_parents(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def explain_status(host: str, status: int) -> DownloadFault:
    """What a server's refusal means, whoever it is."""
    if status in (404, 410):
        return DownloadFault("%s has nothing there (%d)" % (host, status), "Look at the address.")
    if status in (401, 403, 407):
        return DownloadFault(
            "%s does not give it to everybody (%d)" % (host, status),
            "Use an address that is signed, or hf:// or s3:// with --secret.",
        )
    return DownloadFault("%s answers %d" % (host, status), "Look at the address, or try again later.")
