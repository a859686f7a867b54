"""The process that downloads one dataset: the order as JSON on standard input, lines of JSON on standard output.

Started by `agent.datasets` (`python -m choline_jupyter.agent download`), which ends it when nobody wants the dataset any more;
what has come by then is gone on with the next time. A line says how far it is; the last one has the `files`, or the `fault`.
Secrets come in the order and go nowhere else.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

from choline_jupyter.agent.dataset.bucket import BucketSource
from choline_jupyter.agent.dataset.catalog import Catalog
from choline_jupyter.agent.dataset.download import Download, Found, Progress
from choline_jupyter.agent.dataset.fault import DownloadFault, explain_disk
from choline_jupyter.agent.dataset.hub import HubSource
from choline_jupyter.agent.dataset.signature import Keys
from choline_jupyter.agent.dataset.source import Item, Source, WebSource
from choline_jupyter.agent.dataset.web import Passing
from choline_jupyter.model.dataset import Address, AddressError, read_address

_AT_ONCE = 4  # files of a folder
_FIRST, _OFTEN, _SELDOM = (
    0.5,
    1.0,
    5.0,
)  # seconds before a line about how far it is: the first, in the first minute, later
_LONG = 60.0
_PAUSE = 2.0

_turn = threading.Lock()  # a line is written whole

Write = Callable[[dict[str, Any]], None]


class Report:
    """Says how far it is, also while nothing comes. Owns the thread `choline-report`; `write` takes one line.

    `total` is -1 where nobody knows.
    """

    def __init__(self, total: int, write: Write) -> None:
        self._write, self._turn = write, threading.Lock()
        self._total, self._done, self._waiting = total, 0, -1
        self._begun = time.monotonic()
        self._ended = threading.Event()
        threading.Thread(target=self._tell, name="choline-report", daemon=True).start()

    def note(self, count: int, total: int) -> None:
        """So many bytes more; `total` is what one file has, which is all where there is only one."""
        with self._turn:
            self._done, self._waiting = self._done + count, -1
            self._total = total if self._total < 0 else self._total

    def wait(self, size: int) -> None:
        """Another session downloads it, and has so much."""
        self._waiting = size

    def finish(self, found: Sequence[tuple[Item, Found]]) -> dict[str, Any]:
        """The last line."""
        self._ended.set()
        files = [[item.name, known.sha256, known.size, known.mtime] for item, (known, _) in found]
        new = sum(known.size for _, (known, is_new) in found if is_new)
        return {"files": files, "new": new, "seconds": time.monotonic() - self._begun}

    def _tell(self) -> None:
        pause = _FIRST
        while not self._ended.wait(pause):
            seconds = time.monotonic() - self._begun
            waiting = {"waiting": self._waiting} if self._waiting >= 0 else {}
            self._write({"done": self._done, "total": self._total, "seconds": seconds, **waiting})
            pause = _OFTEN if seconds < _LONG else _SELDOM


def bring(order: Mapping[str, Any], write: Write) -> dict[str, Any]:
    """Do what an order says; gives the last line. Raises DownloadFault."""
    home, address = Path(order["home"]), _read(str(order["url"]))
    source = make_source(address, order.get("settings") or {}, order.get("secrets") or {})
    try:
        Catalog(home).sweep()
    except OSError as error:
        raise explain_disk(error) from None
    items = _list(source)
    sizes = [item.size for item in items]
    report = Report(-1 if min(sizes) < 0 else sum(sizes), write)

    note = report.note if len(items) == 1 else _note_part(report)

    def have(item: Item) -> tuple[Item, Found]:
        return item, Download(home, source, item, note).run(report.wait)

    if len(items) == 1:
        return report.finish([have(items[0])])
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            return report.finish(list(pool.map(have, items)))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def make_source(address: Address, settings: Mapping[str, str], secrets: Mapping[str, str]) -> Source:
    """Where an address leads. `settings` are as the tools of hub and buckets name them; raises DownloadFault."""
    if address.scheme == "hf":
        token = _find_secret(secrets, "HF_TOKEN") or _find_secret(secrets, "HUGGING_FACE_HUB_TOKEN")
        return HubSource(address, settings.get("HF_ENDPOINT", ""), token)
    if address.scheme == "s3":
        endpoint = settings.get("AWS_ENDPOINT_URL_S3") or settings.get("AWS_ENDPOINT_URL") or ""
        region = settings.get("AWS_REGION") or settings.get("AWS_DEFAULT_REGION") or ""
        return BucketSource(address, endpoint, region, _find_keys(secrets))
    return WebSource(address)


def main(arguments: list[str]) -> None:  # noqa: ARG001 - every part is called alike
    """Read the order, have the files, say so."""
    order = json.loads(sys.stdin.read())
    try:
        last = bring(order, _write)
    except DownloadFault as fault:
        last = {"fault": str(fault), "hint": fault.hint}
    _write(last)


def _note_part(report: Report) -> Progress:
    """How one file of several is told of: what it has in all says nothing of the others."""
    return lambda count, _: report.note(count, -1)


def _list(source: Source) -> Sequence[Item]:
    """The files; asked for again where a server was busy."""
    for number in range(3):
        try:
            return source.list_items()
        except Passing as trouble:
            fault = DownloadFault(str(trouble), "Where that machine has no way out, download it here: --with FILE.")
            if number < 2:
                time.sleep(max(_PAUSE, min(trouble.wait, 30.0)))
    raise fault


def _read(text: str) -> Address:
    try:
        return read_address(text)
    except AddressError as error:
        raise DownloadFault(str(error).rstrip("."), error.hint) from None


def _find_keys(secrets: Mapping[str, str]) -> Keys | None:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    access, secret = (_find_secret(secrets, name) for name in names)
    if bool(access) != bool(secret):
        missing = names[1] if access else names[0]
        raise DownloadFault(
            "to sign a request two keys are needed", "Hand over the other one, too: --secret %s." % missing
        )
    return Keys(access, secret, _find_secret(secrets, "AWS_SESSION_TOKEN")) if access else None


def _find_secret(secrets: Mapping[str, str], name: str) -> str:
    """A secret that may stand in a header; what may not is no message's."""
    value = str(secrets.get(name) or "").strip()
    if value and not (value.isascii() and value.isprintable() and " " not in value):
        raise DownloadFault("%s has characters that no key has" % name, "Look at its value.")
    return value


def _write(line: dict[str, Any]) -> None:
    with _turn:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
