"""Results: names of the kernel that a client wants to have, as data in its journal.

Called by `application` in the kernel's main thread when a cell has ended. Each name is one ARTIFACT event, behind the
output of its cell: small values stand in the event, of large ones it says which blob holds them. What has no safe form is
described, never pickled.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, Callable, Optional

from choline_jupyter.agent.blob_folder import BlobFolder
from choline_jupyter.agent.kernel.inventory import list_inventory, name_class
from choline_jupyter.agent.kernel.jobs import Jobs
from choline_jupyter.agent.masked_journal import MaskedJournal
from choline_jupyter.model.event import Kind
from choline_jupyter.wire.value import Buffer, Unsendable, encode_value

NameClass = Callable[[type], str]

_INLINE = 1 << 20
_REPR = 2000
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Results:
    """One kernel's. The blobs are the agent's own, for whichever client comes to fetch them."""

    def __init__(self, journal: MaskedJournal, jobs: Jobs, blobs: BlobFolder) -> None:
        self._journal, self._jobs, self._blobs = journal, jobs, blobs
        self._made: dict[str, str] = {}

    def send(self, namespace: Mapping[str, Any], names: Sequence[str], msg_id: str) -> None:
        """Write what each name is; one that fails does not stop the others, an interrupt does."""
        parent = json.dumps({"msg_id": msg_id}).encode()
        job, attempt = self._jobs.find(parent)
        for place, name in enumerate(names):
            try:
                content, buffers = self._tell(namespace, str(name))
            except KeyboardInterrupt:
                for left in names[place:]:
                    self._append(parent, {"name": left, "failure": "it was interrupted"}, [], job, attempt)
                return
            self._append(parent, {"name": name, **content}, buffers, job, attempt)

    def move(self, namespace: Mapping[str, Any], hidden: Collection[str], wish: Mapping[str, Any], msg_id: str) -> None:
        """What a client asks for that moves the session: which names there are; values of the notebook's own `classes`
        (by name) as well, and of what has a state that state.
        """
        parent = json.dumps({"msg_id": msg_id}).encode()
        job, attempt = self._jobs.find(parent)
        name = partial(name_class, namespace, list(wish.get("classes") or ()))
        for wanted in wish.get("names") or ():
            content, buffers = self._tell(namespace, str(wanted), name)
            self._append(parent, {"name": wanted, **content}, buffers, job, attempt)
        for wanted in wish.get("states") or ():
            content, buffers = self._tell_state(namespace, str(wanted))
            self._append(parent, {"name": "%s.state_dict()" % wanted, **content}, buffers, job, attempt)
        if wish.get("inventory"):
            told = json.dumps({"artifact": "inventory", "names": list_inventory(namespace, hidden)}).encode()
            self._journal.append(Kind.ARTIFACT, [b"{}", parent, b"{}", told], job, attempt)

    def _tell_state(self, namespace: Mapping[str, Any], name: str) -> tuple[dict[str, Any], list[Buffer]]:
        """The user's own `state_dict` runs here."""
        try:
            return self._tell({name: namespace[name].state_dict()}, name)
        except Exception as error:  # noqa: BLE001 - see _tell
            return {"failure": "%s: %s" % (type(error).__name__, error)}, []

    def _append(self, parent: bytes, content: dict[str, Any], buffers: list[Buffer], job: str, attempt: int) -> None:
        told = json.dumps({"artifact": "value", **content}).encode()
        self._journal.append(Kind.ARTIFACT, [b"{}", parent, b"{}", told, *buffers], job, attempt)

    def _tell(
        self, namespace: Mapping[str, Any], name: str, name_class: Optional[NameClass] = None
    ) -> tuple[dict[str, Any], list[Buffer]]:
        if name not in namespace:
            return {"missing": True}, []
        buffers: list[Buffer] = []
        try:
            told = encode_value(namespace[name], buffers, name_class)
            parts: list[Buffer] = [json.dumps(told, separators=(",", ":")).encode(), *map(_flatten, buffers)]
            if not self._journal.mask.is_empty and any(self._journal.mask.is_in(part) for part in parts):
                return {"failure": "it holds the value of a --secret"}, []
            return self._pack(name, parts)
        except Unsendable as why:
            return {"proxy": _describe(namespace[name], str(why))}, []
        except OSError as error:
            return {"failure": _explain(error)}, []
        except Exception as error:  # noqa: BLE001 - values of any package: whatever one says when it is looked at
            return {"failure": "%s: %s" % (type(error).__name__, error)}, []

    def _pack(self, name: str, parts: list[Buffer]) -> tuple[dict[str, Any], list[Buffer]]:
        sizes = [len(part) for part in parts]
        if sum(sizes) <= _INLINE:
            return {"sizes": sizes}, parts
        digest, _ = self._blobs.add(parts)
        self._forget(self._made.pop(name, digest), digest)
        self._made[name] = digest
        return {"sizes": sizes, "blob": digest}, []

    def _forget(self, old: str, new: str) -> None:
        """What nobody has fetched of an earlier value makes room."""
        if old not in (new, *self._made.values()):
            self._blobs.remove(old)


def _flatten(buffer: Buffer) -> memoryview:
    return memoryview(buffer).cast("B")


def _describe(value: Any, why: str) -> dict[str, str]:
    kind = type(value)
    try:
        shown = repr(value)
    except Exception as error:  # noqa: BLE001 - the user's own __repr__
        shown = "<%s whose repr fails: %s>" % (kind.__qualname__, error)
    return {"repr": shown[:_REPR], "type": "%s.%s" % (kind.__module__, kind.__qualname__), "why": why[:_REPR]}


def _explain(error: OSError) -> str:
    if error.errno in _FULL:
        return "the disk of that machine is full"
    return "that machine says %s" % (error.strerror or error)
