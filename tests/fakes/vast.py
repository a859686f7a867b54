"""A fake of vast.ai's REST API, with state: what it is asked, and answers, is what the official package sends and reads.

What it has of vast.ai's ways: two buyers of one offer are both accepted and the second never runs; 25 instances a page; the
old listing is gone (410); a spot machine without a bid is rented on demand; who is outbid is stopped and pays for the disk;
hosts that never come up; a key in each machine that can only start, stop or end that machine.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

from choline_jupyter.model.offer import GIB, MONTH, Price
from tests.fakes.cloud import Answer, Cloud, Rental

PAGE = 25
# name, GPUs, MiB of each, USD per hour, lowest bid, reliability, place, CUDA; each is there several times.
_KINDS = (
    ("RTX 3090", 1, 24576, 0.22, 0.11, 0.981, "Sweden, SE", 12.8),
    ("RTX 3090", 4, 24576, 0.84, 0.42, 0.992, "Texas, US", 12.8),
    ("RTX 4090", 1, 24564, 0.41, 0.20, 0.993, "Ontario, CA", 13.0),
    ("A100 SXM4", 1, 81920, 1.05, 0.55, 0.995, "Iceland, IS", 12.8),
    ("A100 PCIE", 1, 40960, 0.80, 0.41, 0.971, "Oregon, US", 12.4),
    ("H100 SXM", 8, 81559, 17.6, 9.20, 0.998, "Norway, NO", 13.0),
)
_COPIES = 12
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "neq": operator.ne, "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le,
    "in": lambda value, wanted: value in wanted, "notin": lambda value, wanted: value not in wanted,
}  # fmt: skip
_NO_FILTERS = {"order", "type", "limit", "allocated_storage", "disable_bundling"}
_COMING = (None, "created", "loading")


class VastCloud(Cloud):
    """An account with credit, and a market. `dead` holds machine ids that never come up, `is_stale` leaves rented offers in
    the search.
    """

    def __init__(self, *, has_machines: bool = False, key: str = "fake-vast-key") -> None:
        super().__init__(has_machines=has_machines, key=key)
        self.offers = {row["id"]: row for row in _make_offers()}
        self.dead: set[int] = set()
        self.is_stale = False
        self.is_endless = False  # the pages of the listing never end
        self.credit = 25.0
        self._next = 9000
        for method, path, call, serve in (
            ("POST", "/api/v0/bundles/", "offers", self._search),
            ("PUT", r"/api/v0/asks/(\d+)/", "create", self._create),
            ("GET", "/api/v1/instances/", "list", self._list),
            ("GET", "/api/v0/instances/", "old list", _refuse_old),
            ("GET", r"/api/v0/instances/(\d+)/", "describe", self._describe),
            ("PUT", r"/api/v0/instances/(\d+)/", "stop", self._set_state),
            ("PUT", r"/api/v0/instances/bid_price/(\d+)/", "bid", self._bid),
            ("DELETE", r"/api/v0/instances/(\d+)/", "destroy", self._destroy),
            ("GET", "/api/v0/users/current", "credit", self._show_user),
            ("GET", "/api/v0/charges/", "charges", self._show_charges),
        ):
            self.route(method, path, call, serve)

    def reprice(self, offer: int, factor: float) -> None:
        """It costs so many times what it did."""
        for name in ("dph_base", "min_bid"):
            self.offers[offer][name] *= factor

    def outbid(self, handle: str) -> None:
        """Somebody pays more: the machine is halted, its disk is charged for."""
        with self.lock:
            self._halt(self.rentals[handle])

    def win(self, handle: str) -> None:
        """The bid is the highest again: the machine runs, with the disk that it had."""
        with self.lock:
            rental = self.rentals[handle]
            assert rental.state == "stopped"
            if rental.machine:
                rental.machine.thaw()
            rental.state, rental.detail["wanted"] = "running", "running"
            self.charge(rental, rental.price.find_hourly(rental.disk))

    def turn(self, handle: str, status: str) -> None:
        """The machine's `actual_status` is another from now on, and nothing runs on it; what it costs stays."""
        with self.lock:
            rental = self.rentals[handle]
            rental.detail["status"] = status
            if rental.machine:
                rental.machine.freeze()

    def _serve(self, call: str, perform: Callable[[], Answer], headers: Any) -> Answer | None:
        """The key that an instance has opens its own state and its end, and nothing else."""
        told = str(headers.get("Authorization", "")).removeprefix("Bearer ")
        owner = next((handle for handle, rental in self.rentals.items() if rental.detail["key"] == told), None)
        if owner is None:
            return super()._serve(call, perform, headers)
        ours = isinstance(perform, partial) and perform.args == (owner,) and call in ("destroy", "stop")
        return perform() if ours else (403, {"success": False, "error": "auth_error", "msg": "not for this key"})

    def _search(self, *, body: dict[str, Any], query: dict[str, list[str]]) -> Answer:
        storage, is_bid = float(body.get("allocated_storage", 5.0)), body.get("type") == "bid"
        rows = [self._show_offer(row, storage, is_bid) for row in self.offers.values()]
        fitting = [row for row in rows if _fits(row, body)]
        for name, direction in reversed(body.get("order", [])):
            fitting.sort(key=lambda row: row.get(name) or 0, reverse=direction == "desc")
        return 200, {"offers": fitting[: int(body.get("limit", 64))]}

    def _show_offer(self, row: dict[str, Any], storage: float, is_bid: bool) -> dict[str, Any]:
        is_rented = not self.is_stale and self._find_tenant(row["id"]) is not None
        disk = row["storage_cost"] * storage / MONTH
        base = row["min_bid"] if is_bid else row["dph_base"]
        return {**row, "rented": is_rented, "rentable": not is_rented, "is_bid": is_bid, "storage_total_cost": disk,
                "dph_base": base, "dph_total": base + disk}  # fmt: skip

    def _find_tenant(self, offer: int) -> Rental | None:
        return next((rental for rental in self.rentals.values() if rental.offer == str(offer) and rental.lives), None)

    def _create(self, number: str, *, body: dict[str, Any], query: dict[str, list[str]]) -> Answer:
        offer, onstart, bid = self.offers.get(int(number)), body.get("onstart") or "", body.get("price")
        if offer is None:
            return 400, {
                "success": False,
                "error": "no_such_ask",
                "msg": f"Instance type by id {number} is not available.",
            }
        if len(onstart) > 4048 or body.get("runtype") != "ssh_direc ssh_proxy" or not body.get("image"):
            return 400, {"success": False, "error": "invalid_args", "msg": "onstart, runtype or image"}
        if bid is not None and bid < offer["min_bid"]:
            return 400, {"success": False, "error": "bid_too_low", "msg": "the bid is below the lowest"}
        self._next += 1
        hour = offer["dph_base"] if bid is None else bid
        price = Price(
            hour, offer["storage_cost"], offer["storage_cost"], offer["inet_down_cost"], offer["inet_up_cost"]
        )
        rental = Rental(str(self._next), body.get("label") or "", number, price, int(body["disk"] * GIB), self.now())
        rental.detail = {"key": f"instance-key-{self._next}", "is_late": self._find_tenant(int(number)) is not None,
                         "is_bid": bid is not None, "wanted": "running", "image": body["image"]}  # fmt: skip
        environment = {"VAST_URL": self.url, "CONTAINER_API_KEY": rental.detail["key"], "CONTAINER_ID": rental.handle}
        self.rent(rental, onstart, environment)
        return 200, {"success": True, "new_contract": self._next}

    def _list(self, *, body: Any, query: dict[str, list[str]]) -> Answer:
        after = int(query.get("after_token", ["0"])[0])
        rentals = sorted(self.list_visible(), key=lambda rental: int(rental.handle))
        rows = [self._show(rental) for rental in rentals if int(rental.handle) > after]
        page = rows[: min(PAGE, int(query.get("limit", ["25"])[0]))]
        token = str(page[-1]["id"]) if len(rows) > len(page) else None
        if self.is_endless:
            token = str(after + 1)
        return 200, {"success": True, "instances": page, "next_token": token, "total_instances": len(rentals)}

    def _describe(self, handle: str, *, body: Any, query: dict[str, list[str]]) -> Answer:
        rental = self.rentals.get(handle)
        if rental is None or not rental.lives:
            return 200, {"instances": None}
        if rental.detail["is_late"] or self.offers[int(rental.offer)]["machine_id"] in self.dead:
            rental.looks += 1  # it never comes up, and nobody says so
        else:
            self.look(rental)
        return 200, {"instances": self._show(rental)}

    def _show(self, rental: Rental) -> dict[str, Any]:
        """A row; without a machine its port is made up."""
        offer, machine = self.offers[int(rental.offer)], rental.machine
        status = rental.detail.get("status") or {"creating": _COMING[min(rental.looks, 2)], "stopped": "stopped"}.get(
            rental.state, rental.state
        )
        port = machine.port if machine else 22000
        disk = rental.price.find_hourly(rental.disk, is_stopped=True)
        return {
            "id": int(rental.handle), "label": rental.label or None, "actual_status": status, "cur_state": rental.state,
            "intended_status": rental.detail["wanted"], "next_state": rental.detail["wanted"], "status_msg": None,
            "machine_id": offer["machine_id"], "gpu_name": offer["gpu_name"], "num_gpus": offer["num_gpus"],
            "image_uuid": rental.detail["image"], "image_runtype": "ssh_direc ssh_proxy", "extra_env": [],
            "ssh_host": "127.0.0.1", "ssh_port": port, "public_ipaddr": "127.0.0.1 ",
            "ports": {"22/tcp": [{"HostPort": str(port)}]} if status == "running" else None,
            "dph_base": rental.price.hour, "dph_total": rental.price.hour + disk, "storage_total_cost": disk,
            "storage_cost": offer["storage_cost"], "start_date": rental.created_at if status else None,
            "end_date": rental.created_at + 30 * 86400, "is_bid": rental.detail["is_bid"],
        }  # fmt: skip

    def _set_state(self, handle: str, *, body: dict[str, Any], query: dict[str, list[str]]) -> Answer:
        rental = self.rentals.get(handle)
        if rental is None or not rental.lives:
            return 404, {"success": False, "error": "no_such_instance"}
        if body.get("state") == "stopped":
            rental.detail["wanted"] = "stopped"
            self._halt(rental)
        return 200, {"success": True}

    def _halt(self, rental: Rental) -> None:
        rental.state = "stopped"
        self.charge(rental, rental.price.find_hourly(rental.disk, is_stopped=True))
        if rental.machine:
            rental.machine.freeze()

    def _bid(self, handle: str, *, body: dict[str, Any], query: dict[str, list[str]]) -> Answer:
        return 200, {"success": handle in self.rentals}

    def _destroy(self, handle: str, *, body: Any, query: dict[str, list[str]]) -> Answer:
        rental = self.rentals.get(handle)
        if rental is None or not rental.lives:
            return 404, {"success": False, "error": "no_such_instance", "msg": f"Instance {handle} not found."}
        self.end(handle)
        return 200, {"success": True}

    def _show_user(self, *, body: Any, query: dict[str, list[str]]) -> Answer:
        spent = sum(self.bill(handle) for handle in self.rentals)
        return 200, {"id": 1, "username": "anna", "credit": self.credit - spent, "balance": 0.0, "api_key": self.key}

    def _show_charges(self, *, body: Any, query: dict[str, list[str]]) -> Answer:
        """One row an instance and page of as many as are asked for."""
        window = json.loads(query["select_filters"][0])["day"]
        told = [rental for rental in self.rentals.values() if window["gte"] <= rental.created_at <= window["lte"]]
        after, limit = int(query.get("after_token", ["0"])[0]), int(query["limit"][0])
        rows = [{"type": "instance", "source": f"instance-{rental.handle}", "amount": self.bill(rental.handle),
                 "items": []} for rental in told]  # fmt: skip
        token = str(after + limit) if len(rows) > after + limit else None
        return 200, {"results": rows[after : after + limit], "count": len(rows), "next_token": token}


