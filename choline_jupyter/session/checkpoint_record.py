"""What is known of one checkpoint: as a machine announces it, and as it stands beside the file at home (`NAME.json`).

Used by `session.checkpoints`, `session.checkpoint_list` and `session.resume`. What another machine says is checked before it is
believed: names that lead elsewhere, sizes and digests that are none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from choline_jupyter.model.names import check_identifier

FOLDER = "checkpoints"  # below the project
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=@-]{0,200}\Z")
_INSIDE = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+=@-]{0,200}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_TEXT = 300
_UNNOTED = "~"  # behind every job
_PACKAGES = 5000


@dataclass(frozen=True)
class Part:
    """One file of a checkpoint; `name` is empty where the checkpoint is one file."""

    name: str
    size: int
    digest: str


@dataclass(frozen=True)
class Announced:
    """A checkpoint as its machine tells of it. `difference`: the blob that makes it from another one, if there is one."""

    name: str
    folder: str
    parts: tuple[Part, ...]
    facts: dict[str, Any]
    difference: dict[str, Any] | None
    is_home: bool

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    @property
    def path(self) -> str:
        """Below the project."""
        return f"{FOLDER}/{self.folder}/{self.name}"


def read_announced(fact: dict[str, Any]) -> Announced:
    """What a CHECKPOINT event says. Raises ValueError."""
    name, folder = str(fact.get("name")), check_identifier(fact.get("folder"))
    parts = tuple(_read_part(told) for told in _list(fact.get("files")))
    if (
        not _NAME.match(name)
        or name.endswith(".json")
        or not parts
        or (len(parts) > 1 and not all(p.name for p in parts))
    ):
        raise ValueError("it has no proper name")
    facts = {key: _read_number(fact.get(key)) for key in ("step", "epoch", "loss", "at")}
    facts |= {key: str(fact.get(key) or "")[:_TEXT] for key in ("made", "source", "gpu", "python")}
    metrics = fact.get("metrics") if isinstance(fact.get("metrics"), dict) else {}
    facts["metrics"] = {str(key)[:_TEXT]: _read_number(value) for key, value in list((metrics or {}).items())[:100]}
    facts["packages"] = [str(one)[:_TEXT] for one in _list(fact.get("packages"))[:_PACKAGES]]
    facts["preview"] = fact.get("preview") is True
    return Announced(name, folder, parts, facts, _read_difference(fact.get("difference")), fact.get("is_home") is True)


def make_record(announced: Announced, job: str, more: dict[str, Any]) -> dict[str, Any]:
    """What is written beside it. `size` and `sha256` are what `resume` over there checks."""
    first = announced.parts[0]
    inside = [[part.name, part.size, part.digest] for part in announced.parts] if first.name else []
    return {
        **announced.facts, "job": job, "size": announced.size, "sha256": first.digest if not inside else "",
        "files": inside, **more,
    }  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """A checkpoint at home: its file or folder, and its record."""

    path: Path
    record: dict[str, Any]

    @property
    def at(self) -> float:
        value = self.record.get("at")
        return float(value) if isinstance(value, (int, float)) else 0.0

    @property
    def order(self) -> tuple[Any, ...]:
        """Sorts as they were made, whatever the clocks of their machines said: by job (named by this machine's clock), session's
        epoch, attempt and event. One that was written here and not announced yet is the newest.
        """
        told = self.record.get("order")
        is_proper = isinstance(told, list) and len(told) == 3 and all(type(number) is int for number in told)
        return (
            str(self.record.get("job") or _UNNOTED),
            *(told if is_proper and told else (0, 0, 0)),
            self.at,
            self.path.name,
        )

    def find_metric(self, name: str) -> float | None:
        """A number that was saved with it; None for none, also for nan."""
        value = self.record.get("loss") if name == "loss" else (self.record.get("metrics") or {}).get(name)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return float(value) if is_number and value is not None else None


def list_kept(root: Path, job: str = "") -> Iterator[Kept]:
    """The checkpoints of a project, or of one job, that are whole by their records, oldest first."""
    folders = [root / FOLDER / job] if job else sorted((root / FOLDER).glob("*/"))
    for folder in folders:
        found = []
        for note in folder.glob("*.json"):
            with suppress(OSError, ValueError):
                record = json.loads(note.read_text())
                kept = Kept(note.with_suffix(""), record if isinstance(record, dict) else {})
                if "size" in kept.record and measure(kept.path) == kept.record["size"]:
                    found.append(kept)
        yield from sorted(found, key=lambda kept: kept.order)


def measure(path: Path) -> int:
    """The bytes of a file, or of the files in a folder; -1 for nothing."""
    if path.is_dir():
        return sum(inside.stat().st_size for inside in path.iterdir())
    return path.stat().st_size if path.exists() else -1


def find_note(path: Path) -> Path:
    """Where the record of a checkpoint is."""
    return path.with_name(path.name + ".json")


def _read_part(told: Any) -> Part:
    name, size, digest = told
    is_proper = name == "" or (_INSIDE.match(str(name)) and name not in (".", ".."))
    if not is_proper or type(size) is not int or size < 0 or not _DIGEST.match(str(digest)):
        raise ValueError("a file of it has no proper name, size or digest")
    return Part(str(name), size, str(digest))


def _read_difference(told: Any) -> dict[str, Any] | None:
    if not isinstance(told, dict):
        return None
    blob, size, base = str(told.get("blob")), told.get("size"), str(told.get("base"))
    if not _DIGEST.match(blob) or type(size) is not int or size < 0 or not _NAME.match(base):
        raise ValueError("its difference makes no sense")
    return {"blob": blob, "size": size, "base": base, "base_sha256": str(told.get("base_sha256"))}


def _read_number(value: Any) -> Any:
    """A number, or the text for one that JSON does not have (nan); None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value if abs(value) < 1e300 else None
    return value if value in ("nan", "inf", "-inf") else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
