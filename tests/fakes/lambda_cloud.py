"""A fake of Lambda Cloud's API: what is launched lives until it is terminated, cloud-init is carried out.

Checked by the generated client `lambda-ai-cloud-api-client` (tests/fakes/test_lambda_client.py). Its machines have the user
`ubuntu`, and their address has a port, which the real ones do not need.
"""

from __future__ import annotations

import re
import shlex
from typing import Any

import yaml

from choline_jupyter.model.offer import GIB, Price
from tests.fakes.cloud import Answer, Cloud, Rental

# name: GPU as it is described, how many, processors, GiB of memory and disk, cents per hour, regions with capacity
TYPES: dict[str, tuple[str, int, int, int, int, int, list[str]]] = {
    "gpu_1x_a10": ("A10 (24 GB PCIe)", 1, 30, 200, 1400, 75, ["us-east-1", "us-west-1"]),
    "gpu_1x_a100_sxm4": ("A100 (40 GB SXM4)", 1, 30, 200, 512, 129, ["us-east-1"]),
    "gpu_1x_gh200": ("GH200 (96 GB)", 1, 64, 432, 4096, 149, ["us-east-3"]),
    "gpu_1x_h100_sxm5": ("H100 (80 GB SXM5)", 1, 26, 225, 2816, 329, []),
    "gpu_8x_a100_80gb_sxm4": ("A100 (80 GB SXM4)", 8, 240, 1800, 19456, 1432, ["us-midwest-1"]),
    "gpu_1x_rtx6000": ("RTX 6000 (24 GB)", 1, 14, 46, 512, 50, ["us-south-1"]),
    "cpu_4x_general": ("N/A", 0, 4, 16, 512, 20, ["us-south-1"]),
}
_FIELDS = {
    "region_name", "instance_type_name", "ssh_key_names", "file_system_names", "file_system_mounts", "hostname", "name",
    "image", "user_data", "tags", "firewall_rulesets",
}  # fmt: skip
_LARGEST = 1 << 20
_WAIT = "while [ ! -s /run/sshd.pid ]; do sleep 0.02; done"  # a second HUP before it listens again would kill it
_WORDS = {"creating": "booting", "running": "active", "gone": "terminated", "unhealthy": "unhealthy"}


