"""Two kernels with the same history: in one every cell runs as it is, in the other with `%%choline` on top.

Made by conftest.py. Promise: `compare` fails unless both put out the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.e2e.kernels.driven_kernel import DrivenKernel, Run
from tests.e2e.kernels.transcript import describe, expect_same

HEAD = "%%choline\n"
LOAD = "%load_ext choline_jupyter"


class Pair:
    """`plain` runs cells itself, `local` has them run elsewhere; their cell numbers are the same all the time."""

    def __init__(self, plain: DrivenKernel, local: DrivenKernel) -> None:
        self.plain, self.local = plain, local

    def run(self, code: str, answers: Iterable[str] = (), *, allow_stdin: bool = True) -> tuple[Run, Run]:
        """Run a cell in both; returns the plain run and the one through choline.

        Without newlines around it, as cells in notebooks are: IPython ends the body of a cell magic with one, always.
        """
        typed, code = tuple(answers), code.strip("\n")
        plain = self.plain.run(code, typed, allow_stdin=allow_stdin)
        return plain, self.local.run(HEAD + code, typed, allow_stdin=allow_stdin)

    def compare(self, code: str, answers: Iterable[str] = (), *, allow_stdin: bool = True) -> dict[str, Any]:
        """Run a cell in both and expect the same; returns what that was."""
        plain, remote = self.run(code, answers, allow_stdin=allow_stdin)
        story = describe(plain)
        expect_same(story, describe(remote))
        return story

    def run_locally(self, code: str) -> None:
        """Run a cell without `%%choline` in both."""
        for kernel in (self.plain, self.local):
            assert kernel.run(code).reply["status"] == "ok"
