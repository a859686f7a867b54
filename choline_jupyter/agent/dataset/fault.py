"""What can go wrong with a download, as one sentence and what to do about it.

Raised below `agent.dataset`; shown to the user as it is, so it holds no secret and no query of an address.
"""

from __future__ import annotations

import errno


class DownloadFault(Exception):
    """The dataset cannot be had; the text is a sentence without its full stop, `hint` a whole one."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


def explain_disk(error: OSError) -> DownloadFault:
    """What the disk of this machine says."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        what = error.strerror if error.strerror and "GB" in error.strerror else "no room is left"
        return DownloadFault("the disk of that machine is full: %s" % what, "Free some space there and run it again.")
    return DownloadFault("that machine cannot keep it: %s" % (error.strerror or error), "Run it again.")
