"""What `--secret NAME` passes to a job: the value of an environment variable of the user's, else what they type.

Made by `magic.notebook` and `cli`, one per process; called in the thread that may ask. Promise: a value is in no message,
file or command line of this machine: it goes into the job's request and into the mask over what comes back.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from choline_jupyter.errors import RequestError
from choline_jupyter.wire.mask import SHORTEST

if TYPE_CHECKING:
    from choline_jupyter.session.option_reader import Values

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_LONGEST = 32 << 10


class Secrets:
    """`ask(question, is_secret)` puts a question to the user; `is_there` says whether anybody can answer."""

    def __init__(self, ask: Callable[[str, bool], str], is_there: Callable[[], bool]) -> None:
        self._ask, self._is_there = ask, is_there
        self._typed: dict[str, str] = {}
        self._told: set[str] = set()

    def read(self, options: Values) -> dict[str, str]:
        """The values that the options name, by name. Raises RequestError, which never holds a value."""
        names = options.list("secret")
        if not all(map(_NAME.match, names)):
            raise RequestError(
                "--secret takes the name of an environment variable, not a value.",
                "Write --secret NAME; the value is taken from this machine's environment, or asked for.",
            )
        return {name: self._find(name) for name in names}

    def _find(self, name: str) -> str:
        value = os.environ.get(name) or self._typed.get(name) or self._have_typed(name)
        if len(value) > _LONGEST or "\0" in value:
            raise RequestError(f"The value of {name} is too long, or not a text.", "A secret has at most 32 KiB.")
        if len(value) < SHORTEST and name not in self._told:
            self._told.add(name)
            sys.stderr.write(f"choline: {name} has fewer than {SHORTEST} characters: it is not hidden in output.\n")
        return value

    def _have_typed(self, name: str) -> str:
        """Asked once; the answer is kept in this process."""
        try:
            value = self._ask(f"{name}: ", True) if self._is_there() else ""
        except EOFError:
            value = ""
        if not value:
            raise RequestError(f"--secret names {name}, which is not set here.", f"Set it first: export {name}=...")
        self._typed[name] = value
        return value
