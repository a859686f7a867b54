"""Which machine the options ask for, as the session that they mean.

Called by `magic` and `cli`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from choline_jupyter.errors import RequestError
from choline_jupyter.providers.provider import Access
from choline_jupyter.session.project import describe_files
from choline_jupyter.session.spec import SessionSpec
from choline_jupyter.session.wishes import NONE, Wishes, read_wishes

if TYPE_CHECKING:
    from choline_jupyter.session.option_reader import Values

ISOLATED = "this machine, isolated"
_CLIENTS = ("openssh", "paramiko")
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}\Z")


class Way(NamedTuple):
    """A machine and how to reach it."""

    provider: str
    machine: str
    access: Access


def find_way(options: Values) -> Way | None:
    """The machine that a verb's --host means; None without one. Raises RequestError."""
    host = options.text("host")
    if not host:
        return None
    accept_key, client = _check_way(options)
    return Way("ssh", host, Access(accept_key=accept_key, client=client))


def make_spec(name: str, options: Values, command: tuple[str, ...] = ()) -> SessionSpec:
    """The session that the options mean; raises RequestError where they do not fit together."""
    host = options.text("host") or ""
    provider = options.text("provider") or ("ssh" if host else "local")
    if provider == "ssh" and not host:
        raise RequestError("The provider ssh needs a machine.", "Add --host user@name.")
    if host and provider != "ssh":
        raise RequestError(f"--host does not go with the provider {provider}.", "Leave one of the two out.")
    is_isolated = options.has("isolated")
    if is_isolated and provider != "local":
        raise RequestError(f"--isolated does not go with the provider {provider}.", "Leave one of the two out.")
    accept_key, client = _check_way(options)
    wishes = _find_wishes(options.text("env") or "", provider)
    return SessionSpec(
        name,
        provider,
        host or (ISOLATED if is_isolated else "this machine"),
        packages=wishes.packages,
        are_found=not options.text("env"),
        version=wishes.version,
        command=command,
        accept_key=accept_key,
        client=client,
        files=describe_files(Path.cwd(), is_isolated) if is_isolated or provider != "local" else None,
    )


def _check_way(options: Values) -> tuple[str, str]:
    """The accepted fingerprint and the ssh client, each empty where none is given."""
    accept_key = options.text("accept-host-key") or ""
    if accept_key and not _FINGERPRINT.match(accept_key):
        raise RequestError(
            "--accept-host-key wants a fingerprint.", "It has the form SHA256:... of 43 letters and digits."
        )
    client = options.text("ssh") or ""
    if client not in ("", *_CLIENTS):
        raise RequestError(f"There is no ssh client {client!r}.", f"There are {' and '.join(_CLIENTS)}.")
    return accept_key, client


def _find_wishes(file: str, provider: str) -> Wishes:
    """What the environment is to hold by --env; nothing where the user's code is to say it, or where it is this one."""
    if file in ("", NONE):
        return Wishes()
    if provider == "local":
        raise RequestError(
            "--env is for other machines; on this one a session has this environment.", "Add --host, or leave it out."
        )
    wishes = read_wishes(file)
    for notice in wishes.notices:
        sys.stderr.write(f"choline: {notice}\n")
    return wishes
