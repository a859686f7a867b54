"""`python .../agent PART`: the parts of the agent, each a process of its own.

    connect     give this process's standard input and output to the supervisor, starting one if none runs
    supervise   be the supervisor
    forkserver  be an environment's fork server (started by the supervisor)
    script      run one script as a job (started by the supervisor)
    download    have the files of one dataset on this machine (started by the supervisor)

Called by transports and by the agent itself. It may be run as a file, also without `site`: then the folder that holds
the package takes the place of this one on `sys.path`.
"""

from __future__ import annotations

import os
import sys

if not __package__:
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main() -> None:
    """Run the part that the first argument names."""
    part, arguments = sys.argv[1], sys.argv[2:]
    if part == "connect":
        from choline_jupyter.agent.connect import main as run
    elif part == "supervise":
        from choline_jupyter.agent.supervisor import main as run
    elif part == "forkserver":
        from choline_jupyter.agent.kernel.forkserver import main as run
    elif part == "script":
        from choline_jupyter.agent.script import main as run
    elif part == "download":
        from choline_jupyter.agent.dataset.main import main as run
    else:
        sys.exit("unknown part %r" % part)
    run(arguments)


if __name__ == "__main__":
    main()
