"""The first words on another machine: find a Python, receive the agent if it lacks, become the connector.

Used by every ssh transport. The script is one argument to `/bin/sh -c`, so the login shell (fish, csh, ...) only has to
start a program; what its start-up files print is skipped up to our mark. A machine that has the agent costs no extra
round trip but the one in which it says so.
"""

from __future__ import annotations

import asyncio
import secrets
import shlex
from dataclasses import dataclass

from choline_jupyter.transport.archive import Archive, build_archive
from choline_jupyter.transport.channel import TransportError

_PYTHONS = ["python3", *(f"python3.{minor}" for minor in range(15, 8, -1)), "python"]
_NOISE = 1 << 20  # what a login shell may print before our mark

# Reads exactly `size` bytes from standard input and unpacks them beside the place they get in one rename.
_RECEIVER = """
import io, os, shutil, sys, tempfile, zipfile
target, size = sys.argv[1], int(sys.argv[2])
data = b""
while len(data) < size:
    part = os.read(0, min(1 << 16, size - len(data)))
    if not part:
        sys.exit(5)
    data += part
os.makedirs(os.path.dirname(target), 0o700, exist_ok=True)
folder = tempfile.mkdtemp(dir=os.path.dirname(target))
try:
    zipfile.ZipFile(io.BytesIO(data)).extractall(folder)
    with open(os.path.join(folder, "python"), "w") as file:
        file.write(sys.executable)
    os.rename(folder, target)
except OSError:
    shutil.rmtree(folder, ignore_errors=True)
    if not os.path.isdir(target):
        raise
"""

_SCRIPT = """
say() {{ printf '\\n%s %s\\n' {mark} "$*"; }}
agent="${{XDG_CACHE_HOME:-$HOME/.cache}}/choline/agent/{digest}"
python=$(cat "$agent/python" 2>/dev/null)
if [ ! -x "$python" ]; then
    seen=
    for python in {pythons}; do
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2]); sys.exit(sys.version_info < (3, 9))' \\
            2>/dev/null) && break
        seen="$seen $version"; python=
    done
    [ -n "$python" ] || {{ say no-python $seen; exit 3; }}
fi
if [ ! -d "$agent" ]; then
    say need
    "$python" -S -c {receiver} "$agent" {size} || {{ say no-room "$agent"; exit 4; }}
fi
say ready
exec "$python" -S "$agent/choline_jupyter/agent/__main__.py" connect {options}
"""


@dataclass(frozen=True)
class Bootstrap:
    """One connection's script and the mark that tells its words from the login shell's."""

    mark: str
    command: str
    archive: Archive

    async def shake_hands(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the script until it says that the connector is next. Raises TransportError, EOFError at its end."""
        while True:
            word, _, rest = (await self._hear(reader)).partition(" ")
            if word == "ready":
                return
            if word == "need":
                writer.write(self.archive.data)
            elif word == "no-python":
                raise TransportError(*_explain_python(rest))
            else:
                raise TransportError(
                    f"The machine cannot keep choline's agent in {rest}.",
                    "Make room there, or set XDG_CACHE_HOME to a folder that can be written.",
                )

    async def _hear(self, reader: asyncio.StreamReader) -> str:
        """The next line with our mark; other lines are the login shell's."""
        noise = 0
        while noise < _NOISE:
            line = await reader.readline()
            if not line:
                raise EOFError
            if line.startswith(self.mark.encode() + b" "):
                return line.decode(errors="replace").strip().partition(" ")[2]
            noise += len(line)
        raise TransportError(
            "The machine's login shell prints without end.", "Let its start-up files print only in interactive shells."
        )


def make_bootstrap(options: tuple[str, ...] = ()) -> Bootstrap:
    """The script for one connection; `options` are the connector's."""
    mark = "CHOLINE-" + secrets.token_hex(8)
    archive = build_archive()
    script = _SCRIPT.format(
        mark=mark,
        digest=archive.digest,
        size=len(archive.data),
        pythons=" ".join(_PYTHONS),
        receiver=shlex.quote(_RECEIVER),
        options=" ".join(map(shlex.quote, options)),
    )
    return Bootstrap(mark, "exec /bin/sh -c " + shlex.quote(script), archive)


def _explain_python(versions: str) -> tuple[str, str]:
    found = f"only Python {', '.join(versions.split())}" if versions.split() else "no Python"
    return (
        f"The machine has {found}; choline needs 3.9 or newer.",
        "Install one there; no rights but the user's are needed.",
    )
