"""torch's tensors, dtypes and sizes: the bytes as they lie there. A tensor of an accelerator arrives on the CPU.

Used by `wire.value.encoder` and `decoder`. torch is imported when a value is decoded, and there already when one is
encoded.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Callable

from choline_jupyter.wire.value.arrays import read_shape
from choline_jupyter.wire.value.refusal import refuse

if TYPE_CHECKING:
    from choline_jupyter.wire.value.decoder import Decoder
    from choline_jupyter.wire.value.encoder import Encoder


def encode(encoder: Encoder, value: Any) -> Any:
    """A tensor, dtype, size or device; raises Unsendable."""
    torch = sys.modules["torch"]
    if type(value) in (torch.Tensor, torch.nn.Parameter):
        why = _find_obstacle(torch, value)
        if why:
            raise refuse(value, why)
        return _encode_tensor(encoder, torch, value)
    if type(value) is torch.Size:
        return {"t": "torch.Size", "v": list(value)}
    if type(value) is torch.dtype:
        return {"t": "torch.dtype", "v": _name_dtype(value)}
    if type(value) is torch.device:
        return {"t": "torch.device", "v": str(value)}
    if isinstance(value, torch.nn.Module):
        raise refuse(value, "of which only the state_dict() can travel")
    raise refuse(value)


def _find_obstacle(torch: Any, value: Any) -> str:
    """Why a tensor is more than its bytes; empty for one that is not."""
    if value.layout is not torch.strided:
        return "sparse"
    if value.is_quantized:
        return "quantized"
    if value.device.type == "meta":
        return "without data"
    return "with a history that its gradient needs; detach() gives one without" if value.grad_fn is not None else ""


def _encode_tensor(encoder: Encoder, torch: Any, value: Any) -> Any:
    whole = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
    data = whole.reshape(-1).view(torch.uint8).numpy().data if whole.numel() else b""
    return {
        "t": "tensor", "dtype": _name_dtype(value.dtype), "shape": list(value.shape),
        "grad": value.requires_grad, "parameter": type(value) is torch.nn.Parameter, "b": encoder.add(data),
    }  # fmt: skip


def _name_dtype(dtype: Any) -> str:
    return str(dtype).partition(".")[2]


def _read_dtype(told: Any) -> Any:
    import torch

    found = getattr(torch, str(told))
    if type(found) is not torch.dtype:
        raise ValueError("%.80s is no dtype" % told)
    return found


def _decode_tensor(decoder: Decoder, told: Any) -> Any:
    import torch

    dtype, data = _read_dtype(told["dtype"]), decoder.take(told["b"])
    empty = torch.empty(0, dtype=dtype)
    shape = read_shape(told["shape"], empty.element_size(), len(data))
    flat = torch.frombuffer(data, dtype=torch.uint8).view(dtype) if data else empty
    tensor = flat.reshape(shape)
    if told["parameter"]:
        return torch.nn.Parameter(tensor, requires_grad=bool(told["grad"]))
    return tensor.requires_grad_(bool(told["grad"]))


def _decode_size(decoder: Decoder, told: Any) -> Any:
    import torch

    return torch.Size([int(size) for size in told["v"]])


def _decode_device(decoder: Decoder, told: Any) -> Any:
    import torch

    return torch.device(str(told["v"]))


DECODERS: dict[str, Callable[[Decoder, dict[str, Any]], Any]] = {
    "tensor": _decode_tensor,
    "torch.Size": _decode_size,
    "torch.dtype": lambda _, told: _read_dtype(told["v"]),
    "torch.device": _decode_device,
}
