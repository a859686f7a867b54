"""Names that come with a cell: made in the kernel's namespace before the cell runs.

Called by `application` in the kernel's main thread, with what `capture.names` has written. Whoever may send cells may
send this. One that cannot be made does not stop the others: the cell says what it misses, a line on stderr says why.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from choline_jupyter.wire.value import decode_value


def install_names(shell: Any, acts: Sequence[dict[str, Any]], data: memoryview) -> Iterator[str]:
    """Make each name; gives one sentence for each that cannot be. `data` holds their bytes, one behind the other."""
    position = 0
    for act in acts:
        buffers = []
        for size in act["sizes"]:
            buffers.append(data[position : position + size])
            position += size
        try:
            shell.user_ns[act["name"]] = _make(shell, act, buffers)
        except Exception as error:  # noqa: BLE001 - the user's own definitions run here
            yield "%s could not be made here: %s: %s" % (act["name"], type(error).__name__, error)


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
