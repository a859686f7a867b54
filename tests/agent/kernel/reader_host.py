"""A process as the fork server is: it has the shim and the libraries, and forks for every program it is given.

Run by test_readers.py as a program, with one JSON object a line on standard input: `folder`, `code`, and where the
program's files come from (`files`, as the kernel's application is told; with `hook` the Python hook takes the shim's place).
Answers with one line: empty, or the last line of what went wrong.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from contextlib import suppress
from typing import Any

from choline_jupyter.agent.kernel.file_hook import begin_files, install_hook
from choline_jupyter.agent.kernel.file_question import FileQuestions

SLOW_IMPORTS = ("torch", "pandas", "pyarrow.parquet", "cv2", "h5py", "datasets", "zarr", "tables", "safetensors")


def run(wish: dict[str, Any]) -> str:
    """In the child: the program; what it failed with."""
    os.chdir(wish["folder"])
    files = wish["files"]
    if files and wish["hook"]:
        install_hook(FileQuestions(files["socket"], files["roots"], files["except"]))
    elif files:
        begin_files(files)
    try:
        exec(compile(wish["code"], "reader", "exec"), {"__name__": "__main__"})
    except BaseException:  # noqa: BLE001 - whatever it is, it is the answer
        return " ".join(traceback.format_exc().splitlines()[-2:])
    return ""


def main() -> None:
    for name in SLOW_IMPORTS:
        with suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        out, back = os.pipe()
        child = os.fork()
        if child == 0:
            os.dup2(2, 1)
            os.write(back, run(json.loads(line)).encode())
            os._exit(0)
        os.close(back)
        with os.fdopen(out, "rb") as answer:
            print(json.dumps(answer.read().decode()), flush=True)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
