"""What the user's own code may call where it runs: `log`, `checkpoint` and `resume`.

Imported by cells and scripts through `choline_jupyter`; pushed to other machines with the agent. Promises: torch is imported
on use only, IPython never; without an agent everything works on this machine's disk and nothing is told to anybody.
"""

from __future__ import annotations

from choline_jupyter.training.checkpoints import checkpoint, finish, resume
from choline_jupyter.training.metrics import log

__all__ = ["checkpoint", "finish", "log", "resume"]
