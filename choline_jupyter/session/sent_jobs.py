"""What the jobs of one session were sent with, on this disk: enough to send them again to another machine.

Kept by `session.live` for sessions on machines that may be lost, read by `session.rebuilding`, in whatever process that runs;
gone when the session is over. Values of secrets are never among it. The disk is written in a worker: no job waits for it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from choline_jupyter.model.names import check_identifier
from choline_jupyter.model.offer import Wish
from choline_jupyter.model.session import Trust
from choline_jupyter.session.rent.limits import Limits
from choline_jupyter.session.rent.market import Plan
from choline_jupyter.session.rent.renter import Rent
from choline_jupyter.session.spec import SessionSpec

_LARGEST = 256 << 20  # bytes of the names of one job
_SPEC = "session.json"
_OF_THE_WAY = ("names", "files", "blob", "secrets")  # said anew when the job is sent again


class SentJob(NamedTuple):
    """One job: its code, what was said of it, the names that went along (`acts` of `buffers`), the names of its secrets.

    `lacks` is a phrase for what is not here of it, empty where it is whole.
    """

    code: str
    header: dict[str, Any]
    acts: list[dict[str, Any]]
    buffers: list[bytes]
    secrets: list[str]
    lacks: str = ""

    def list_names(self) -> set[str]:
        """The names that went along."""
        return {str(name) for act in self.acts for name in act.get("names") or [act["name"]]}


class SentJobs:
    """The jobs of `session` in the engine's `directory`."""

    def __init__(self, directory: Path, session: str) -> None:
        self._folder = directory / "sent" / check_identifier(session)

    @property
    def is_kept(self) -> bool:
        """Whether anything is known of the session."""
        return (self._folder / _SPEC).exists()

    def keep_spec(self, spec: SessionSpec) -> None:
        """How the session was opened."""
        self._write(_SPEC, [json.dumps(dataclasses.asdict(spec)).encode()])

    def load_spec(self) -> SessionSpec | None:
        """The same; None where nothing is known, or it is of another version."""
        try:
            return _read_spec(json.loads((self._folder / _SPEC).read_text()))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def inherit_policy(self, spec: SessionSpec) -> SessionSpec:
        """A session that is opened again: what is not said of losses stays as it was said before."""
        kept = self.load_spec() if spec.rent and not spec.rent.on_loss else None
        if not (kept and kept.rent and spec.rent):
            return spec
        rent = dataclasses.replace(spec.rent, on_loss=kept.rent.on_loss, wait=kept.rent.wait)
        return dataclasses.replace(spec, rent=rent)

    def keep(
        self, job: str, code: bytes, header: dict[str, Any], acts: Sequence[Any] = (), buffers: Sequence[Any] = ()
    ) -> None:
        """A job that is about to be sent."""
        sizes = [memoryview(part).nbytes for part in buffers]
        is_too_large = sum(sizes) > _LARGEST
        told = {
            "code": len(code),
            "header": {key: value for key, value in header.items() if key not in _OF_THE_WAY},
            "acts": [] if is_too_large else list(acts),
            "sizes": [] if is_too_large else sizes,
            "secrets": sorted(header.get("secrets") or {}),
            "lacks": "its variables are larger than what is kept" if is_too_large else "",
        }
        self._write(
            check_identifier(job), [json.dumps(told).encode() + b"\n", code, *([] if is_too_large else buffers)]
        )

    def load(self, job: str) -> SentJob | None:
        """A job that was sent; None where nothing is known of it."""
        try:
            with (self._folder / check_identifier(job)).open("rb") as file:
                told = json.loads(file.readline())
                code = file.read(told["code"]).decode(errors="replace")
                buffers = [file.read(size) for size in told["sizes"]]
            return SentJob(code, told["header"], told["acts"], buffers, told["secrets"], told["lacks"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remove(self) -> None:
        """The session is over."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write(self, name: str, pieces: Sequence[Any]) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._folder / f".{name}.{os.getpid()}"
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            for piece in pieces:
                file.write(piece)
        temporary.replace(self._folder / name)


def _read_spec(told: dict[str, Any]) -> SessionSpec:
    rent = told.pop("rent", None)
    made = SessionSpec(**{**told, "trust": Trust(told["trust"])})
    lists: dict[str, Any] = {"packages": tuple(made.packages), "command": tuple(made.command)}
    if rent is None:
        return dataclasses.replace(made, **lists)
    parts: dict[str, Any] = {
        "wish": Wish(**rent["wish"]),
        "limits": Limits(**rent["limits"]),
        "plan": Plan(**rent["plan"]),
    }
    return dataclasses.replace(made, **lists, rent=Rent(**{**rent, **parts}))
