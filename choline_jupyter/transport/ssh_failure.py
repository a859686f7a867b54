"""What ssh said when it could not connect, in one sentence with one on what to do.

Used by both ssh transports. The phrases are OpenSSH's own (ssh.c, sshconnect2.c, misc.c); what is not known is shown as
ssh said it.
"""

from __future__ import annotations

from collections.abc import Callable

from choline_jupyter.transport.channel import TransportError

_EXPLANATIONS: list[tuple[str, str, str]] = [
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", "{name} has another host key than before; nothing was sent to it.",
     "If its owner has changed the key, remove the old one (`ssh-keygen -R {name}`) and compare the new fingerprint."),
    ("Could not resolve hostname", "The name {name} does not resolve.",
     "Check its spelling or the host's entry in ~/.ssh/config."),
    ("Connection refused", "{name} refuses the connection: no ssh server listens on that port.",
     "Check the port, or start sshd there."),
    ("timed out", "{name} does not answer.", "Check that it is switched on and reachable from here."),
    ("No route to host", "There is no way to {name} from here.", "Check the network, or a VPN it needs."),
    ("Network is unreachable", "There is no way to {name} from here.", "Check the network, or a VPN it needs."),
    ("Permission denied", "{name} does not let this user in.",
     "Check the user name, and that your public key is in its ~/.ssh/authorized_keys."),
    ("Too many authentication failures", "{name} does not let this user in: too many keys were offered.",
     "Name the right one with IdentityFile and IdentitiesOnly in ~/.ssh/config."),
    ("incorrect passphrase", "The passphrase of the key for {name} was not right.", "Run the cell again."),
    ("This account is currently not available", "The account on {name} may not log in.",
     "Ask for one with a login shell."),
]  # fmt: skip


def explain_failure(name: str, said: str, fingerprint: str = "") -> TransportError:
    """The error for a connection to `name` that ended with these last words; `fingerprint` is of an unknown key."""
    for phrase, message, hint in _EXPLANATIONS:
        if phrase in said:
            return _fill(TransportError, name, message, hint)
    if fingerprint and "Host key verification failed" in said:
        return TransportError(
            f"{name} is not known here; its host key's fingerprint is {fingerprint}.",
            f"If that is the right machine, add --accept-host-key {fingerprint}.",
        )
    last = said.strip().splitlines()[-1] if said.strip() else "it said nothing"
    return TransportError(f"The connection to {name} failed: {last}", f"Try `ssh {name}` in a terminal.")


def _fill(make: Callable[[str, str], TransportError], name: str, message: str, hint: str) -> TransportError:
    return make(message.format(name=name), hint.format(name=name))


def explain_silence(address: str, patience: float) -> TransportError:
    """The machine let us in and then said nothing of ours for `patience` seconds."""
    return TransportError(
        f"{address} let us in but started nothing within {patience:.0f} seconds.",
        "If its login shell starts tmux or asks something, let it do so only in interactive shells.",
    )
