"""What is withheld from a session that asks for it while it runs: secrets, and what the user has excluded.

Made by `session.file_service`; the user's word on a job (`--without`) comes from whoever starts it. Called in executors.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from choline_jupyter.capture.secrets import find_secret, lies_with_keys
from choline_jupyter.capture.selection import Rules


class Withheld:
    """`roots` are absolute folders; each may have a `.cholineignore`."""

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = tuple(roots)
        self.exclude(())

    def exclude(self, patterns: Sequence[str]) -> None:
        """A job begins: what its `--without` names stays here, and what `.cholineignore` names now."""
        self._rules = [Rules(Path(root), (), tuple(patterns)) for root in self._roots]

    def find(self, path: str, status: os.stat_result) -> str:
        """Why a file stays here; empty when it does not."""
        folder, _, name = path.rpartition("/")
        if lies_with_keys(folder):
            return "lies where keys are kept"
        return self._find_exclusion(path) or find_secret(path, name, status)

    def _find_exclusion(self, path: str) -> str:
        for rules in self._rules:
            below = path.removeprefix(f"{rules.root}/")
            if below != path and rules.ignored and rules.ignored.match_file(below):
                return "is excluded"
        return ""
