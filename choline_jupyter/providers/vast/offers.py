"""vast.ai's offers: the query of a wish, and an offer of a row.

Used by `vast.provider`. A row's `gpu_ram` and `cpu_ram` are in MiB, its `disk_space` in GB, `inet_*_cost` in USD per GB,
`storage_cost` in USD per GB and month. A GB there is taken for a GiB, as the package's own x1024 for a TB does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from choline_jupyter.model.offer import GIB, Offer, Price, Wish

_MIB = 1 << 20
_TOLD = 0.95  # what a GPU tells of its memory is a little less than what it is sold with
_FORMS = ("pcie", "sxm5", "sxm4", "sxm2", "sxm", "nvl", "x")  # how a GPU of the same name is built in


def make_query(wish: Wish, known: Sequence[str] = ()) -> dict[str, Any]:
    """The filters of a wish, with the GPUs that are `known` by name there; the package adds its defaults: verified, rentable, not rented."""
    query: dict[str, Any] = {"direct_port_count": {"gte": 1}}
    memory = wish.gpu_memory
    if wish.gpu:
        name, told = split_memory(wish.gpu)
        query["gpu_name"] = {"in": find_names(name, known) or [wish.gpu]}
        memory = memory or told
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
    """vast.ai's names for a GPU: `a100` is an A100 of every form, `a100-sxm4` that one."""
    asked = _simplify(gpu)
    return sorted(name for name in known if asked in (_simplify(name), _drop_form(_simplify(name))))


def split_memory(gpu: str) -> tuple[str, int]:
    """`A100-80GB` as `A100` and its bytes of memory; 0 where none is named."""
    match = re.fullmatch(r"(.+?)[\s_-]*\(?(\d+)\s*G(?:i?B)?\)?", gpu, re.IGNORECASE)
    return (match[1], int(match[2]) * GIB) if match else (gpu, 0)


def read_offer(row: dict[str, Any], is_spot: bool) -> Offer:
    """Raises KeyError, TypeError and ValueError for a row that has not what an offer needs."""
    disk = float(row["storage_cost"])
    hour = float(row["min_bid"] if is_spot else _take_storage_off(row))
    upload, download = (float(row.get(name) or 0.0) for name in ("inet_down_cost", "inet_up_cost"))
    return Offer(
        provider="vast",
        name=str(int(row["id"])),
        gpu=str(row["gpu_name"]),
        count=int(row["num_gpus"]),
        gpu_memory=int(float(row.get("gpu_ram") or 0) * _MIB),
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


def _take_storage_off(row: dict[str, Any]) -> float:
    """The price of the machine alone: `dph_total` includes the disk that the search asked for."""
    if row.get("storage_total_cost") is None:
        return float(row["dph_base"])
    return max(0.0, float(row["dph_total"]) - float(row["storage_total_cost"]))


def _simplify(name: str) -> str:
    """Without maker, brand and what separates words."""
    words = re.findall(r"[a-z0-9]+", name.lower())
    brands = ("nvidia", "amd", "geforce", "tesla", "quadro", "rtx", "gtx")
    plain = "".join(word for word in words if word not in brands)
    return re.sub("^(rtx|gtx)(?=.)", "", plain)


def _drop_form(name: str) -> str:
    for form in _FORMS:
        if name.endswith(form) and name[: -len(form)] in ("a100", "a800", "h100", "h200", "gh200"):
            return name[: -len(form)]
    return name
