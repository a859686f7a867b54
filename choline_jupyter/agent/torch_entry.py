"""What torchrun starts in the place of a user's script: one rank of it, whose output and end are kept apart.

Run as a file by the session's interpreter (`agent.torch_script` has made the command), with the standard library alone.
The machine's first rank writes where the script would; every other one into a file of its own. Promise: that the script has
come to its end is written down (`done-ATTEMPT-RANK`) before anything can fail in taking the ranks apart; how it failed, too
(`error-ATTEMPT-RANK.json`). A fault of the script itself is not tried again: torchrun is told to stop.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import signal
import sys
import time
import traceback
from types import TracebackType
from typing import Any, Optional

FOLDER = "CHOLINE_TORCH_FOLDER"
ERRORS = "CHOLINE_TORCH_STDERR"
GROUP = "CHOLINE_TORCH_GROUP"  # of a script on several nodes: this one's place among them
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND
_LOSSES = ("RuntimeError", "DistBackendError", "DistNetworkError", "DistError", "DistStoreError")
_LOST = re.compile(r"gloo|NCCL|Connection (closed|reset|refused)|Broken pipe|Socket Timeout|TCPStore")


def main(script: str, arguments: list[str]) -> None:
    """Run the script as `python SCRIPT ARGUMENTS` would."""
    group = json.loads(os.environ.pop(GROUP, "null"))
    _take_place(group)
    folder, rank = os.environ.pop(FOLDER), os.environ["RANK"]
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    if _has_ended(folder):  # all came to the end, then something failed in taking them apart
        return
    _redirect(folder, rank)
    sys.argv[:] = [script, *arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(end.code + "\n")
        if code:
            _fail(folder, rank, attempt, None, code)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Exception as error:  # noqa: BLE001 - it is the script's, and goes where the script's errors go
        _fail(folder, rank, attempt, error, 1, is_one_of_many=bool(group))
    _write(os.path.join(folder, "done-%s-%s" % (attempt, rank)), "")


def _take_place(group: Optional[dict[str, Any]]) -> None:
    """Of several nodes torchrun knows this one only: each node's ranks follow those of the one before."""
    if not group:
        return
    local = int(os.environ["LOCAL_RANK"])
    rank, world = str(group["first"] + local), str(group["world"])
    os.environ.update(
        RANK=rank, WORLD_SIZE=world, ROLE_RANK=rank, ROLE_WORLD_SIZE=world, GROUP_RANK=str(group["node"]),
        GROUP_WORLD_SIZE=str(group["nodes"]), MASTER_ADDR=group["address"], MASTER_PORT=str(group["port"]),
        TORCHELASTIC_RESTART_COUNT=str(group["attempt"]), TORCHELASTIC_USE_AGENT_STORE="False",
    )  # fmt: skip


def is_bereft(name: str, text: str) -> bool:
    """Whether a rank failed only because another is gone."""
    return name in _LOSSES and bool(_LOST.search(text))


def _has_ended(folder: str) -> bool:
    """Whether all ranks here of an earlier attempt have come to the script's end."""
    attempts = [name.split("-")[1] for name in os.listdir(folder) if name.startswith("done-") and name[-1].isdigit()]
    return any(attempts.count(attempt) == int(os.environ["LOCAL_WORLD_SIZE"]) for attempt in attempts)


def _has_gone_ahead(folder: str, attempt: str) -> bool:
    """Whether a rank has come to its end while others wait for it: once that may be chance, the second time it is the script."""
    return any(name.startswith("done-%s-" % attempt) for name in os.listdir(folder))


def _fail(
    folder: str, rank: str, attempt: str, error: Optional[Exception], code: int, *, is_one_of_many: bool = False
) -> None:
    """Note how, show it, and unless another rank's loss is the cause have torchrun stop.

    On one of several nodes what only follows from another's loss is a line: home tells the cause.
    """
    name, text, shown = "SystemExit", str(code), ""
    if error is not None:
        name, text = type(error).__name__, str(error)
        shown = "".join(traceback.format_exception(type(error), error, _skip_ours(error)))
        brief = is_one_of_many and is_bereft(name, text)
        sys.stderr.write("choline: rank %s has lost the others\n" % rank if brief else shown)
    lost = is_bereft(name, text)
    fact = {"rank": int(rank), "at": time.time(), "ename": name, "evalue": text[:2000], "traceback": shown[-20000:]}
    fact["attempt"] = attempt
    fact["is_shown"] = os.environ["LOCAL_RANK"] == "0"
    _write(
        os.path.join(folder, "error-%s-%s.json" % (attempt, rank)), json.dumps({**fact, "bereft": lost, "code": code})
    )
    sys.stderr.flush()
    if not lost or (int(attempt) and _has_gone_ahead(folder, attempt)):
        os.kill(os.getppid(), signal.SIGTERM)
    os._exit(code if 0 < code < 256 else 1)  # threads of a broken group would keep it from ending


def _skip_ours(error: Exception) -> Optional[TracebackType]:
    """The traceback from the script's first line on."""
    trace = error.__traceback__
    while trace and (trace.tb_frame.f_code.co_filename == __file__ or "runpy" in trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace or error.__traceback__


def _redirect(folder: str, rank: str) -> None:
    """The first rank's output is the script's; torchrun's own standard error, which it has inherited, is not."""
    errors, is_first = os.environ.pop(ERRORS), os.environ["LOCAL_RANK"] == "0"
    out = os.open(errors if is_first else os.path.join(folder, "rank%s.log" % rank), _APPEND, 0o600)
    for descriptor in (2,) if is_first else (1, 2):
        os.dup2(out, descriptor)
    os.close(out)


def _write(path: str, text: str) -> None:
    with open(path + ".new", "w") as file:
        file.write(text)
    os.replace(path + ".new", path)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
