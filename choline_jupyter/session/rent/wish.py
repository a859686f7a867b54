"""What the options wish for: a GPU by name, any with enough memory, spot or not, where, at which price at most.

Called by `session.machine` and the verb `offers`; no I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from choline_jupyter.errors import RequestError
from choline_jupyter.model.gpu import UnknownGpu, read_gpus
from choline_jupyter.model.offer import Wish
from choline_jupyter.session.option_table import quote

if TYPE_CHECKING:
    from choline_jupyter.session.option_reader import Values

OPTIONS = ("gpu", "memory", "spot", "region", "max-price")


def is_wish(options: Values) -> bool:
    """Whether any of the options asks for a machine by what it has."""
    return any(options.has(name) for name in OPTIONS)


def read_wish(options: Values) -> Wish:
    """The wish; raises RequestError that names the nearest GPUs."""
    count, gpu = 0, ""
    if options.text("gpu"):
        count, gpu = _read_gpus(options.text("gpu") or "")
    return Wish(
        gpu,
        count,
        gpu_memory=options.number("memory") or 0,
        is_spot=options.has("spot"),
        region=options.text("region") or "",
        max_price=options.amount("max-price"),
    )


def _read_gpus(text: str) -> tuple[int, str]:
    try:
        count, gpu = read_gpus(text)
    except UnknownGpu as error:
        nearest = f"Did you mean {' or '.join(error.nearest)}?" if error.nearest else "`choline offers` lists them."
        raise RequestError(f"There is no GPU {quote(text)}.", nearest) from None
    except ValueError as error:
        raise RequestError(f"--gpu {quote(text)}: {error}.", "Write it like a100, 4xa100 or a100:4.") from None
    return count, gpu.name
