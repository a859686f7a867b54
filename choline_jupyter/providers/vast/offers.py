"""vast.ai's offers: the query of a wish, and an offer of a row.

Used by `vast.provider`. A row's `gpu_ram` and `cpu_ram` are in MiB, its `disk_space` in GB, `inet_*_cost` in USD per GB,
`storage_cost` in USD per GB and month. A GB there is taken for a GiB, as the package's own x1024 for a TB does.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from choline_jupyter.model.gpu import Gpu, UnknownGpu, find_gpu
from choline_jupyter.model.offer import GIB, Offer, Price, Wish

_MIB = 1 << 20
_BRANDS = re.compile("nvidia|geforce|tesla|quadro|instinct|radeon|[^a-z0-9]")
_TOLD = 0.9  # what a machine tells of its memory is a little less than what it is sold with


def make_query(wish: Wish, known: Sequence[str] = ()) -> dict[str, Any]:
    """The filters of a wish, with the GPUs that are `known` by name there; the package adds its own: verified, not rented."""
    query: dict[str, Any] = {"direct_port_count": {"gte": 1}}
    memory = wish.gpu_memory
    if wish.gpu:
        query["gpu_name"] = {"in": find_names(wish.gpu, known) or [wish.gpu]}
        gpu = _find_gpu(wish.gpu)
        memory = max(memory, gpu.memory if gpu else 0)
    if wish.count:
        query["num_gpus"] = {"eq": wish.count}
    for name, size, unit in (("gpu_ram", memory, _MIB / _TOLD), ("cpu_ram", wish.memory, _MIB / _TOLD)):
        query.update({name: {"gte": int(size / unit)}} if size else {})
    query.update({"disk_space": {"gte": wish.disk / GIB}} if wish.disk else {})
    if wish.max_price is not None:
        query["min_bid" if wish.is_spot else "dph_total"] = {"lte": wish.max_price}
    query.update({"reliability": {"gte": wish.reliability}} if wish.reliability else {})
    if re.fullmatch("[A-Za-z]{2}", wish.region):
        query["geolocation"] = {"in": [wish.region.upper()]}
    with suppress(ValueError):
        query["cuda_max_good"] = {"gte": float(wish.cuda)}
    return query


def find_names(gpu: str, known: Sequence[str]) -> list[str]:
    """vast.ai's names for a GPU: `a100` is an A100 of every form and memory."""
    wanted = _find_gpu(gpu)
    members = [_find_gpu(name) for name in wanted.members] if wanted else []
    spellings = {alias for one in (wanted, *members) if one for alias in one.aliases}
    return sorted(name for name in known if _BRANDS.sub("", name.lower()) in spellings)


def read_offer(row: dict[str, Any], is_spot: bool) -> Offer:
    """Raises KeyError, TypeError and ValueError for a row that has not what an offer needs."""
    disk, name, memory = float(row["storage_cost"]), str(row["gpu_name"]), int(float(row.get("gpu_ram") or 0) * _MIB)
    hour = float(row["min_bid"]) if is_spot else find_machine_price(row)
    gpu = _find_gpu(name, memory)
    if hour is None:
        raise ValueError("it has no price")
    upload, download = (float(row.get(name) or 0.0) for name in ("inet_down_cost", "inet_up_cost"))
    return Offer(
        provider="vast",
        name=str(int(row["id"])),
        gpu=gpu.name if gpu else name,
        count=int(row["num_gpus"]),
        gpu_memory=gpu.memory if gpu and not gpu.members else memory,
        cpus=int(row.get("cpu_cores_effective") or row.get("cpu_cores") or 0),
        memory=int(float(row.get("cpu_ram") or 0) * _MIB),
        disk=int(float(row.get("disk_space") or 0) * GIB),
        price=Price(hour, disk, disk, upload, download),
        is_spot=is_spot,
        region=str(row.get("geolocation") or ""),
        reliability=None if row.get("reliability") is None else float(row["reliability"]),
        cuda=str(row.get("cuda_max_good") or ""),
        seconds=float(row.get("duration") or 0.0),
        host=str(row.get("machine_id") or ""),
    )


def find_machine_price(row: dict[str, Any]) -> float | None:
    """USD per hour of the machine alone: `dph_total` includes a disk. None where it cannot be told."""
    total, disk, base = (row.get(name) for name in ("dph_total", "storage_total_cost", "dph_base"))
    if _is_number(total) and _is_number(disk):
        return max(0.0, float(total or 0) - float(disk or 0))
    return float(base or 0) if _is_number(base) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _find_gpu(name: str, memory: int = 0) -> Gpu | None:
    return find_gpu(name, memory) if _is_known(name) else None


@functools.lru_cache(maxsize=1024)
def _is_known(name: str) -> bool:
    """Remembered, because to find out that nobody knows a name takes long."""
    try:
        find_gpu(name)
    except UnknownGpu:
        return False
    return True
