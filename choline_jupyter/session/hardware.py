"""What a machine says it has, as the client understands it.

Made by `session.engine` from the agent's answer; read by `session.offers` and `session.doctor`. Nothing of it is
believed further than to be shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_GIB = 1 << 30


@dataclass(frozen=True)
class Gpu:
    """One GPU; sizes in bytes, `load` in percent."""

    name: str
    memory: int = 0
    used: int = 0
    load: int = 0
    driver: str = ""


@dataclass(frozen=True)
class Hardware:
    """A machine's facts; sizes in bytes, `clock` in seconds that it is ahead of this one."""

    system: str = ""
    processors: int = 0
    memory: int = 0
    home: str = ""
    disk: int = 0
    python: str = ""
    ipykernel: str = ""
    uv: str = ""
    has_venv: bool = False
    has_ensurepip: bool = False
    gpus: tuple[Gpu, ...] = ()
    clock: float = 0.0

    def count_gpus(self) -> str:
        """`2x NVIDIA H200 (139 GiB)`, one part a kind; empty where there is none."""
        kinds: dict[tuple[str, int], int] = {}
        for gpu in self.gpus:
            kinds[gpu.name, gpu.memory] = kinds.get((gpu.name, gpu.memory), 0) + 1
        return ", ".join(f"{count}x {name} ({memory / _GIB:.0f} GiB)" for (name, memory), count in kinds.items())


def read_hardware(told: dict[str, Any], now: float) -> Hardware:
    """From what an agent has answered; `now` is this machine's clock at half the way. What makes no sense is left out."""
    python, gpus, clock = told.get("python"), told.get("gpus"), told.get("time")
    return Hardware(
        system=_text(told.get("system")),
        processors=_count(told.get("processors")),
        memory=_count(told.get("memory")),
        home=_text(told.get("home")),
        disk=_count(told.get("disk")),
        python=_text(python.get("version")) if isinstance(python, dict) else "",
        ipykernel=_text(told.get("ipykernel")),
        uv=_text(told.get("uv")),
        has_venv=told.get("venv") is True,
        has_ensurepip=told.get("ensurepip") is True,
        gpus=tuple(_read_gpu(gpu) for gpu in gpus if isinstance(gpu, dict)) if isinstance(gpus, list) else (),
        clock=clock - now if isinstance(clock, float) else 0.0,
    )


def _read_gpu(told: dict[str, Any]) -> Gpu:
    memory, used, load = (_count(told.get(key)) for key in ("memory", "used", "load"))
    return Gpu(_text(told.get("name")), memory, used, load, _text(told.get("driver")))


def _text(value: object) -> str:
    """Printable and of one line: it is shown in a terminal."""
    return "".join(letter for letter in str(value or "")[:200] if letter.isprintable())


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
