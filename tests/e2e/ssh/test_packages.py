"""A host whose Python lacks what cells import: it is installed before they run, beside what other sessions share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.ssh.server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


# A distribution that is on no index; the path is set behind the back of what would set it over there, too.
OWN = """
import pathlib, sys
site = pathlib.Path('site-packages').absolute()
info = site / 'choline_own-1.0.dist-info'
info.mkdir(parents=True)
(site / 'choline_own.py').touch()
(info / 'METADATA').write_text('Metadata-Version: 2.1\\nName: choline-own\\nVersion: 1.0\\n')
(info / 'RECORD').write_text('choline_own.py,,\\n')
exec('sys.path.append(str(site))')
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its `python3` has the standard library only; it has uv, and reaches what this machine reaches."""
    bare = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    (bare / "bin" / "uv").symlink_to(Path(sys.executable).parent / "uv")
    pip = " ".join(f"{key}={value}" for key, value in os.environ.items() if key in ("PIP_FIND_LINKS", "PIP_CERT"))
    made = Server(f"PATH={bare}/bin:{os.defpath} {pip}")
    yield made
    made.close()


@pytest.fixture(scope="module")
def head(server: Server) -> str:
    return f"%%choline --host {server.address} --accept-host-key {server.fingerprint}\n"


def test_a_later_cell_imports_what_the_session_lacks(kernel: DrivenKernel, head: str, server: Server) -> None:
    run = kernel.run(head + "import os, sys\nkept = os.getpid()\nsys.version_info[:2]")
    assert run.read_result() == str(sys.version_info[:2])
    kernel.run("import sortedcontainers\ndef sort(*values):\n    return list(sortedcontainers.SortedList(values))")
    run = kernel.run("%%choline\nsort(3, 1, 2), kept == os.getpid(), sys.modules['sortedcontainers'].__version__")
    import sortedcontainers  # type: ignore[import-untyped]

    assert run.read_result() == f"([1, 2, 3], True, {sortedcontainers.__version__!r})", run.read("stderr")
    assert "installing sortedcontainers ..." in run.read("stderr")
    assert kernel.run("%%choline\nimport sortedcontainers\nsort(2, 1)").read("stderr") == ""


def test_what_a_cell_installs_is_the_session_s_own(kernel: DrivenKernel, head: str, server: Server) -> None:
    run = kernel.run("%%choline\n%pip install --quiet tabulate==0.9.0\nimport tabulate\ntabulate.__file__")
    assert "/layer/" in run.read_result(), run.read("stderr")
    assert (
        kernel.run("%%choline\n!python -c 'import tabulate, sortedcontainers; print(tabulate.__version__)'").read()
        == "0.9.0\r\n"
    )
    [base] = (server.home / "cache" / "choline" / "environments").glob("*/lib/python*/site-packages")
    assert (base / "ipykernel").is_dir()
    assert not list(base.glob("tabulate*"))
    assert not base.stat().st_mode & 0o222
    other = kernel.run(
        head.replace("--host", "--session other --host") + "import importlib.util\nimportlib.util.find_spec('tabulate')"
    )
    assert other.find("execute_result") == []
    assert other.read("stderr").count("making an environment") == 0


def test_another_kernel_of_the_session_has_what_it_was_given(kernel: DrivenKernel, head: str) -> None:
    assert kernel.run(head + "import os\nos._exit(1)").reply["status"] == "error"
    run = kernel.run(head + "import tabulate, sys\nsort(2, 1), tabulate.__version__, '/layer' in sys.prefix")
    assert run.read_result() == "([1, 2], '0.9.0', True)", run.messages
    assert "installing" not in run.read("stderr")


def test_what_a_local_module_imports_counts(kernel: DrivenKernel, head: str, isolation: Isolation) -> None:
    (isolation.folder / "choline_mine.py").write_text("import cycler\nnames = cycler.cycler(a=[1]).keys")
    run = kernel.run(head + "import choline_mine\ncholine_mine.names")
    assert run.read_result() == "{'a'}", run.read("stderr")
    assert "installing cycler ..." in run.read("stderr")


def test_a_script_has_what_it_imports_or_says(kernel: DrivenKernel, server: Server, isolation: Isolation) -> None:
    block = "# /// script\n# dependencies = ['tabulate==0.9.0']\n# ///\n"
    for name, text in {"imports": "import sortedcontainers as s\n", "says": f"{block}import tabulate as s\n"}.items():
        (isolation.folder / f"{name}.py").write_text(f"{text}print(s.__version__)")
        told = kernel.run(f"!{sys.executable} -m choline_jupyter {name}.py --host {server.address}").read()
        assert told.splitlines()[-1] in ("2.4.0", "0.9.0"), told


def test_what_is_nowhere_does_not_stop_a_cell(kernel: DrivenKernel, head: str) -> None:
    """A distribution of this machine that no index has: said, and the cell goes on to its own end."""
    kernel.run(OWN)
    code = "import pyparsing\ntry:\n    import choline_own as own\nexcept ImportError as error:\n    print(error.name)"
    run = kernel.run(head + code)
    assert run.read() == "choline_own\n"
    assert "not installed: choline-own==1.0" in run.read("stderr").lower()


def test_a_module_that_nothing_here_has(kernel: DrivenKernel, head: str) -> None:
    run = kernel.run(head + "import choline_nowhere")
    assert run.reply["ename"] == "ModuleNotFoundError"
    assert "nothing that is installed here has choline_nowhere" in run.read("stderr")


def test_what_the_user_names_must_be_had(kernel: DrivenKernel, head: str, tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    named = head.replace("--host", f"--env {file} --host")
    for _ in range(2):
        file.write_text("choline-has-no-such-package==1.0")
        run = kernel.run(named + "never = 1")
        assert "choline-has-no-such-package" in run.read_error()
        assert len(run.read_error()) < 1000
    file.write_text("tabulate==0.9.0")
    assert kernel.run(named + "'never' in globals()").read_result() == "False"
