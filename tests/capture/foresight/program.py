"""The labelled programs of `tests/capture/programs`: read from their files, laid out on disk, scored.

A program's file begins with what it is; each `#### KIND ARGUMENT` line begins a part. `script NAME WORDS...` and `cell` are
the code that is asked about, `context` an earlier cell, `file` a file with this content; `needs`, `beside` and `optional`
list paths that exist, one a line, a folder with a slash at its end; `directory` is where the code runs, `namespace` (JSON)
what the notebook holds.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from choline_jupyter.capture.foresight import Need, Source
from choline_jupyter.capture.foresight.analysis import analyse

FOLDER = Path(__file__).parent.parent / "programs"


@dataclass
class Program:
    """One labelled program."""

    name: str
    sources: list[Source] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    needs: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    optional: list[str] = field(default_factory=list)
    directory: str = "."
    namespace: dict[str, Any] = field(default_factory=dict)

    def lay_out(self, root: Path) -> None:
        """Makes the program's tree."""
        for path, text in self.files.items():
            _write(root / path, text)
        for path in [*self.needs, *self.beside, *self.optional]:
            for each in [path] if not path.endswith("/") else [path + "0.jpg", path + "sub/1.jpg"]:
                if not (root / each).exists():
                    _write(root / each, "0\n")
        (root / self.directory).mkdir(parents=True, exist_ok=True)

    def foresee(self, root: Path) -> tuple[list[Need], list[Exception]]:
        """What the analyser says, and what it has passed over in silence."""
        home = str((root / self.directory).resolve())
        return analyse(self.sources, home, self.namespace, [home], 200_000)


def read_programs() -> list[Program]:
    """All of them."""
    return [_read(path) for path in sorted(FOLDER.glob("*.txt"))]


def _read(path: Path) -> Program:
    made = Program(path.stem)
    for part in re.split(r"^#### ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n")
        kind, _, argument = head.strip().partition(" ")
        _add(made, kind, argument, body)
    return made


def _add(made: Program, kind: str, argument: str, body: str) -> None:
    lines = [line.strip() for line in body.splitlines() if line.strip()]
    if kind == "script":
        name, *words = argument.split()
        made.sources.append(Source(body, name, arguments=tuple(words)))
        made.files[name] = body
    elif kind in {"cell", "context"}:
        made.sources.append(Source(body, f"cell {len(made.sources) + 1}", is_target=kind == "cell"))
    elif kind == "file":
        made.files[argument] = body
    elif kind == "directory":
        made.directory = argument
    elif kind == "namespace":
        made.namespace = json.loads(body)
    else:
        getattr(made, kind).extend(lines)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Score:
    """How a program's needs were found: counts of the truth's entries, and of the files that would be sent."""

    found: int
    missed: tuple[str, ...]
    right: int
    wrong: tuple[str, ...]


def score(program: Program, root: Path, needs: list[Need]) -> Score:
    """An entry is found if it, a folder above it or all below it is named; a file sent is right if the truth names it."""
    sent = sorted({file for need in needs for file in _list_files(need.path)})
    names = [str(path.relative_to(root)) if path.is_relative_to(root) else str(path) for path in sent]
    found: list[str] = []
    missed: list[str] = []
    for entry in program.needs:
        wanted = [str(path.relative_to(root)) for path in _list_files(root / entry)]
        (found if wanted and set(wanted) <= set(names) else missed).append(entry)
    wrong = [name for name in names if not _is_named(name, [*program.needs, *program.optional])]
    neutral = [name for name in names if _is_named(name, program.optional)]
    return Score(len(found), tuple(missed), len(names) - len(wrong) - len(neutral), tuple(wrong))


def _list_files(path: Path) -> list[Path]:
    return [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]


def _is_named(name: str, entries: list[str]) -> bool:
    return any(name == entry or (entry.endswith("/") and name.startswith(entry)) for entry in entries)
