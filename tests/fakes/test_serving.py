"""`python -m tests.fakes`: the file that it writes leads to every fake, and it leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from choline_jupyter.providers.endpoint import find_endpoint
from tests.fakes.__main__ import FAKES
from tests.source_tree import ROOT


def test_it_serves_until_it_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fakes.json"
    environment = {**os.environ, "CHOLINE_FAKE_CLOUD": str(path)}
    command = [sys.executable, "-m", "tests.fakes"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout
            while "Ctrl-C" not in served.stdout.readline():
                assert served.poll() is None
            assert set(json.loads(path.read_text())) == set(FAKES)
            monkeypatch.setenv("CHOLINE_FAKE_CLOUD", str(path))
            endpoint = find_endpoint("vast", "https://nowhere.example")
            assert endpoint.key
            with pytest.raises(urllib.error.HTTPError, match="401") as caught:
                urllib.request.urlopen(endpoint.url + "/api/v0/users/current")
            caught.value.close()
        finally:
            served.send_signal(signal.SIGINT)
        assert served.wait(20) == 0
    assert not path.exists()
