"""What `doctor --host` finds: what a machine has, what it lacks, and what to do about it, in one screen.

Called by `session.verbs`. Each finding is one line; a line that starts with `!` says what to do.
"""

from __future__ import annotations

from collections.abc import Iterator

from choline_jupyter.session.hardware import Hardware

_GIB = 1 << 30
_ROOM = 5 * _GIB
_SKEW = 60.0


def examine_host(machine: str, took: float, found: Hardware) -> Iterator[str]:
    """The findings; `took` is how long the way there took, in seconds."""
    yield f"  {machine} answers, after {took:.1f} s"
    yield f"  {found.system}, {found.processors} processors, {found.memory / _GIB:.0f} GiB of memory"
    yield from _check_gpus(found)
    yield from _check_room(found)
    yield f"  The agent runs in Python {found.python}"
    yield from _check_packages(found)
    if abs(found.clock) > _SKEW:
        yield f"! Its clock differs by {found.clock:+.0f} s: times of its events are off until it is set right"


def _check_gpus(found: Hardware) -> Iterator[str]:
    for gpu in found.gpus:
        memory = f"{gpu.memory / _GIB:.0f} GiB, {gpu.used / _GIB:.1f} GiB in use"
        yield f"  GPU {gpu.name}, {memory}, {gpu.load} % busy, driver {gpu.driver}"
    if not found.gpus:
        yield "  No GPU that nvidia-smi lists: cells run on its processors"


def _check_room(found: Hardware) -> Iterator[str]:
    mark = "  " if found.disk > _ROOM else "! "
    advice = "" if found.disk > _ROOM else ": an environment with torch takes about 5 GB; make room there"
    yield f"{mark}{found.home} has {found.disk / _GIB:.1f} GiB free{advice}"


def _check_packages(found: Hardware) -> Iterator[str]:
    if found.ipykernel:
        yield f"  Its python3 has ipykernel {found.ipykernel}: sessions use it"
    elif found.uv:
        yield f"  No ipykernel: an environment is made at the first cell, with uv ({found.uv})"
    elif found.has_venv and found.has_ensurepip:
        yield "  No ipykernel: an environment is made at the first cell, with venv"
    elif found.has_venv:
        yield "  No ipykernel, no uv, no ensurepip: at the first cell packages come through this machine"
    else:
        yield "! No ipykernel and no venv: install its python3-venv, or uv, or name an interpreter in config.toml (python)"
