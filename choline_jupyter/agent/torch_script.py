"""A script on several ranks: the command that starts torchrun, and what became of the ranks when it has ended.

Used by `agent.script`. torchrun's own words go into `torchrun.log`; what the user reads are the script's, and one line of ours
that names the rank that failed first.
"""

from __future__ import annotations

import json
import os
import pkgutil
from pathlib import Path
from typing import Any, Optional

from choline_jupyter.agent.torch_entry import ERRORS, FOLDER, GROUP

_RESTARTS = 3
_ENTRY = "torch_entry.py"


class TorchScript:
    """`folder` is the session's; what belongs to the ranks is kept in its `ranks`.

    `group` is set for one attempt of a script on several nodes: `attempt`, `node`, `nodes`, `first` (the first rank here),
    `world`, `address` and `port`. It is not torchrun that starts those again.
    """

    def __init__(self, folder: Path, size: int, group: Optional[dict[str, Any]] = None) -> None:
        self.group = group
        self._folder, self._size = folder / "ranks" / (str(group["attempt"]) if group else ""), size
        self._errors = folder / "script.err"
        self._folder.mkdir(mode=0o700, exist_ok=True, parents=True)
        self.log = self._folder / "torchrun.log"

    def make_command(self, python: str, command: list[str]) -> list[str]:
        """`--` is always there: torchrun would read a script's options as its own."""
        entry = self._folder / "entry.py"
        entry.write_bytes(pkgutil.get_data(__package__ or "", _ENTRY) or b"")  # on a host the agent is a zip
        options = ["--standalone", "--nproc-per-node", str(self._size), "--max-restarts"]
        options.append("0" if self.group else str(_RESTARTS))
        return [python, "-m", "torch.distributed.run", *options, "--", str(entry), *command]

    def mark_environment(self, environment: dict[str, str]) -> None:
        """Torch 2.13 starts ranks again with the keys of their last life unless told otherwise."""
        environment["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
        if self.group:
            environment[GROUP] = json.dumps(self.group)
        else:
            environment.setdefault("GLOO_SOCKET_IFNAME", "lo")
        environment.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // self._size)))
        environment[FOLDER], environment[ERRORS] = str(self._folder), str(self._errors)

    def conclude(self, code: int) -> tuple[int, str]:
        """The exit status that counts, and what to say: who came to the script's end has not failed."""
        if self.has_succeeded(code):
            return 0, ""
        cause = self.find_cause()
        if cause is None:
            return code, self._explain_end(code)
        said = "" if cause.get("is_shown") else cause["traceback"]
        head = "choline: rank %(rank)d failed first: %(ename)s: %(evalue)s\n" % cause
        return int(cause["code"]) or code, said + head + self._tell_ended(cause) + self._name_logs()

    def has_succeeded(self, code: int) -> bool:
        """Whether the script has come to its end, whatever torchrun says."""
        return code == 0 or self._is_done()

    def _is_done(self) -> bool:
        """Whether all ranks of one attempt have come to the end."""
        done = [path.name.split("-") for path in self._folder.glob("done-*-*") if path.suffix == ""]
        attempts = [attempt for _, attempt, _ in done]
        return any(attempts.count(attempt) == self._size for attempt in attempts)

    def find_cause(self) -> Optional[dict[str, Any]]:
        """The first that failed by itself in the last attempt that failed; else the first of all."""
        found = []
        for path in self._folder.glob("error-*-*.json"):
            fact = json.loads(path.read_text())
            found.append((fact["bereft"], fact["at"], fact))
        return min(found, key=lambda one: one[:2])[2] if found else None

    def _explain_end(self, code: int) -> str:
        words = self.read_last_words()
        if "No module named 'torch'" in words:
            return "choline: torch is missing: a script on several ranks runs through its torchrun.\n"
        return "choline: torchrun ended with status %d: %s\n" % (code, words)

    def _tell_ended(self, cause: dict[str, Any]) -> str:
        """A rank that has come to the script's end is not there any more for those that still wait for it."""
        ended = sorted(path.name.split("-")[2] for path in self._folder.glob("done-%s-*" % cause.get("attempt")))
        if not cause["bereft"] or not ended:
            return ""
        form = (
            "choline: rank %s had come to the script's end, and others still waited for it (an uneven last batch?).\n"
        )
        return form % ", ".join(ended)

    def _name_logs(self) -> str:
        return (
            "choline: what the other ranks wrote is in %s.\n" % (self._folder / "rank*.log") if self._size > 1 else ""
        )

    def read_last_words(self) -> str:
        """What torchrun has said last."""
        try:
            lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip(" =-")]
        except OSError:
            lines = []
        return lines[-1][:400] if lines else "it said nothing"
