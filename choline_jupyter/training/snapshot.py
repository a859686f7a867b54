"""Snapshots: the state of a training as plain data and tensors in this machine's memory, and back.

Used by `training.checkpoints`. What a snapshot holds can be loaded without running any code of the file's. The memory of one
snapshot serves the next, so that taking one costs a copy and no page faults.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from typing import Any

_PLAIN = (str, bytes, int, float, bool, type(None))


class Staging:
    """The memory that snapshots are taken into; each overwrites the one before."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, ...], Any] = {}
        self._seen: dict[tuple[Any, ...], Any] = {}

    def take(self, value: Any, *path: str) -> Any:
        """A copy of plain data and tensors; raises TypeError for what could not be loaded again."""
        self._seen = {}
        copied = self._copy(value, path)
        torch = sys.modules.get("torch")
        if torch is not None and uses_gpu():
            torch.cuda.synchronize()  # copies from the device are asked for all at once
        return copied

    def _copy(self, value: Any, path: tuple[str, ...]) -> Any:
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(value, torch.Tensor):
            return self._copy_tensor(value.detach(), path)
        if isinstance(value, _PLAIN):
            return value
        if isinstance(value, Mapping):
            return {self._check_key(key, path): self._copy(one, (*path, str(key))) for key, one in value.items()}
        if type(value) in (list, tuple):
            return type(value)(self._copy(one, (*path, str(place))) for place, one in enumerate(value))
        if type(value).__module__ == "numpy":
            return self._copy_array(value, path)
        what = "%s is %s, which a checkpoint cannot hold" % (".".join(path), type(value).__qualname__)
        raise TypeError(what + ": give an object with state_dict(), tensors or plain data")

    def _copy_tensor(self, tensor: Any, path: tuple[str, ...]) -> Any:
        """Tied weights stay one tensor."""
        import torch

        if type(tensor).__name__ == "DTensor":
            raise TypeError("%s is sharded over ranks: torch.distributed.checkpoint saves those" % ".".join(path))
        if tensor.is_sparse or tensor.is_quantized:
            return tensor.clone()
        key = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype, tensor.device)
        if tensor.numel() and key in self._seen:
            return self._seen[key]
        kept = self._kept.get(path)
        if kept is None or kept.shape != tensor.shape or kept.dtype != tensor.dtype:
            kept = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)
            self._kept[path] = kept
        kept.copy_(tensor, non_blocking=tensor.is_cuda)
        self._seen[key] = kept
        return kept

    def _copy_array(self, value: Any, path: tuple[str, ...]) -> Any:
        import torch

        if value.ndim == 0:
            return self._copy(value.item(), path)
        return self._copy_tensor(torch.from_numpy(value), path)

    def _check_key(self, key: Any, path: tuple[str, ...]) -> Any:
        if not isinstance(key, (str, int)):
            raise TypeError("%s has a key of type %s" % (".".join(path), type(key).__qualname__))
        return key


def uses_gpu() -> bool:
    """Whether this process has begun to use a GPU; asking does not begin it."""
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_available() and bool(torch.cuda.is_initialized())


def read_state(value: Any) -> Any:
    """What there is to save of one thing that was given: a model, an optimizer, a sampler, a generator, a number."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Generator):
        return value.get_state()
    take = getattr(value, "state_dict", None)
    return take() if callable(take) else value


def write_state(value: Any, state: Any) -> bool:
    """Put a saved state back into what was given; False where it is plain data, which only the caller can put back."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Generator):
        value.set_state(state)
        return True
    put = getattr(value, "load_state_dict", None)
    if callable(put):
        put(state)
        return True
    return False


def read_random() -> dict[str, Any]:
    """The state of every generator of random numbers that this process has loaded."""
    import torch

    found: dict[str, Any] = {"python": random.getstate(), "torch": torch.get_rng_state()}
    if uses_gpu():
        found["cuda"] = torch.cuda.get_rng_state_all()
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        name, keys, *rest = numpy.random.get_state(legacy=True)
        found["numpy"] = (name, keys.tolist(), *rest)
    return found


def write_random(found: Mapping[str, Any]) -> None:
    """Draw the numbers that would have been drawn next."""
    import torch

    version, state, gauss = found["python"]
    random.setstate((version, tuple(state), gauss))
    torch.set_rng_state(found["torch"])
    if "cuda" in found and torch.cuda.is_available() and len(found["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(found["cuda"])
    if "numpy" in found:
        import numpy as np

        name, keys, *rest = found["numpy"]
        np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))
