"""Names that come with a cell: made in the kernel's namespace before the cell runs.

Called by `application` in the kernel's main thread, with what `capture.names` has written. Whoever may send cells may
send this. One that cannot be made does not stop the others: the cell says what it misses, a line on stderr says why.
"""

from __future__ import annotations

import importlib
import json
import mmap
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

from choline_jupyter.agent.blob_folder import BlobFolder
from choline_jupyter.wire.value import decode_value


def install_names(
    shell: Any, acts: Sequence[dict[str, Any]], data: memoryview, blobs: Optional[BlobFolder] = None, rank: int = 0
) -> Iterator[str]:
    """Make each name; gives one sentence for each that cannot be. `data` holds their bytes, one behind the other.

    Bytes that came as blobs are used where they lie.
    """
    position = 0
    for act in acts:
        buffers = []
        for size in act["sizes"]:
            buffers.append(data[position : position + size])
            position += size
        if rank not in act.get("ranks", (rank,)):
            continue  # the others have it
        try:
            _add_blobs(buffers, act, blobs)
            _perform(shell, act, buffers)
        except Exception as error:  # noqa: BLE001 - the user's own definitions run here
            yield "%s could not be made here: %s: %s" % (_name(act), type(error).__name__, error)


def remove_blobs(acts: Sequence[dict[str, Any]], blobs: BlobFolder) -> None:
    """What came as blobs has no name any more; whoever uses it still has it."""
    for digest in {digest for act in acts for digest in act.get("blobs", ()) if digest}:
        blobs.remove(digest)


def _add_blobs(buffers: list[memoryview], act: dict[str, Any], blobs: Optional[BlobFolder]) -> None:
    """Put what came by itself in its place."""
    for place, digest in enumerate(act.get("blobs", ())):
        if blobs and digest:
            buffers[place] = _map_blob(blobs.find(digest))


def _map_blob(path: Path) -> memoryview:
    """A blob's bytes as memory of this process: read as they are used, and its own as soon as it writes to them."""
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))


def _name(act: dict[str, Any]) -> str:
    return ", ".join(act.get("names") or [act["name"] or act["source"]])


def _perform(shell: Any, act: dict[str, Any], buffers: list[memoryview]) -> None:
    if act["do"] == "replay":
        _replay(shell, act)
    elif act["do"] == "effect":
        with suppress(ImportError):  # of a package that is not here: nothing here can depend on it
            exec(compile(act["source"], "<choline>", "exec"), shell.user_ns)  # noqa: S102 - see _run
    elif act["do"] == "set":
        with suppress(ImportError):  # as above
            _set(shell, act, buffers)
    elif act["do"] == "state":  # of what was made anew: a module, an optimizer
        shell.user_ns[act["name"]].load_state_dict(_make(shell, {"do": "value"}, buffers))
    else:
        shell.user_ns[act["name"]] = _make(shell, act, buffers)


def _set(shell: Any, act: dict[str, Any], buffers: list[memoryview]) -> None:
    """An attribute of a module, or of a class or function of the notebook."""
    owner = importlib.import_module(act["owner"]) if act["module"] else shell.user_ns[act["owner"]]
    *way, last = act["path"].split(".")
    for step in way:
        owner = getattr(owner, step)
    setattr(owner, last, _make(shell, act["value"], buffers))


def _replay(shell: Any, act: dict[str, Any]) -> None:
    """Run cells of the notebook again for some of the names they bind; what they show was shown, other names stay."""
    from IPython.utils.capture import capture_output

    before = dict(shell.user_ns)
    try:
        with capture_output():
            for number, source in act["cells"]:
                _run_cell(shell, number, source)
    finally:
        kept = {name: value for name, value in before.items() if name not in act["names"]}
        shell.user_ns.update(kept)


def _run_cell(shell: Any, number: int, source: str) -> None:
    try:
        exec(compile(source, shell.compile.cache(source), "exec"), shell.user_ns)  # noqa: S102 - see _run
    except Exception as error:
        raise RuntimeError("cell %d failed: %s: %s" % (number, type(error).__name__, error)) from error


def _make(shell: Any, act: dict[str, Any], buffers: list[memoryview]) -> Any:
    kind = act["do"]
    if kind == "value":
        return decode_value(json.loads(bytes(buffers[0])), buffers[1:], shell.user_ns)
    if kind == "import":
        return importlib.import_module(act["module"])
    if kind == "from":
        found = importlib.import_module(act["module"])
        for part in act["path"].split("."):
            found = getattr(found, part)
        return found
    if kind == "alias":
        return shell.user_ns[act["of"]]
    return _run(shell, act)


def _run(shell: Any, act: dict[str, Any]) -> Any:
    """A definition, under a file name of its own so that tracebacks show its lines."""
    name = shell.compile.cache(act["source"])
    exec(compile(act["source"], name, "exec"), shell.user_ns)  # noqa: S102 - this is what a session is for
    return shell.user_ns[act["name"]]
