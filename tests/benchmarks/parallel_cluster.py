"""The peer: ipyparallel with one engine or more, as `DirectView.execute` and, in a notebook's kernel, as `%%px`."""

from __future__ import annotations

import time
from pathlib import Path

import ipyparallel

from tests.benchmarks.timing import Timing


class ParallelCluster:
    """A controller and its engines, in a profile folder of their own."""

    def __init__(self, folder: Path, size: int = 1) -> None:
        self._cluster = ipyparallel.Cluster(n=size, profile_dir=str(folder), log_level=40)
        self._client = self._cluster.start_and_connect_sync(activate=False)
        self._view = self._client[:]

    @property
    def setup(self) -> str:
        """What a notebook runs so that its `%%px` cells go to this cluster."""
        return (
            "import ipyparallel\n"
            f"_cluster = ipyparallel.Cluster.from_file({self._cluster.cluster_file!r})\n"
            "_cluster.connect_client_sync()[:].activate()"
        )

    def run(self, code: str) -> Timing:
        start = time.perf_counter()
        self._view.execute(code, block=True)
        passed = time.perf_counter() - start
        return Timing(first=passed, done=passed)

    def close(self) -> None:
        self._client.close()
        self._cluster.stop_cluster_sync()
