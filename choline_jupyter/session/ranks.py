"""How many ranks a session has, and which of them a cell is for.

Called by `session.machine` and `magic`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from choline_jupyter.errors import RequestError

if TYPE_CHECKING:
    from choline_jupyter.session.live import LiveSession
    from choline_jupyter.session.option_reader import Values

MOST = 64


def count_ranks(options: Values, gpus: int = 1) -> int:
    """As many as `--ranks` says, else one for each GPU that is asked for; raises RequestError."""
    ranks = options.number("ranks") or max(1, gpus)
    if ranks > MOST:
        raise RequestError(f"--ranks {ranks} is more than one machine runs.", f"Use at most {MOST}.")
    return ranks


def name_session(name: str, ranks: int) -> str:
    """A notebook's sessions of different sizes are different sessions."""
    return name if ranks == 1 else f"{name} ({ranks} ranks)"


def read_ranks(options: Values, session: LiveSession) -> list[int]:
    """The ranks that `--on` names; raises RequestError when the session has others."""
    wanted = [int(number) for number in options.list("on")]
    if max(wanted) >= session.ranks:
        has = "one rank" if session.ranks == 1 else f"ranks 0 to {session.ranks - 1}"
        raise RequestError(f"The session has {has}, and --on names rank {max(wanted)}.", "--ranks N opens one with N.")
    return wanted
