"""What goes with a cell that has not run yet: its files, why each is needed, what is held back and why.

Called by JupyterLab's panel through the notebook's kernel, as an expression of a silent request: the code is looked at with
the notebook's own cells, names and folder. Promise: nothing is sent, asked, kept or run by it, and no session is opened.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.getipython import get_ipython

from choline_jupyter.errors import CholineError
from choline_jupyter.magic.foreseen import foresee_cell
from choline_jupyter.session.consent import Consent
from choline_jupyter.session.options import parse_cell

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from choline_jupyter.capture.selection import Choice
    from choline_jupyter.session.option_reader import Values
    from choline_jupyter.session.spec import SessionSpec

_LISTED = 300


class FilesReport:
    """The answer, as the kernel hands it over."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content

    def __repr__(self) -> str:
        return f"FilesReport({self.content!r})"

    def _repr_json_(self) -> dict[str, Any]:
        return self.content


def report_files(source: str) -> FilesReport:
    """What would go with a cell of this text. What is wrong with its options is said, as running it would."""
    line, _, cell = source.partition("\n")
    try:
        # What running the cell would say besides is said when it runs.
        with contextlib.redirect_stderr(io.StringIO()):
            return FilesReport(_describe(line.removeprefix("%%choline"), cell))
    except CholineError as error:
        return FilesReport({"problem": str(error)})


def _describe(line: str, cell: str) -> dict[str, Any]:
    options = parse_cell(line).options
    spec = _choose(options)
    if spec.files is None:
        return {"machine": spec.machine, "shares": True}
    shell: Any = _find_shell()
    needs = foresee_cell(shell, cell, len(shell.history_manager.input_hist_raw))
    choices = _find_consent().choose(needs, options)
    going = [choice for choice in choices if not choice.held]
    shown = sorted(choices, key=lambda choice: not choice.held)[:_LISTED]
    return {
        "machine": spec.machine,
        "shares": False,
        "count": len(going),
        "size": sum(choice.status.st_size for choice in going),
        "more": max(0, len(choices) - _LISTED),
        "files": [_describe_file(choice) for choice in shown],
    }


def _describe_file(choice: Choice) -> dict[str, Any]:
    path = choice.path.removeprefix(f"{Path.cwd()}/")
    held = {"held": choice.held, "asks": choice.asks, "way": "" if choice.is_excluded else choice.way}
    return {"path": path, "size": choice.status.st_size, "why": choice.why, **held}


def _choose(options: Values) -> SessionSpec:
    """The session that the cell would run in; without machine options, the one of the last cell that had some."""
    from choline_jupyter.magic.notebook import choose_session

    return choose_session(_find_shell(), options)


def _find_consent() -> Consent:
    """What the user has agreed to before is known by the notebook; nobody is asked here."""
    from choline_jupyter.magic.notebook import find_consent

    return find_consent(_find_shell()) or Consent(lambda question, is_password: "", lambda: False)


def _find_shell() -> InteractiveShell:
    shell = get_ipython()
    assert shell is not None  # the kernel's
    return shell
