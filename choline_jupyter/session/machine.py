"""Which machine the options ask for, as the session that they mean.

Called by `magic` and `cli`.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from choline_jupyter.errors import RequestError
from choline_jupyter.model.offer import Wish
from choline_jupyter.model.session import Trust
from choline_jupyter.providers.config import ConfigError, read_file_wait
from choline_jupyter.providers.provider import Access
from choline_jupyter.providers.registry import list_names
from choline_jupyter.session.datasets import list_paths
from choline_jupyter.session.project import describe_files
from choline_jupyter.session.ranks import count_ranks, name_session
from choline_jupyter.session.rent.limits import LIMITS, WAIT, read_limits, read_loss_policy
from choline_jupyter.session.rent.renter import Rent
from choline_jupyter.session.rent.suppliers import can_stand, is_rented
from choline_jupyter.session.rent.wish import is_wish, read_wish
from choline_jupyter.session.spec import SessionSpec
from choline_jupyter.session.wishes import NONE, Wishes, read_wishes

if TYPE_CHECKING:
    from choline_jupyter.session.option_reader import Values

SERIES = "%d.%d" % sys.version_info[:2]  # of Python, as the notebook's code is used to it
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
    if _wants_rent(options, provider, host):
        return _make_rented(name, options, command)
    if provider == "ssh" and not host:
        raise RequestError("The provider ssh needs a machine.", "Add --host user@name.")
    if host and provider != "ssh":
        raise RequestError(f"--host does not go with the provider {provider}.", "Leave one of the two out.")
    is_isolated = options.has("isolated")
    if is_isolated and provider != "local":
        raise RequestError(f"--isolated does not go with the provider {provider}.", "Leave one of the two out.")
    accept_key, client = _check_way(options)
    wishes = _find_wishes(options.text("env") or "", provider)
    ranks = count_ranks(options)
    return SessionSpec(
        name if command else name_session(name, ranks),
        provider,
        host or (ISOLATED if is_isolated else "this machine"),
        packages=wishes.packages,
        are_found=not options.text("env"),
        version=wishes.version or ("" if provider == "local" else SERIES),
        command=command,
        accept_key=accept_key,
        client=client,
        files=_describe_files(options, is_isolated) if is_isolated or provider != "local" else None,
        ranks=ranks,
    )


def limit_further(spec: SessionSpec, options: Values) -> SessionSpec:
    """The same session with the limits that a later cell gives; raises RequestError where nothing is rented."""
    given = [name for name in LIMITS if options.has(name)]
    if not given:
        return spec
    if not spec.rent:
        raise RequestError(f"--{given[0]} is for rented machines; this session costs nothing.", "Leave it out.")
    return replace(spec, rent=replace(spec.rent, limits=read_limits(options, spec.rent.limits)))


def _wants_rent(options: Values, provider: str, host: str) -> bool:
    """Whether the options ask for a machine that costs money; raises RequestError for what no machine can be."""
    named = options.text("provider") or ""
    if named:
        try:
            if is_rented(named):
                return True
        except KeyError:
            raise RequestError(
                f"There is no provider {named!r}.", f"Installed are: {', '.join(list_names())}."
            ) from None
    limits = [name for name in (*LIMITS, "on-loss", "wait") if options.has(name)]
    if limits and not is_wish(options):
        raise RequestError(f"--{limits[0]} is for rented machines.", "Add --gpu or --provider, or leave it out.")
    if is_wish(options) and (host or named):
        raise RequestError(
            f"A machine of {provider} has what it has.", "Leave out --gpu and its like, or name a provider that rents."
        )
    return is_wish(options)


def _make_rented(name: str, options: Values, command: tuple[str, ...]) -> SessionSpec:
    """A session on a machine that is rented for it. Raises RequestError."""
    host, is_isolated = options.has("host"), options.has("isolated")
    if host or is_isolated:
        raise RequestError(
            f"--{'host' if host else 'isolated'} does not go with a rented machine.", "Leave one of the two out."
        )
    wishes = _find_wishes(options.text("env") or "", "rented")
    provider, (on_loss, wait) = options.text("provider") or "", read_loss_policy(options)
    if on_loss == WAIT and provider and not can_stand(provider):
        raise RequestError(
            f"A machine of {provider} that is lost is gone: there is nothing to wait for.",
            "Leave --on-loss out: its jobs go on on another one.",
        )
    rent = Rent(read_wish(options), read_limits(options), provider, on_loss=on_loss, wait=wait)
    ranks = count_ranks(options, rent.wish.count)
    return SessionSpec(
        name if command else name_session(name, ranks),
        rent.provider,
        _describe_wish(rent.wish),
        packages=wishes.packages,
        are_found=not options.text("env"),
        version=wishes.version or SERIES,
        command=command,
        lease=rent.limits.lease,
        trust=Trust.TRUSTED if options.has("trust") else Trust.RENTED,
        client=_check_way(options)[1],
        files=_describe_files(options, False),
        rent=rent,
        ranks=ranks,
    )


def _describe_wish(wish: Wish) -> str:
    """In the user's words, for messages."""
    gpu = f"{wish.count}x {wish.gpu}" if wish.count > 1 else wish.gpu
    return " ".join(filter(None, (gpu or "a rented machine", "spot" if wish.is_spot else "", wish.region)))


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


def _describe_files(options: Values, is_isolated: bool) -> dict[str, Any]:
    try:
        return describe_files(Path.cwd(), is_isolated, list_paths(options), read_file_wait())
    except ConfigError as error:
        raise RequestError(str(error), "Mend that file.") from None
