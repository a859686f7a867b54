"""What ssh says becomes two sentences that name the machine."""

from __future__ import annotations

import pytest

from choline_jupyter.transport.ssh_failure import explain_failure

KEY = "SHA256:" + "a" * 43

CASES = [
    (
        "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
        "another host key",
        "keygen",
    ),
    ("ssh: Could not resolve hostname lab: Name or service not known", "does not resolve", "spelling"),
    ("ssh: connect to host lab port 22: Connection refused", "refuses the connection", "port"),
    ("ssh: connect to host lab port 22: Connection timed out", "does not answer", "reachable"),
    ("Connection timed out during banner exchange", "does not answer", "reachable"),
    ("ssh: connect to host lab port 22: No route to host", "no way to lab", "network"),
    ("ssh: connect to host lab port 22: Network is unreachable", "no way to lab", "VPN"),
    ("anna@lab: Permission denied (publickey).", "does not let this user in", "authorized_keys"),
    ("Received disconnect from lab: Too many authentication failures", "too many keys", "IdentitiesOnly"),
    ("Load key: incorrect passphrase supplied to decrypt private key", "passphrase", "again"),
    ("This account is currently not available.", "may not log in", "login shell"),
]


@pytest.mark.parametrize(("said", "message", "hint"), CASES)
def test_known_phrases(said: str, message: str, hint: str) -> None:
    error = explain_failure("lab", said, KEY)
    assert "lab" in str(error)
    assert message in str(error)
    assert hint in error.hint
    assert "{" not in str(error) + error.hint


def test_an_unknown_host_is_told_by_its_fingerprint() -> None:
    error = explain_failure("lab", "Host key verification failed.", KEY)
    assert KEY in str(error)
    assert f"--accept-host-key {KEY}" in error.hint


@pytest.mark.parametrize(
    ("said", "shown"),
    [("debug\n  kex_exchange: closed  \n", "kex_exchange: closed"), ("", "it said nothing"), ("  \n", "it said nothing"),
     ("Host key verification failed.", "Host key verification failed.")],
)  # fmt: skip
def test_what_is_not_known_is_shown_as_it_was_said(said: str, shown: str) -> None:
    error = explain_failure("lab", said)
    assert shown in str(error)
    assert "ssh lab" in error.hint
