"""`python -m choline_jupyter` is the `choline` command."""

from choline_jupyter.cli import main

raise SystemExit(main())
