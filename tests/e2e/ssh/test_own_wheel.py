"""A package that was installed from a file of this machine, on a host whose Python is somebody's own."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.ssh.server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

METADATA = "Metadata-Version: 2.1\nName: choline-own\nVersion: 1.0\n"
INSTALL = """
import json, pathlib, sys
site = pathlib.Path('site-packages').absolute()
info = site / 'choline_own-1.0.dist-info'
info.mkdir(parents=True)
(site / 'choline_own.py').write_text('here = True')
(info / 'METADATA').write_text({metadata!r})
(info / 'RECORD').write_text('choline_own.py,,\\n')
(info / 'direct_url.json').write_text(json.dumps({{'url': {url!r}, 'archive_info': {{}}}}))
sys.path.append(str(site))
"""


def write_wheel(folder: Path) -> Path:
    """A wheel whose module says where it is."""
    path = folder / "choline_own-1.0-py3-none-any.whl"
    files = {
        "choline_own.py": "import sys\nhere = False\n",
        "choline_own-1.0.dist-info/METADATA": METADATA,
        "choline_own-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in (*files, "choline_own-1.0.dist-info/RECORD"))
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {**files, "choline_own-1.0.dist-info/RECORD": record}.items():
            wheel.writestr(name, text)
    return path


def test_it_comes_along_and_the_host_s_own_python_stays_as_it_is(
    kernel: DrivenKernel, server: Server, tmp_path: Path
) -> None:
    head = f"%%choline --host {server.address} --accept-host-key {server.fingerprint}\n"
    kernel.run(head + "import sys\nkept = 1")
    kernel.run(INSTALL.format(metadata=METADATA, url=write_wheel(tmp_path).as_uri()))
    run = kernel.run("%%choline\nimport choline_own\ncholine_own.here, kept, sys.prefix")
    assert run.read_result() == f"(False, 1, {sys.prefix!r})", run.read("stderr")
    assert "sending" in run.read("stderr")
    told = kernel.run("%%choline\n!python -c 'import choline_own; print(choline_own.__file__)'").read()
    assert "/layer/lib/" in told
    assert not list(Path(sys.prefix).glob("lib/python*/site-packages/choline_own*"))
    assert kernel.run("%%choline\nimport choline_own").read("stderr") == ""
