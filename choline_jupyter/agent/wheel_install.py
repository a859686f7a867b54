"""Installs wheels into the interpreter that runs it, without pip: run as a program by `agent.environment`.

    python wheel_install.py WHEEL...

A Debian Python has neither ensurepip nor, before 3.10, what pip needs of distutils. PyPA's `installer`, which is one of
the wheels and is imported from it, needs neither.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from contextlib import suppress
from importlib.metadata import distributions


def main(wheels: list[str]) -> None:
    """Unpack every wheel where this interpreter looks for packages."""
    sys.path[:0] = [wheel for wheel in wheels if wheel.rpartition("/")[2].startswith("installer-")]
    from installer import install  # type: ignore[import-not-found]  # comes as a wheel
    from installer.destinations import SchemeDictionaryDestination  # type: ignore[import-not-found]
    from installer.sources import WheelFile  # type: ignore[import-not-found]

    destination = SchemeDictionaryDestination(sysconfig.get_paths(), sys.executable, "posix")
    for wheel in wheels:
        remove(wheel.rpartition("/")[2].partition("-")[0])
        with WheelFile.open(wheel) as source:
            install(source, destination, additional_metadata={"INSTALLER": b"choline"})


def remove(name: str) -> None:
    """Remove another version of a package from this environment; one that lies below it stays where it is."""
    paths = sysconfig.get_paths()
    doomed = [os.path.join(paths["scripts"], script) for script in ("pip", "pip3")] if name == "pip" else []
    for found in distributions(path=sorted({paths["purelib"], paths["platlib"]})):
        if _normalize(found.metadata["Name"] or "") == _normalize(name):
            doomed += [str(found.locate_file(file)) for file in found.files or ()]
    for path in doomed:
        if os.path.realpath(path).startswith(os.path.realpath(sys.prefix) + os.sep):
            with suppress(OSError):
                os.unlink(path)


def _normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main(sys.argv[1:])
