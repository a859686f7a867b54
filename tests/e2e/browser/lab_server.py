"""A real JupyterLab server with nothing of this machine's user in it. Made by conftest.py, one for each test module."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbformat.v4 import new_code_cell, new_notebook

from tests.fakes.cloud import Cloud
from tests.source_tree import ROOT

STARTUP_SECONDS = 50
SHUTDOWN_SECONDS = 20
# Carried in the environment by everything the server starts, detached processes included.
MARK = "CHOLINE_TEST_SERVER"


class LabServer:
    """Owns one JupyterLab process and everything started below it.

    `start` returns when the server answers; `stop` returns when nothing of it runs any more, and fails if a process had
    to be ended by force.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder / "work"
        self.token = secrets.token_hex(16)
        self.url = ""
        self._folder = folder
        self._log = folder / "lab.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.environment = self._isolated_environment()
        self._write_settings()

    def rent_from(self, clouds: Mapping[str, Cloud]) -> None:
        """Have these fakes for providers, from the next start on."""
        path = self._folder / "fakes.json"
        path.write_text(json.dumps({name: cloud.tell() for name, cloud in clouds.items()}))
        self.environment["CHOLINE_FAKE_CLOUD"] = str(path)

    def start(self) -> None:
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0"),
            f"--IdentityProvider.token={self.token}",
            f"--ServerApp.root_dir={self.root}",
            "--LabApp.expose_app_in_browser=True",
            "--JupyterNotebookApp.expose_app_in_browser=True",
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=self.environment, cwd=self.root, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.url = self._wait_for_url(self._process)

    def restart(self) -> None:
        """End the server as a closed terminal does, kernels with it, and start it anew in the same folders."""
        assert self._process is not None
        self.request("POST", "api/shutdown")
        self._process.wait(SHUTDOWN_SECONDS)
        self.start()

    def stop(self) -> None:
        assert self._process is not None
        self.shutdown_kernels()
        # What this fails to end is found below.
        self.run("choline_jupyter", "stop", "--all", "--yes")
        self.request("POST", "api/shutdown")
        self._process.wait(SHUTDOWN_SECONDS)
        forced = self._end_leftovers()
        assert not forced, f"still running after the server had stopped: {forced}"

    def request(self, method: str, path: str) -> Any:
        """Call the server's REST API; returns the answer's JSON, None where there is none."""
        request = urllib.request.Request(f"{self.url}/{path}", method=method)
        request.add_header("Authorization", f"token {self.token}")
        with urllib.request.urlopen(request, timeout=30) as response:
            body = response.read()
        return json.loads(body) if body else None

    def run(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python -m module arguments...` in the server's environment and folder."""
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.run(
            command, check=False, env=self.environment, cwd=self.root, capture_output=True, text=True, timeout=60
        )

    def shutdown_kernels(self) -> None:
        for session in self.request("GET", "api/sessions"):
            self.request("DELETE", f"api/sessions/{session['id']}")
        for kernel in self.request("GET", "api/kernels"):
            self.request("DELETE", f"api/kernels/{kernel['id']}")

    def write_notebook(self, name: str, *sources: str) -> str:
        """A notebook of code cells in the server's folder; returns `name`."""
        cells = [new_code_cell(source) for source in sources]
        kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernelspec}), self.root / name)
        return name

    def _isolated_environment(self) -> dict[str, str]:
        users = ("CHOLINE", "JUPYTER", "XDG_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(users)}
        folders = {
            "HOME": "home",
            "IPYTHONDIR": "ipython",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
        }
        for folder in ("work", *folders.values()):
            (self._folder / folder).mkdir(parents=True)
        own = {name: str(self._folder / folder) for name, folder in folders.items()}
        return {**kept, **own, **self._link_front_end(), MARK: self.token}

    def _link_front_end(self) -> dict[str, str]:
        """The front end as it was built last in this tree, ahead of the one that was installed."""
        built = ROOT / "choline_jupyter" / "labextension"
        if not built.exists():
            return {}
        folder = self._folder / "share" / "labextensions"
        folder.mkdir(parents=True)
        (folder / "choline-jupyter").symlink_to(built)
        return {"JUPYTER_PATH": str(folder.parent)}

    def _write_settings(self) -> None:
        # No "Jupyter news" toast over the page's corner, and every cell in the page, not only those in view.
        announcements = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
        self._write_json("config/labconfig/page_config.json", announcements)
        tracker = "settings/@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
        self._write_json(tracker, {"windowingMode": "none"})

    def _write_json(self, name: str, content: Any) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))

    def _wait_for_url(self, process: subprocess.Popen[bytes]) -> str:
        # The server chose its own port; it says which in its runtime folder.
        runtime = self._folder / "runtime" / f"jpserver-{process.pid}.json"
        deadline = time.monotonic() + STARTUP_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            if (url := self._answering(runtime)) is not None:
                return url
            time.sleep(0.1)
        process.kill()
        raise AssertionError(f"JupyterLab did not start:\n{self._log.read_text()[-4000:]}")

    def _answering(self, runtime: Path) -> str | None:
        try:
            self.url = json.loads(runtime.read_text())["url"].rstrip("/")
            self.request("GET", "api/status")
        except (OSError, ValueError, urllib.error.URLError):
            return None
        return self.url

    def _end_leftovers(self) -> list[str]:
        """End what outlived the server; returns the command lines of what did not end by itself."""
        _, alive = psutil.wait_procs(self._descendants(), timeout=SHUTDOWN_SECONDS)
        forced = [" ".join(process.cmdline()) for process in alive]
        for process in alive:
            process.kill()
        return forced

    def _descendants(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if _mark_of(process) == self.token]


def _mark_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except psutil.Error:
        return None
