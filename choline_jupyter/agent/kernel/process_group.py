"""A rank's end of the process group: made before a cell needs it, aborted when nobody will come, made anew after that.

Made by `application` in a session of several ranks. `prepare` belongs to the kernel's main thread; `abort`, `look` and
`describe` are called by the bridge's. Promise: a cell finds `torch.distributed` initialised, whether or not it calls
`init_process_group` itself; a main thread that waits in a collective is freed, with every name and model as it is.

The ranks meet in a file (`dist.FileStore`), one for each generation and each making of the group: no port, no process
that could die, and nothing of an earlier group in it. They wait for each other in Python, where an interrupt is felt;
torch's own waiting begins when all are there.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable, Optional

from choline_jupyter.agent.kernel.group_sockets import GroupSockets
from choline_jupyter.agent.kernel.whereabouts import Whereabouts

_SOON, _LATE = 0.001, 0.02
_MAKING = timedelta(seconds=15)  # for a rank that is lost when all have come
_PLAIN = "Plain"
_NOT_MADE = "raise RuntimeError(%r)"
_CROWDED = "choline: %d ranks and GPUs for %d: NCCL wants one each, so their process group is gloo's.\n"
_ANEW = (
    "choline: the ranks' process group was made anew; names and models are as they were. "
    "What holds the former group (DDP, FSDP, a DeviceMesh) has to be made again.\n"
)


class ProcessGroup:
    """`generation` is the supervisor's: all ranks of one job have the same."""

    def __init__(self, rank: int, size: int, folder: Path, find_shell: Callable[[], Any]) -> None:
        self._find_shell = find_shell
        self._mode = ""  # of tracebacks, when another was set for a moment
        self.rank, self.size, self.generation = rank, size, 0
        self._folder = folder
        self._count = 0
        self._has_made = False
        self._aborted: Optional[dict[str, Any]] = None
        self._is_wrapped = False
        self._halt = threading.Event()
        self._over = threading.Event()
        self._reason = ""
        self._made_in = 0
        self._backend: tuple[Any, ...] = ()
        self._where = Whereabouts(lambda: getattr(find_shell(), "user_ns", {}))
        self._sockets = GroupSockets()

    def prepare(self, generation: int, is_whole: bool) -> str:
        """Before a cell: have a group that works. Gives code to run in the cell's stead when there can be none.

        `is_whole`: all ranks run the cell; some of them could not make a group.
        """
        self._aborted, self._reason = None, ""
        self._over.clear()
        self._set_tracebacks(self._mode)
        self._halt.clear()
        self._where.forget()
        self._enter(generation)
        c10d = _find_torch()
        if c10d is None:
            return ""
        self._wrap(c10d)
        if not is_whole or (c10d.is_initialized() and self._made_in == generation):
            return ""
        try:
            self._make(c10d, *self._backend)
        except Exception as error:  # noqa: BLE001 - whatever torch raises is for the cell to say
            self._aborted = self.look()
            return _NOT_MADE % ("The ranks' process group could not be made: %s" % error)
        return ""

    def abort(self, reason: str, patience: float) -> None:
        """Free the main thread from the collective that it waits in, or comes to, unless its cell ends before.

        Not all waiting can be seen: after `patience` seconds the group is cut whatever the main thread does. A thread of its
        own, as torch may take its time.
        """
        self._reason = reason
        threading.Thread(target=self._abort, args=(patience,), name="choline-abort", daemon=True).start()

    def look(self) -> dict[str, Any]:
        """Where the main thread waits for other ranks, if it does."""
        return self._where.look()

    def describe(self) -> dict[str, Any]:
        """How the cell that has just ended leaves the group."""
        self._over.set()
        fact: dict[str, Any] = {"sequence": self._find_sequence()}
        if self._aborted is not None:
            fact["aborted"] = self._aborted
            fact["reason"] = self._reason
        return fact

    def _enter(self, generation: int) -> None:
        if generation != self.generation:
            self.generation, self._count = generation, 0

    def _abort(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        where = self._where.look()
        while not where and time.monotonic() < deadline:
            if self._over.wait(_LATE):
                return
            where = self._where.look()
        self._aborted = where
        self._halt.set()
        self._set_tracebacks(_PLAIN)
        self._sockets.cut()
        c10d = _find_torch()
        if c10d is not None and c10d.is_initialized() and sys.modules["torch"].cuda.is_initialized():
            with suppress(Exception):
                c10d._abort_process_group()  # NCCL's

    def _set_tracebacks(self, mode: str) -> None:
        """Of a cell that was freed, plain ones: IPython's take seconds for torch's long files, and say what we have done."""
        formatter = getattr(self._find_shell(), "InteractiveTB", None)
        if formatter is not None and mode:
            self._mode = formatter.mode if mode == _PLAIN else ""
            formatter.set_mode(mode)

    def _make(self, c10d: Any, *arguments: Any, **keywords: Any) -> None:
        """The default group of all ranks, in the place of the one there may be."""
        if c10d.is_initialized():
            self._sockets.cut()
            with suppress(Exception):
                c10d.destroy_process_group()
        if self._has_made and self._made_in != self.generation and self.rank == 0:
            sys.stderr.write(_ANEW)
        store = self._meet()
        if not arguments and "backend" not in keywords:
            keywords["backend"] = self._choose_backend()
        _find_original(c10d)(*arguments, rank=self.rank, world_size=self.size, store=store, **keywords)
        self._wait_for_all(store, "made")  # who went on at once, and left the group, would leave others in their making
        self._made_in, self._has_made = self.generation, True

    def _meet(self) -> Any:
        """Wait until all ranks have come here; gives the store that they share."""
        self._count += 1
        path = self._folder / ("group-%d-%d" % (self.generation, self._count))
        store: Any = sys.modules["torch.distributed"].FileStore(str(path), self.size)
        store.set_timeout(_MAKING)
        self._wait_for_all(store, "arrived")
        return store

    def _wait_for_all(self, store: Any, step: str) -> None:
        """Return when all ranks are at this step; raises RuntimeError when one will not come."""
        if store.add(step, 1) == self.size:
            store.set("all " + step, "1")
        pause = _SOON
        while not store.check(["all " + step]):
            if self._halt.is_set():
                raise RuntimeError(self._reason or "it was interrupted")
            time.sleep(pause)
            pause = min(pause * 1.5, _LATE)

    def _choose_backend(self) -> str:
        """NCCL for what is on GPUs where each rank has one, gloo for the rest."""
        import torch

        if torch.cuda.is_available() and torch.cuda.device_count() >= self.size:
            torch.cuda.set_device(self.rank)
            return "cpu:gloo,cuda:nccl"
        if torch.cuda.is_available() and self.rank == 0:
            sys.stderr.write(_CROWDED % (self.size, torch.cuda.device_count()))
        return "gloo"

    def _wrap(self, c10d: Any) -> None:
        """Once torch is there: a cell that calls `init_process_group` as in a script gets what it asks for."""
        if self._is_wrapped:
            return
        self._is_wrapped = True
        _share_processors(self.size)
        self._sockets.watch(c10d)
        original = c10d.init_process_group

        @functools.wraps(original)
        def init_process_group(backend: Any = None, init_method: Any = None, *more: Any, **keywords: Any) -> None:
            is_elsewhere = init_method not in (None, "env://") or keywords.get("store") is not None
            if more or is_elsewhere:
                original(backend, init_method, *more, **keywords)
                return
            for name in ("rank", "world_size", "store"):
                keywords.pop(name, None)
            self._backend = (backend,) if backend else ()
            self._make(c10d, *self._backend, **keywords)

        init_process_group.choline_original = original  # type: ignore[attr-defined]
        c10d.init_process_group = init_process_group
        sys.modules["torch.distributed"].init_process_group = init_process_group  # type: ignore[attr-defined]

    def _find_sequence(self) -> int:
        """How many collectives this rank has begun; ranks that differ have lost step."""
        c10d = _find_torch()
        with suppress(Exception):
            if c10d is not None and c10d.is_initialized():
                return int(c10d._get_default_group()._get_sequence_number_for_group())
        return -1


def make_environment(rank: int, size: int, port: int) -> dict[str, str]:
    """What launchers tell their processes; all ranks see all GPUs, as with torchrun, and `LOCAL_RANK` says which is theirs."""
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
        "GROUP_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": os.environ.get("GLOO_SOCKET_IFNAME", "lo"),
    }


def _find_torch() -> Any:
    """`torch.distributed.distributed_c10d` if the process has imported it and this build has it."""
    package = sys.modules.get("torch.distributed")
    is_there = getattr(package, "is_available", None)
    return sys.modules.get("torch.distributed.distributed_c10d") if is_there and is_there() else None


def _find_original(c10d: Any) -> Any:
    return getattr(c10d.init_process_group, "choline_original", c10d.init_process_group)


def _share_processors(size: int) -> None:
    """Ranks on one machine share its processors; torch would take all of them in each."""
    if "OMP_NUM_THREADS" not in os.environ:
        sys.modules["torch"].set_num_threads(max(1, len(os.sched_getaffinity(0)) // size))
