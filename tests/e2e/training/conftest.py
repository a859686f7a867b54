"""One user's notebook, in sessions that have the project's files and in some that do not."""

from tests.e2e.kernels.conftest import isolation, kernel

__all__ = ["isolation", "kernel"]
