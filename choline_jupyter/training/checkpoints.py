"""`checkpoint` and `resume`: the whole state of a training, saved while it goes on, and found again.

Called by the user's code. `checkpoint` blocks for one copy of the state; a thread of this module, `choline-checkpoint`, writes,
flushes and commits it (`training.commit`) and tells the agent, while the training goes on. One write is under way at a time:
the next `checkpoint` waits for it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Optional

from choline_jupyter.training.channel import Order, read_order, tell
from choline_jupyter.training.commit import HashedFile, commit, find_newest, list_committed, remove
from choline_jupyter.training.environment import describe_environment
from choline_jupyter.training.metrics import read_number
from choline_jupyter.training.notice import Notices
from choline_jupyter.training.snapshot import Staging, read_random, read_state, write_random, write_state

_FORMAT = 1
EXACT, PREVIEW = "step-", "preview-"


class Resumed(Mapping[str, Any]):
    """What was found: `step` is -1 where there was nothing. A mapping of the plain data that was saved along."""

    def __init__(self, step: int = -1, epoch: Optional[float] = None, values: Optional[dict[str, Any]] = None) -> None:
        self.step, self.epoch, self._values = step, epoch, values or {}

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return "Resumed(step=%d, epoch=%r, %s)" % (self.step, self.epoch, ", ".join(self._values))


class _Writer:
    """Owns the thread that writes; one checkpoint at a time."""

    def __init__(self) -> None:
        self.staging = Staging()
        self.previews = Staging()
        self._thread: Optional[threading.Thread] = None

    def start(self, write: Callable[[], None]) -> None:
        """Begin to write; the caller has waited."""
        # no daemon: a script that ends waits for its last checkpoint
        self._thread = threading.Thread(target=write, name="choline-checkpoint")
        self._thread.start()

    def forget(self) -> None:
        """In a child that was forked: the thread is the parent's."""
        self._thread = None

    def wait(self) -> None:
        """Return when nothing is being written."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
            self._thread = None


_writer = _Writer()
_notices = Notices()
os.register_at_fork(after_in_child=_writer.forget)


def checkpoint(
    step: int, *, epoch: Optional[float] = None, loss: Any = None, preview: bool = False, every: int = 1, **state: Any
) -> None:
    """Save `state` as of `step`: models, optimizers, samplers, generators (what has `state_dict()`), tensors, plain data.

    With `every` it may be called after each step: one in so many is saved, and the next one when the machine is about to be taken
    away. The state of all random generators is saved, too. `preview`: only what is given, its floating point numbers as bfloat16:
    to look at, not to go on from. Raises TypeError for what could not be loaded again.
    """
    if type(step) is not int or step < 0:
        raise TypeError("checkpoint() needs the step as a number from 0")
    if type(every) is not int or every < 1:
        raise TypeError("checkpoint(every=) needs a number of steps from 1")
    if os.environ.get("RANK", "0") != "0":
        return  # replicas are the same: the first rank saves
    order = read_order()
    _notices.listen(order)
    is_last = not preview and _notices.take(order)
    if step % every and not is_last:
        return
    _writer.wait()
    record: dict[str, Any] = {"step": step, "epoch": epoch, "at": time.time(), "preview": preview}
    record["loss"] = None if loss is None else read_number("loss", loss)
    objects = {name: read_state(value) for name, value in state.items()}
    numbers = {name: value for name, value in objects.items() if type(value) in (int, float)}
    record["metrics"] = {name: read_number(name, value) for name, value in numbers.items()}
    content: dict[str, Any] = {"format": _FORMAT, "step": step, "epoch": epoch}
    if preview:
        content["objects"] = _writer.previews.take(_shrink(objects))
    else:
        content.update(_writer.staging.take({"objects": objects, "rng": read_random()}))
    _writer.start(lambda: _write(order, content, record))
    if is_last:
        _writer.wait()


def resume(job: str = "", **objects: Any) -> Resumed:
    """Put the newest whole checkpoint of this job (or of another one of this folder) into what is given, and say what it held.

    Without one nothing is changed, and `step` is -1: `for step in range(resume(...).step + 1, last)` begins and goes on.
    """
    import torch

    finish()
    order = read_order()
    folder = order.folder.with_name(job) if job else order.folder
    newest = find_newest(folder, EXACT)
    if newest is None:
        return Resumed()
    # The one place that loads a checkpoint: in the job's own process, because its code has asked, after the record's SHA-256
    # was found right. `weights_only` makes tensors and plain values and runs nothing of the file's; the client never loads one.
    content = torch.load(newest.path, map_location="cpu", weights_only=True)
    if content.get("format") != _FORMAT:
        raise ValueError("%s was written by another version of choline" % newest.path)
    saved = content["objects"]
    for name in objects:
        if name not in saved:
            raise KeyError("%s has no %s, only: %s" % (newest.path.name, name, ", ".join(saved)))
    left = {name: one for name, one in saved.items() if not (name in objects and write_state(objects[name], one))}
    write_random(content["rng"])
    return Resumed(content["step"], content["epoch"], left)


def finish() -> None:
    """Return when what was checkpointed so far is committed."""
    _writer.wait()


def _write(order: Order, content: dict[str, Any], record: dict[str, Any]) -> None:
    """In the thread. A disk that is full costs this checkpoint, not the training and not the ones before."""
    import torch

    prefix = PREVIEW if record["preview"] else EXACT
    path = order.folder / ("%s%010d.pt" % (prefix, record["step"]))
    _yield_to_training()

    def save(file: HashedFile) -> None:
        torch.save(content, file)  # type: ignore[arg-type]  # it writes, and that is all that is needed

    try:
        whole = commit(path, save, {**record, **describe_environment()})
        _remove_old(order, prefix)
    except (OSError, RuntimeError) as error:  # torch reports a failed write as a RuntimeError
        sys.stderr.write("choline: the checkpoint of step %d was not saved: %s\n" % (record["step"], error))
        return
    tell(order, {"kind": "checkpoint", "path": str(path), **whole})


def _remove_old(order: Order, prefix: str) -> None:
    if order.keep:
        for old in list_committed(order.folder, prefix)[order.keep :]:
            remove(old)


def _shrink(value: Any) -> Any:
    """The same with floating point tensors as bfloat16."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach().to(torch.bfloat16) if value.is_floating_point() else value
    if isinstance(value, Mapping):
        return {name: _shrink(one) for name, one in value.items()}
    return [_shrink(one) for one in value] if isinstance(value, (list, tuple)) else value


def _yield_to_training() -> None:
    """The thread writes when the training leaves the processor to it; Linux has priorities for threads."""
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
    except (OSError, AttributeError):
        pass
