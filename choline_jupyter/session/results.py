"""Variables of a session on their way home: from an ARTIFACT event to bytes, and from bytes to a value.

Used by `magic.results` and `cli.results`. What another machine says is checked before it is believed: names that nobody
has asked for, sizes that do not add up, more than there is room for. Nothing of it is ever run or unpickled.
"""

from __future__ import annotations

import asyncio
import json
import keyword
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from choline_jupyter.errors import CholineError, CorruptBlob, RequestError
from choline_jupyter.model.event import Event, Kind
from choline_jupyter.session.ansi import sanitise
from choline_jupyter.session.bulk import Bulk
from choline_jupyter.session.connection import Refused
from choline_jupyter.wire.frame import Type
from choline_jupyter.wire.value import decode_value

if TYPE_CHECKING:
    from choline_jupyter.session.live import LiveSession

_MOST = 100
_RESERVE = 64 << 20  # of the disk, for everything else
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_TEXT = 2000

Buffers = list[bytearray]


@dataclass(frozen=True)
class Result:
    """One name as the session told of it: `parts` of which the value consists, or in one sentence why it is not here.

    `shown`, `type` and `why` describe a value that has no safe form.
    """

    name: str
    sizes: tuple[int, ...] = ()
    blob: str = ""
    parts: tuple[Any, ...] = ()
    failure: str = ""
    shown: str = ""
    type: str = ""
    why: str = ""


def read_names(text: str) -> list[str]:
    """The names in `a,b`; raises RequestError for what is no variable's."""
    return check_names([name.strip() for name in text.split(",") if name.strip()])


def check_names(words: Sequence[str]) -> list[str]:
    """The names, each once; raises RequestError for what is no variable's."""
    for name in words:
        if not name.isidentifier() or keyword.iskeyword(name):
            raise RequestError(
                f"{name!r} is no name of a variable.", "Names of variables can be brought, not expressions."
            )
    if not words or len(words) > _MOST:
        raise RequestError(f"{len(words)} names are asked for.", f"Name 1 to {_MOST}.")
    return list(dict.fromkeys(words))


def read_results(events: Iterable[Event], names: Sequence[str]) -> list[Result]:
    """What was told of the names asked for, in their order; whatever else was told is ignored."""
    found: dict[str, Result] = {}
    for event in events:
        told = _read(event)
        if told is not None and told.get("name") in names:
            found[told["name"]] = _read_result(told, event)
    return [found.get(name) or Result(name, failure=f"The session said nothing of {name}.") for name in names]


def list_told(events: Iterable[Event]) -> list[str]:
    """The names that a job has told of."""
    names = [str(told.get("name")) for event in events if (told := _read(event)) is not None]
    return [name for name in dict.fromkeys(names) if name.isidentifier()][:_MOST]


async def bring(session: LiveSession, result: Result, inbox: Path, progress: Callable[[int], None]) -> Buffers:
    """The bytes of a result, from the event or from the machine; raises CholineError. A cut transfer goes on later."""
    if not result.blob:
        return [bytearray(part) for part in result.parts]
    path = await fetch(session, result, inbox, progress)
    try:
        return await asyncio.get_running_loop().run_in_executor(None, _read_parts, path, result.sizes)
    finally:
        path.unlink(missing_ok=True)


async def fetch(session: LiveSession, result: Result, inbox: Path, progress: Callable[[int], None]) -> Path:
    """The file here that has all parts of a large result, one behind the other; raises CholineError."""
    inbox.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, size = inbox / result.blob, sum(result.sizes)
    quota = max(0, shutil.disk_usage(inbox).free - _RESERVE)
    quota += _measure(path.with_name(path.name + ".part"))
    try:
        await Bulk(session.connection).get({result.blob: path}, {result.blob: size}, progress, quota)
    except Refused as refusal:
        raise CholineError(f"{result.name} stays there: {refusal}", "`%choline get` asks for it anew.") from None
    session.connection.send(Type.DROP, {"blob": result.blob})
    return path


def decode(name: str, parts: Buffers) -> Any:
    """The value; called where it is to be used. Raises CholineError."""
    try:
        return decode_value(read_description(parts), parts[1:])
    except ImportError as error:
        package = str(error.name or "a package").partition(".")[0]
        raise CholineError(
            f"{name} needs {package}, which is not installed here.", f"`%pip install {package}`."
        ) from None
    except MemoryError:
        raise CholineError(f"{name} is too large for this machine's memory.", "Bring a part of it.") from None
    except Exception as error:  # noqa: BLE001 - whatever a package says of bytes that are not its own
        raise CorruptBlob(
            f"{name} came in a form that cannot be read here ({type(error).__name__}: {error}).",
            "The two sides may have different versions of a package; bring it as an array or a dict.",
        ) from None


def read_description(parts: Buffers) -> Any:
    """What the parts of a result say they are; raises ValueError."""
    return json.loads(bytes(parts[0]))


def _read(event: Event) -> dict[str, Any] | None:
    """What an event tells of a variable, if it does."""
    if event.kind is Kind.ARTIFACT:
        with suppress(ValueError):
            told = event.read_content()
            return told if told.get("artifact") == "value" else None
    return None


def _read_result(told: dict[str, Any], event: Event) -> Result:
    name = str(told["name"])
    if told.get("missing"):
        return Result(name, failure=f"There is no {name} in the session.")
    if "failure" in told:
        return Result(name, failure=f"{name} stays there: {_clean(told['failure'])}.")
    if isinstance(told.get("proxy"), dict):
        proxy = told["proxy"]
        return Result(
            name, shown=_clean(proxy.get("repr")), type=_clean(proxy.get("type")), why=_clean(proxy.get("why"))
        )
    sizes, blob = told.get("sizes"), told.get("blob", "")
    if not isinstance(sizes, list) or not sizes or not all(type(size) is int and size >= 0 for size in sizes):
        return Result(name, failure=f"{name} came damaged.")
    if blob and _DIGEST.match(str(blob)):
        return Result(name, tuple(sizes), str(blob))
    if not blob and [len(part) for part in event.buffers] == sizes:
        return Result(name, tuple(sizes), parts=event.buffers)
    return Result(name, failure=f"{name} came damaged.")


def _clean(text: object) -> str:
    return sanitise(str(text))[:_TEXT]


def _measure(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _read_parts(path: Path, sizes: Sequence[int]) -> Buffers:
    """The file cut into its parts, each in memory of its own that can become part of a value."""
    parts = []
    with path.open("rb") as file:
        for size in sizes:
            part = bytearray(size)
            file.readinto(part)
            parts.append(part)
    return parts
