"""Files of checkpoints on their way to a node, so that it goes on from what all go on from.

Called by `session.nodes.controller` between two attempts, in the engine's loop.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from choline_jupyter.session.bulk import Bulk
from choline_jupyter.store.entry import SMALL, Entry, write_entry

if TYPE_CHECKING:
    from choline_jupyter.session.nodes.gathering import Files, Gathering
    from choline_jupyter.session.nodes.node import Node

_FRAME = 8 << 20  # bytes of small files that go together


async def place_files(node: Node, gathering: Gathering) -> int:
    """Have a node's checkpoints be those that all have; gives how many files went. Raises HostError, OSError."""
    remove, lacking = gathering.find_lack(node)
    if not remove and not lacking:
        return 0
    large = {part.digest: gathering.find_piece(part) for part in lacking.values() if part.size > SMALL}
    if large:
        await Bulk(node.session.connection).put(large)
    groups = list(_group(lacking)) or [{}]
    for number, group in enumerate(groups):
        told, data = await asyncio.to_thread(_pack, node, gathering, group)
        node.tell("place", told + data, files=len(told), remove=remove if number == 0 else [])
    for path in remove:
        del node.files[path]
    node.files.update({path: part.digest for path, part in lacking.items()})
    return len(lacking)


def _group(files: Files) -> Iterator[Files]:
    """So many at a time that the small ones fit a frame."""
    group: Files = {}
    size = 0
    for path, part in files.items():
        small = part.size if part.size <= SMALL else 0
        if group and size + small > _FRAME:
            yield group
            group, size = {}, 0
        group[path] = part
        size += small
    if group:
        yield group


def _pack(node: Node, gathering: Gathering, files: Files) -> tuple[bytes, bytes]:
    """What is told of files, and the bytes of the small ones."""
    root = str(node.session.files.sync.root)
    entries = [Entry(path, "file", 0o644, part.size, part.digest, "", time.time_ns()) for path, part in files.items()]
    parts = [{"root": root, "entries": list(map(write_entry, entries)), "removed": []}] if entries else []
    data = b"".join(gathering.find_piece(part).read_bytes() for part in files.values() if part.size <= SMALL)
    return json.dumps({"parts": parts, "packs": []}).encode(), data