def _make_offers() -> list[dict[str, Any]]:
    """The market: a machine of each kind several times, each a little dearer than the one before."""
    rows = []
    for copy in range(_COPIES):
        for place, (gpu, count, memory, hour, bid, reliability, region, cuda) in enumerate(_KINDS):
            number = 100 + copy * len(_KINDS) + place
            rows.append({
                "id": number, "machine_id": 7000 + number, "host_id": 500 + place, "gpu_name": gpu, "num_gpus": count,
                "gpu_ram": memory, "cpu_ram": 64000 * count, "cpu_cores": 32 * count, "cpu_cores_effective": 16.0 * count,
                "disk_space": 500.0, "dph_base": hour * (1 + copy / 50), "min_bid": bid * (1 + copy / 50),
                "storage_cost": 0.15, "inet_up_cost": 0.01, "inet_down_cost": 0.005, "reliability": reliability,
                "geolocation": region, "cuda_max_good": cuda, "direct_port_count": 64, "duration": 86400.0 * 20,
                "verified": True, "external": False,
            })  # fmt: skip
    return rows


def _fits(row: dict[str, Any], body: dict[str, Any]) -> bool:
    return all(
        _OPERATORS[name](_read(row, column), value)
        for column, tests in body.items()
        if column not in _NO_FILTERS
        for name, value in tests.items()
    )


def _read(row: dict[str, Any], column: str) -> Any:
    """A place is asked for by the code of its country."""
    return row["geolocation"].rpartition(", ")[2] if column == "geolocation" else row[column]


def _refuse_old(*, body: Any, query: dict[str, list[str]]) -> Answer:
    return 410, {"success": False, "error": "gone", "msg": "use /api/v1/instances/"}
