"""Which front end shows this notebook, as far as its kernel can tell: two of them load no extension of JupyterLab.

Called by `magic.widget_meter`; asks nobody.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

VSCODE, COLAB = "VS Code", "Colab"


def find_front_end(shell: InteractiveShell) -> str:
    """VSCODE or COLAB; empty for every other one.

    VS Code sets `__vsc_ipynb_file__` in each kernel that it starts for a notebook (microsoft/vscode-jupyter,
    src/kernels/kernel.ts). Its interactive window has no notebook, but VSCODE_PID is in the environment of what it starts, which
    tqdm goes by, too (tqdm/tqdm, tqdm/autonotebook.py). A Jupyter server that was started in its terminal may have inherited
    that; the kernels of such a server have JPY_SESSION_NAME (jupyter_server, services/sessions/sessionmanager.py).
    Colab's machines have COLAB_RELEASE_TAG.
    """
    if os.environ.get("COLAB_RELEASE_TAG"):
        return COLAB
    is_started = "VSCODE_PID" in os.environ and "JPY_SESSION_NAME" not in os.environ
    return VSCODE if is_started or "__vsc_ipynb_file__" in getattr(shell, "user_ns", ()) else ""