class LambdaCloud(Cloud):
    """An account. `interval` is how many seconds must lie between two launches; `full` has types whose capacity has just
    gone.
    """

    def __init__(self, *, has_machines: bool = False, key: str = "fake-lambda-key") -> None:
        super().__init__(has_machines=has_machines, key=key)
        self.types = dict(TYPES)
        self.keys: dict[str, str] = {}
        self.full: set[str] = set()
        self.interval = 0.0
        self.launched_at = float("-inf")
        self._next = 0
        for method, path, call, serve in (
            ("GET", "instance-types", "offers", self._list_types),
            ("GET", "ssh-keys", "keys", self._list_keys),
            ("POST", "ssh-keys", "add key", self._add_key),
            ("POST", "instance-operations/launch", "create", self._launch),
            ("GET", "instances", "list", self._list),
            ("GET", r"instances/([^/]+)", "describe", self._describe),
            ("POST", "instance-operations/terminate", "destroy", self._terminate),
        ):
            self.route(method, f"/api/v1/{path}", call, serve)

    def tell(self) -> dict[str, str]:
        """What the file of CHOLINE_FAKE_CLOUD says of it."""
        return {"url": self.url, "key": self.key, "interval": "0"}

    def deny(self) -> Answer:
        return _refuse(401, "global/invalid-api-key", "API key was invalid, expired, or deleted.")

    def _list_types(self, body: Any, query: Any) -> Answer:
        rows = {
            name: {
                "instance_type": self._show_type(name),
                "regions_with_capacity_available": [_show_region(region) for region in self.types[name][6]],
            }
            for name in self.types
        }
        return 200, {"data": rows}

    def _list_keys(self, body: Any, query: Any) -> Answer:
        return 200, {"data": [_show_key(name, text) for name, text in self.keys.items()]}

    def _add_key(self, body: Any, query: Any) -> Answer:
        if body["name"] in self.keys:
            return _refuse(400, "global/invalid-parameters", "An SSH key of that name exists.")
        self.keys[body["name"]] = body["public_key"]
        return 200, {"data": _show_key(body["name"], body["public_key"])}

    def _launch(self, body: Any, query: Any) -> Answer:
        problem = self._find_problem(body)
        if problem:
            return _refuse(400, "global/invalid-parameters", problem)
        name = body["instance_type_name"]
        if name in self.full or body["region_name"] not in self.types[name][6]:
            return _refuse(400, "instance-operations/launch/insufficient-capacity", "Not enough capacity.")
        if self.now() - self.launched_at < self.interval:
            return 429, b"Too many requests"
        self.launched_at, self._next = self.now(), self._next + 1
        handle = f"{self._next:032x}"
        cents, disk = self.types[name][5], self.types[name][4] * GIB
        rental = Rental(
            handle, body.get("name", ""), name, Price(hour=cents / 100), disk, self.now(), detail=dict(body)
        )
        key = self.keys[body["ssh_key_names"][0]]
        self.rent(rental, write_startup(body.get("user_data", "")), key=key)
        return 200, {"data": {"instance_ids": [handle]}}

    def _find_problem(self, body: Any) -> str:
        if not isinstance(body, dict) or set(body) - _FIELDS:
            return f"Unknown fields: {sorted(set(body) - _FIELDS)}"
        if body.get("instance_type_name") not in self.types or not body.get("region_name"):
            return "No such instance type or region."
        keys = body.get("ssh_key_names")
        if not isinstance(keys, list) or len(keys) != 1 or keys[0] not in self.keys:
            return "Exactly one SSH key must be specified."
        if len(body.get("name", "")) > 64 or len(body.get("user_data", "").encode()) > _LARGEST:
            return "Too long."
        return ""

    def _list(self, body: Any, query: Any) -> Answer:
        return 200, {"data": [self._show(rental) for rental in self.list_visible()]}

    def _describe(self, handle: str, body: Any, query: Any) -> Answer:
        rental = self.rentals.get(handle)
        if rental is None or not rental.lives:
            return _refuse(404, "global/object-does-not-exist", "Specified object does not exist.")
        self.look(rental)
        return 200, {"data": self._show(rental)}

    def _terminate(self, body: Any, query: Any) -> Answer:
        found = [handle for handle in body["instance_ids"] if handle in self.rentals and self.rentals[handle].lives]
        if not found:
            return _refuse(404, "global/object-does-not-exist", "Specified object does not exist.")
        for handle in found:
            self.end(handle)
        return 200, {"data": {"terminated_instances": [self._show(self.rentals[handle]) for handle in found]}}

    def _show(self, rental: Rental) -> dict[str, Any]:
        port = rental.machine.port if rental.machine else 22
        actions = ("migrate", "rebuild", "restart", "cold_reboot", "terminate")
        shown = {
            "id": rental.handle,
            "name": rental.label,
            "status": _WORDS[rental.state],
            "ssh_key_names": rental.detail["ssh_key_names"],
            "file_system_names": [],
            "region": _show_region(rental.detail["region_name"]),
            "instance_type": self._show_type(rental.offer),
            "actions": {name: {"available": rental.lives} for name in actions},
            "tags": [{"key": "choline", "value": rental.label}] if rental.detail.get("tags") else [],
        }
        return {**shown, "ip": f"127.0.0.1:{port}"} if rental.state == "running" else shown

    def _show_type(self, name: str) -> dict[str, Any]:
        gpu, count, processors, memory, disk, cents, _ = self.types[name]
        return {
            "name": name,
            "description": f"{count}x {gpu}",
            "gpu_description": gpu,
            "price_cents_per_hour": cents,
            "specs": {"vcpus": processors, "memory_gib": memory, "storage_gib": disk, "gpus": count},
        }


def write_startup(user_data: str) -> str:
    """What cloud-init makes of the configuration, as a script that begins when sshd runs; raises ValueError."""
    if not user_data:
        return ""
    if not re.match(r"#cloud-config\n", user_data):
        raise ValueError("no cloud-config")
    config = yaml.safe_load(user_data)
    lines = [_WAIT]
    lines += [f"echo {shlex.quote(key)} >> ~/.ssh/authorized_keys" for key in config.get("ssh_authorized_keys", ())]
    for kind, text in config.get("ssh_keys", {}).items():
        lines += [
            f"printf %s {shlex.quote(text)} > /etc/ssh/ssh_host_{kind.removesuffix('_private')}_key",
            "p=$(cat /run/sshd.pid); rm /run/sshd.pid; kill -HUP $p",
            _WAIT,
        ]
    lines += [shlex.join(command) for command in config.get("runcmd", ())]
    return "\n".join(lines) + "\n"


def _refuse(status: int, code: str, message: str) -> Answer:
    return status, {"error": {"code": code, "message": message, "suggestion": "Look at the request."}}


def _show_region(name: str) -> dict[str, str]:
    return {"name": name, "description": name.title()}


def _show_key(name: str, text: str) -> dict[str, str]:
    return {"id": f"key-{name}", "name": name, "public_key": text}
