"""Secrets that come with a job: environment variables of the kernel while that job runs, and not a moment longer.

Filled by `bridge` in its thread when the job comes, used by `application` in the kernel's main thread. They are not part
of Jupyter's messages. What a cell has kept of a value stays hidden in all that the kernel puts out later, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from choline_jupyter.wire.mask import Mask


class Secrets:
    """`mask` is the journal's."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._coming: dict[str, dict[str, str]] = {}

    def expect(self, msg_id: str, values: Mapping[str, str]) -> None:
        """Values for the request that comes next."""
        if values:
            self._mask.add(values.values())
            self._coming[msg_id] = dict(values)

    @contextmanager
    def set_for(self, msg_id: str) -> Iterator[None]:
        """Have them in the environment; afterwards it is as before, but for what the cell itself has set."""
        values = self._coming.pop(msg_id, {})
        before = {name: os.environ.get(name) for name in values}
        os.environ.update(values)
        try:
            yield
        finally:
            for name, value in values.items():
                if os.environ.get(name) == value:
                    _restore(name, before[name])


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
