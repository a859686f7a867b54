"""Where the agent keeps things on this machine: one folder for what lasts, one short one for sockets.

Called by every process of the agent. Both folders are 0700 and checked to be the user's own. What lasts is under
`$CHOLINE_AGENT_HOME`, else `$XDG_STATE_HOME/choline/agent`, else `~/.local/state/choline/agent`; where that cannot be
written, under the temporary folder, and `Place.notice` says so. Socket paths are limited to about 100 bytes
(`sun_path`), so they get a folder of their own with a short name.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from choline_jupyter.model.names import check_identifier


class PlaceError(Exception):
    """A folder of the agent belongs to somebody else or cannot be made."""


class Place:
    """The agent's folders of this user on this machine; with a `home`, those of one particular agent."""

    def __init__(self, home: str = "") -> None:
        self.notice = ""
        self.home = self._find_home(home)
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:10]
        self.sockets = _claim(find_runtime() / digest)
        self.lock = self.home / "supervisor.lock"
        self.log = self.home / "supervisor.log"
        self.door = self.sockets / "door"  # stream socket: clients' connectors
        self.bell = self.sockets / "bell"  # datagram socket: ranks

    def find_session(self, session: str) -> Path:
        """The folder of a session's journal and state."""
        return self.home / "sessions" / check_identifier(session)

    def find_rank_socket(self, session: str, rank: int) -> Path:
        return self.sockets / ("%s.%d" % (check_identifier(session), rank))

    def find_rank_bell(self, session: str, rank: int) -> Path:
        return self.sockets / ("%s.%d.b" % (check_identifier(session), rank))

    def find_files_socket(self, session: str) -> Path:
        """Where a session's kernels ask for files."""
        return self.sockets / ("%s.f" % check_identifier(session))

    def remove(self) -> None:
        """Remove all that choline keeps of this user on this machine: this agent's folders and the caches of all."""
        from choline_jupyter.agent.layer import thaw_tree  # a connector waits for every import of this file's

        cache = find_cache()
        for environment in (cache / "environments").glob("*"):
            thaw_tree(environment)
        for folder in (self.home, self.sockets, cache / "agent", cache / "environments"):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.home.parent, self.sockets.parent, cache):
            with suppress(OSError):  # something else is in it
                folder.rmdir()

    def _find_home(self, home: str) -> Path:
        wanted = Path(home or os.environ.get("CHOLINE_AGENT_HOME") or _find_state() / "choline" / "agent")
        try:
            return _claim(wanted)
        except OSError as error:
            fallback = _claim(find_runtime() / "agent")
            self.notice = "%s cannot be written (%s); %s is used, which a restart may empty." % (
                wanted, error.strerror, fallback,
            )  # fmt: skip
            return fallback


def find_directory(wanted: str, instead: str = "") -> str:
    """Where a session can run: the path its user has at home, made if need be; else `instead`, or one of that name here."""
    try:
        os.makedirs(wanted, exist_ok=True)
        if not instead or os.access(wanted, os.W_OK | os.X_OK):
            return wanted
    except OSError:
        if os.path.isdir(wanted) and not instead:
            return wanted
    here = os.path.join(os.path.expanduser("~"), "choline", os.path.basename(wanted.rstrip("/")) or "session")
    os.makedirs(instead or here, exist_ok=True)
    return instead or here


def find_cache() -> Path:
    """Where the pushed agents and made environments of this user are."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "choline"


def find_runtime() -> Path:
    """Where the sockets of all agents of this user are. Raises PlaceError, OSError."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base and os.path.isdir(base) and os.access(base, os.W_OK):
        return _claim(Path(base) / "choline")
    return _claim(Path(tempfile.gettempdir()) / ("choline-%d" % os.getuid()))


def _find_state() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state"))


def _claim(path: Path) -> Path:
    """Make `path`, 0700; raises PlaceError when it is not this user's own, OSError when it cannot be made."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise PlaceError("%s belongs to somebody else." % path)
    if status.st_mode & 0o077:
        os.chmod(path, 0o700)
    if not os.access(path, os.W_OK):
        raise PermissionError(13, "no permission to write", str(path))
    return path
