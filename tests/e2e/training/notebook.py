"""What the tests of this folder ask a notebook and its home for."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from tests.e2e.kernels.driven_kernel import DrivenKernel, Run
from tests.e2e.kernels.isolation import Isolation

LOCAL, APART = "%%choline\n", "%%choline --isolated\n"
_FINISH = """
from choline_jupyter.session.bridge import get_bridge as _get_bridge
for _session in list(_get_bridge().engine.sessions.values()):
    _get_bridge().call(_session.finish_fetches())
[_sentence for _session in _get_bridge().engine.sessions.values() for _sentence in _session.files.take_notices()]
"""


def succeed(kernel: DrivenKernel, code: str) -> Run:
    """Run a cell that ends well."""
    run = kernel.run(code)
    assert run.reply["status"] == "ok", (run.reply, run.read("stderr"))
    return run


def finish(kernel: DrivenKernel) -> str:
    """Wait until all is home; what was said of it."""
    return str(succeed(kernel, _FINISH).read_result())


def find_job(kernel: DrivenKernel, skip: int = 0) -> str:
    """The newest job of a notebook, or one of those before."""
    names = re.findall(r"^(j-\S+)", succeed(kernel, "%choline runs").read(), re.MULTILINE)
    return str(names[skip])


def list_home(isolation: Isolation, job: str) -> list[Path]:
    """A job's checkpoints at home."""
    folder = isolation.folder / "checkpoints" / job
    return sorted(path for path in folder.iterdir() if not path.name.endswith(".json"))


def expect_whole(path: Path) -> dict[str, Any]:
    """A checkpoint is what its record says; gives the record."""
    record: dict[str, Any] = json.loads(path.with_name(path.name + ".json").read_text())
    for name, size, digest in record["files"] or [["", record["size"], record["sha256"]]]:
        content = (path / name if name else path).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (size, digest)
    return record
