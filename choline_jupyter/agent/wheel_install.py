"""Installs wheels into the interpreter that runs it, without pip: run as a program by `agent.environment`.

    python wheel_install.py WHEEL...

A Debian Python has neither ensurepip nor, before 3.10, what pip needs of distutils. PyPA's `installer`, which is one of
the wheels and is imported from it, needs neither.
"""

from __future__ import annotations

import sys
import sysconfig


def main(wheels: list[str]) -> None:
    """Unpack every wheel where this interpreter looks for packages."""
    sys.path[:0] = [wheel for wheel in wheels if wheel.rpartition("/")[2].startswith("installer-")]
    from installer import install  # type: ignore[import-not-found]  # comes as a wheel
    from installer.destinations import SchemeDictionaryDestination  # type: ignore[import-not-found]
    from installer.sources import WheelFile  # type: ignore[import-not-found]

    destination = SchemeDictionaryDestination(sysconfig.get_paths(), sys.executable, "posix")
    for wheel in wheels:
        with WheelFile.open(wheel) as source:
            install(source, destination, additional_metadata={"INSTALLER": b"choline"})


if __name__ == "__main__":
    main(sys.argv[1:])
