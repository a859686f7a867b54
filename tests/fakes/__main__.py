"""Fakes of all providers on this machine, until Ctrl-C: `python -m tests.fakes` (or `make fakes`).

Writes the file that CHOLINE_FAKE_CLOUD names (1, or nothing: `fake-cloud.json` in the temporary folder), by which choline
finds them in place of the real ones. Their machines are real processes of this machine; no account is touched.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import threading
from pathlib import Path
from typing import Any, Protocol

from choline_jupyter.providers.endpoint import find_fakes

# A provider and its fake: called without arguments but `has_machines`, it runs until it is closed.
FAKES = {
    "lambda": "tests.fakes.lambda_cloud:LambdaCloud",
    "runpod": "tests.fakes.runpod:RunPodCloud",
    "modal": "tests.fakes.modal_servicer.cloud:ModalCloud",
    "vast": "tests.fakes.vast:VastCloud",
}


class Fake(Protocol):
    """What is served."""

    def tell(self) -> dict[str, str]:
        """Its entry in the file: `url`, `key` and what else its provider reads."""

    def close(self) -> None:
        """End it with all its machines."""


def start_fakes() -> dict[str, Fake]:
    """All of them; their machines need namespaces, which root may make."""
    return {name: _find_class(place)(has_machines=os.geteuid() == 0) for name, place in FAKES.items()}


def write_places(path: Path, fakes: dict[str, Fake]) -> None:
    """The whole file at once; it holds no key but the fakes' own."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.write_text(json.dumps({name: fake.tell() for name, fake in fakes.items()}, indent=1) + "\n")
    new.replace(path)


def main() -> None:
    value = os.environ.get("CHOLINE_FAKE_CLOUD") or "1"
    path, over = find_fakes(value), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    fakes = start_fakes()
    try:
        write_places(path, fakes)
        print(_explain(value, path, fakes), flush=True)
        over.wait()
    finally:
        path.unlink(missing_ok=True)
        for fake in fakes.values():
            fake.close()


def _find_class(place: str) -> Any:
    module, _, kind = place.partition(":")
    return getattr(importlib.import_module(module), kind)


def _explain(value: str, path: Path, fakes: dict[str, Fake]) -> str:
    told = "\n".join(f"  {name:8} {fake.tell().get('url', '')}" for name, fake in fakes.items())
    machines = "" if os.geteuid() == 0 else "\nNot root: what is rented has no machine behind it."
    return (
        f"Fake providers ({path}):\n{told}{machines}\nIn another terminal:\n"
        f"  export CHOLINE_FAKE_CLOUD={value}\n  choline offers --gpu 3090\nCtrl-C ends them and all that was rented."
    )


if __name__ == "__main__":
    main()
