"""The public names, and what importing the package costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import choline_jupyter
from tests.source_tree import ROOT

# Nothing of this may be loaded before a cell needs it.
HEAVY = {
    "IPython",
    "boto3",
    "botocore",
    "jupyter_server",
    "matplotlib",
    "modal",
    "numpy",
    "pandas",
    "paramiko",
    "sqlite3",
    "torch",
    "zmq",
}


def loaded_after(program: str) -> set[str]:
    """Top-level modules that a fresh interpreter has after running `program`."""
    report = f"{program}\nimport sys; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    ran = subprocess.run([sys.executable, "-c", report], check=True, capture_output=True, text=True, cwd=ROOT)
    return set(ran.stdout.split())


def test_public_names_are_listed_once_and_sorted() -> None:
    assert choline_jupyter.__all__ == sorted(set(choline_jupyter.__all__))


@pytest.mark.parametrize("name", choline_jupyter.__all__)
def test_every_public_name_exists(name: str) -> None:
    assert getattr(choline_jupyter, name) is not None


def test_exactly_the_listed_names_are_public() -> None:
    defined = {name for name, value in vars(choline_jupyter).items() if _is_defined_here(name, value)}
    assert defined | set(choline_jupyter._HOMES) | {"__version__"} == set(choline_jupyter.__all__)


def _is_defined_here(name: str, value: object) -> bool:
    return not name.startswith("_") and getattr(value, "__module__", None) == choline_jupyter.__name__


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        choline_jupyter.no_such_name  # noqa: B018


def test_import_loads_nothing_heavy() -> None:
    assert not loaded_after("import choline_jupyter") & HEAVY


def test_loading_the_extension_brings_no_torch_and_no_provider() -> None:
    program = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell()\n"
        "shell.run_line_magic('load_ext', 'choline_jupyter')\n"
        "assert 'choline' in shell.magics_manager.magics['cell']"
    )
    before = loaded_after("from IPython.core.interactiveshell import InteractiveShell; InteractiveShell()")
    brought = loaded_after(program) - before
    assert not brought & (HEAVY - {"zmq", "sqlite3"})
