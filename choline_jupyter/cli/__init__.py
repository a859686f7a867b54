"""The command `choline` (= `python -m choline_jupyter`): the magics' verbs, and scripts run as jobs.

Called by the user's shell; calls `session`. Promise: exit status 0 for success, a script's own status for a script,
2 for what was typed wrong, 1 for everything else; an error is two sentences on standard error, and what still costs money,
never a stack.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    from choline_jupyter.cli.command import run
    from choline_jupyter.errors import CholineError, RequestError
    from choline_jupyter.session.failures import complete_errors

    try:
        with complete_errors():
            return run(sys.argv[1:] if arguments is None else list(arguments))
    except RequestError as error:
        print(error.render(), file=sys.stderr)
        return 2
    except CholineError as error:
        print(error.render(), file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        return 130
