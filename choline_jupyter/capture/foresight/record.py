"""What the code reads and writes, in the order in which it would: reads that count become needs.

Used by the evaluation. Promise: a file that the code certainly wrote before it read it is not a need; neither is what lies
outside of what a path may sensibly name (the system's own folders, the user's whole home).
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from choline_jupyter.capture.foresight.disk import Disk, has_magic, matches
from choline_jupyter.capture.foresight.locate import is_installed
from choline_jupyter.capture.foresight.need import Need
from choline_jupyter.capture.foresight.value import ANY, DEEP

_SYSTEM = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr")
_OUTPUT = re.compile(
    r"(?i)(^|[_.-])(out|outputs?|logs?|logging|runs?|results?|save|saved|checkpoints?|wandb|mlruns)([_.-]|$)"
)
_FILE_LIKE = re.compile(r"[^\s]\.[A-Za-z][A-Za-z0-9_]{0,11}$")
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]{1,10}://")
# Files that a format keeps beside the one that is named: in the place of its ending, or behind it.
_COMPANIONS = {
    ".shp": (".dbf", ".shx", ".prj", ".cpg"),
    ".hdr": (".img", ".raw"),
    ".mhd": (".raw", ".zraw"),
    ".bam": (".bam.bai", ".bai"),
    ".fa": (".fa.fai",),
    ".fasta": (".fasta.fai",),
    ".gz": (".gz.tbi",),
}
_MOST_IN_ONE = 400  # more matches of one pattern than this, and the whole folder is meant


class Record:
    """Collects reads and writes. Texts are made absolute with the folder the code is in at that moment."""

    def __init__(self, disk: Disk, directory: str) -> None:
        self._disk = disk
        self.directory = directory
        self.entered: list[str] = []  # the folders that the code has changed to
        self.is_muted = False
        self.is_deaf = False  # to literals: the defaults of a function that may never be called
        self._home = os.path.expanduser("~")
        self._near = _find_near(directory, self._home)
        self._needs: dict[str, Need] = {}
        self._written: dict[str, None] = {}
        self._maybe_written: set[str] = set()
        self._literals: dict[str, str] = {}
        self._consumed: set[str] = set()

    def locate(self, text: str) -> str:
        """A text as an absolute path; empty where it is none."""
        if not text or len(text) > 1000 or "\n" in text or _URL.match(text):
            return ""
        path = os.path.expanduser(text) if text.startswith("~") else text
        return os.path.normpath(os.path.join(self.directory, path)).replace("//", "/")

    def read(self, text: str, why: str, *, folders: bool = True, listed: bool = False) -> bool:
        """The code reads this; says whether anything is there. `listed`: a pattern that the code itself looks up."""
        path = self.locate(text)
        if not path or self.is_muted or self._is_rewritten(path):
            return False
        if DEEP in path:
            path = path.split(DEEP)[0].rstrip("/")
        if not has_magic(path):
            is_there = self._read_one(path, why, folders=folders)
            if is_there:
                self.consume(text)  # from another folder it would name another file
            return is_there
        return self._read_pattern(path, why, listed=listed)

    def _read_one(self, path: str, why: str, *, folders: bool) -> bool:
        if ANY in path:
            return self._read_pattern(path, why, listed=True)
        kind = self._disk.find_kind(path)
        if kind == "file" and not _is_foreign(path):
            self.add(path, "data", why)
        elif kind == "folder" and folders and self._may_be_whole(path):
            self.add(path, "folder", why)
        return bool(kind)

    def _read_pattern(self, path: str, why: str, *, listed: bool) -> bool:
        folder = path.split(ANY, maxsplit=1)[0].rpartition("/")[0]
        if not self._may_be_whole(folder) and not (
            listed and folder == self.directory and path.strip(ANY + "/") != folder.strip("/")
        ):
            return False
        if not listed and not folder.startswith(self._near):
            return False
        if not path[len(folder) :].strip(ANY + "/"):  # nothing is known of the names
            self.add(folder, "folder", why) if self._disk.find_kind(folder) == "folder" else None
            return True
        found = [file for file in self._disk.expand(path) if not self._is_rewritten(file)]
        if len(found) > _MOST_IN_ONE and self._may_be_whole(folder):
            self.add(folder, "folder", why)
            return True
        for file in found:
            kind = self._disk.find_kind(file)
            if kind == "file" and not file.endswith((".py", ".pyc")):
                self.add(file, "data", why)
            elif kind == "folder" and not listed and self._may_be_whole(file):
                self.add(file, "folder", why)
        return bool(found)

    def write(self, text: str, *, is_sure: bool) -> None:
        """The code writes this."""
        path = self.locate(text)
        if not path or self.is_muted:
            return
        self._maybe_written.add(path)
        if is_sure and (not has_magic(path) or _is_telling(path)):
            self._written[path] = None

    def was_written(self, text: str) -> bool:
        """Whether the code itself may have made this."""
        return self.locate(text) in self._maybe_written

    def add(self, path: str, kind: str, why: str) -> None:
        """A need, whatever has been written; the first reason stays, and a module stays a module."""
        known = self._needs.get(path)
        if known is None or (kind == "module" and known.kind != "module"):
            self._needs[path] = Need(Path(path), kind, why)
            for companion in _list_companions(path):
                if companion not in self._needs and self._disk.find_kind(companion) == "file":
                    self._needs[companion] = Need(Path(companion), "data", f"beside {os.path.basename(path)}")

    def note_literal(self, text: str, why: str) -> None:
        """A text in the code that may name a file."""
        if not (self.is_muted or self.is_deaf) and looks_like_file(text):
            self._literals.setdefault(text, why)

    def consume(self, text: str) -> None:
        """A text that was used as a piece of a longer one names nothing by itself."""
        self._consumed.add(text)

    def finish(self) -> list[Need]:
        """All needs, those included that a literal alone names."""
        for text, why in self._literals.items():
            path = self.locate(text)
            if text not in self._consumed and path not in self._maybe_written and not self._is_maybe_rewritten(path):
                self._read_one(path, why, folders=False)
        return self.list_needs()

    def list_needs(self) -> list[Need]:
        """What has been found, sorted; what lies in a folder that is needed as a whole is not listed again."""
        folders = {path for path, need in self._needs.items() if need.kind == "folder"}
        kept = [need for path, need in self._needs.items() if need.kind == "module" or not _is_inside(path, folders)]
        return sorted(kept, key=lambda need: need.path)

    def _is_rewritten(self, path: str) -> bool:
        return path in self._written or any(matches(each, path) for each in self._written if ANY in each)

    def _is_maybe_rewritten(self, path: str) -> bool:
        return any(_is_telling(each) and matches(each, path) for each in self._maybe_written if ANY in each)

    def _may_be_whole(self, folder: str) -> bool:
        """Whether a folder may be needed with all that is in it: not the project, nothing above it, nothing foreign."""
        if folder in {"", "/", self._home} or len(PurePosixPath(folder).parts) < 3 or _is_foreign(folder):
            return False
        return folder != self.directory and not self.directory.startswith(folder + "/")


def _list_companions(path: str) -> list[str]:
    stem, ending = os.path.splitext(path)
    return [stem + other for other in _COMPANIONS.get(ending, ())]


def looks_like_file(text: str) -> bool:
    """Whether a text alone looks as if it named a file: an ending, or a folder before it."""
    if len(text) > 240 or "\n" in text or _URL.match(text):
        return False
    return bool(_FILE_LIKE.search(text)) or ("/" in text.strip("/") and " " not in text)


def looks_like_output(text: str) -> bool:
    """Whether a folder's or an option's name says that it takes what a program makes."""
    return any(_OUTPUT.search(part) for part in text.split("/"))


def _is_telling(pattern: str) -> bool:
    """Whether a pattern of written files says enough to know them by."""
    stem = pattern.rpartition("/")[2].rpartition(".")[0]
    return len(stem.replace(ANY, "")) >= 3


def _is_foreign(path: str) -> bool:
    return any(path == root or path.startswith(root + "/") for root in _SYSTEM) or is_installed(path)


def _is_inside(path: str, folders: set[str]) -> bool:
    return any(str(parent) in folders for parent in PurePosixPath(path).parents) if folders else False


def _find_near(directory: str, home: str) -> str:
    """Where patterns that the code does not look up itself may lead: the folder and its neighbours."""
    above = os.path.dirname(directory)
    return (directory if above == home or len(PurePosixPath(above).parts) < 3 else above) + "/"
