"""vast.ai's instances: the sighting of a row, with its state, its address and its price of this moment.

Used by `vast.provider`. `actual_status` says where it stands. What never runs again (`exited`, `offline`, `unknown`) is dead:
it is destroyed, because its disk is charged for. A `frozen` one keeps its memory, and its GPU is charged for: that is said.
"""

from __future__ import annotations

from typing import Any

from choline_jupyter.model.instance import InstanceState
from choline_jupyter.providers.api import expect
from choline_jupyter.providers.failure import Unreadable
from choline_jupyter.providers.provider import Sighting
from choline_jupyter.providers.vast.offers import find_machine_price

_STATES = {
    "": InstanceState.CREATING,
    "created": InstanceState.BOOTING,
    "loading": InstanceState.BOOTING,
    "rebooting": InstanceState.BOOTING,
    "running": InstanceState.READY,
    "stopped": InstanceState.STOPPED,
    "frozen": InstanceState.UNKNOWN,
    "exited": InstanceState.DEAD,
    "unknown": InstanceState.DEAD,
    "offline": InstanceState.DEAD,
}
_WANTED = "running"  # the `intended_status` of one that nobody has stopped


def read_sighting(row: Any, billed: float | None = None) -> Sighting:
    """Raises Unreadable."""
    fields: dict[str, Any] = expect(dict, row, "instance")
    if type(fields.get("id")) is not int or "actual_status" not in fields:
        raise Unreadable("vast tells of an instance without its number or state.", "A newer choline may read it.")
    state = _find_state(fields)
    return Sighting(
        handle=str(fields["id"]),
        label=_read_text(fields, "label"),
        state=state,
        reason=_find_reason(fields, state),
        address=_find_address(fields) if state is InstanceState.READY else "",
        hour=_find_hour(fields, state),
        billed=billed,
        started_at=_read_number(fields, "start_date"),
    )


def _find_state(row: dict[str, Any]) -> InstanceState:
    state = _STATES.get(_read_text(row, "actual_status"), InstanceState.UNKNOWN)
    if state is InstanceState.STOPPED and row.get("intended_status") == _WANTED:
        return InstanceState.PREEMPTED
    return state


def _find_reason(row: dict[str, Any], state: InstanceState) -> str:
    """In words; what the host says of it is cut short, for it is shown."""
    told = "".join(letter if letter.isprintable() else " " for letter in _read_text(row, "status_msg")[:200]).strip()
    status = _read_text(row, "actual_status")
    ours = {
        InstanceState.PREEMPTED: "outbid: its processes were ended, its disk is kept and charged for",
        InstanceState.STOPPED: "stopped: its disk is charged for",
        InstanceState.DEAD: f"{status}: it will not run again, and its disk is charged for",
        InstanceState.UNKNOWN: f"{status}: its memory is kept and its GPU charged for"
        if status == "frozen"
        else status,
    }.get(state, "")
    return f"{ours} ({told})" if ours and told else ours or told


def _find_address(row: dict[str, Any]) -> str:
    """The machine's own port where it has one, else vast.ai's relay."""
    ports = row.get("ports")
    mapped = ports.get("22/tcp") if isinstance(ports, dict) else None
    first = mapped[0] if isinstance(mapped, list) and mapped else None
    port = str(first.get("HostPort", "")) if isinstance(first, dict) else ""
    name = _read_text(row, "public_ipaddr")
    if not (name and port.isdigit()):
        name, port = _read_text(row, "ssh_host"), str(row.get("ssh_port") or "")
    return f"root@{name}:{port}" if name and port.isdigit() else ""


def _find_hour(row: dict[str, Any], state: InstanceState) -> float | None:
    """What the machine costs per hour now, its disk not counted: nothing while it is halted."""
    is_halted = state in (InstanceState.STOPPED, InstanceState.PREEMPTED, InstanceState.DEAD)
    return 0.0 if is_halted else find_machine_price(row)


def _read_text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    return value.strip() if isinstance(value, str) else ""


def _read_number(row: dict[str, Any], name: str) -> float | None:
    value = row.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
