"""Names of sessions and jobs: what a user may type, and the identifiers made from it.

Called by `session` (to make them) and `agent` (to check them before they become file names). Promise: an
identifier accepted here is safe as one path component and as a label at any provider.
"""

from __future__ import annotations

import re
import secrets
import time

_IDENTIFIER = re.compile(r"[a-z][a-z0-9-]{1,62}\Z")
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no letters that look like digits


def make_identifier(prefix: str) -> str:
    """A new identifier such as `j-01h8x3k9-4f7q`: sorts by the second it was made in, unique by 40 random bits."""
    return "%s-%s-%s" % (prefix, _encode(int(time.time()), 7), _encode(secrets.randbits(40), 8))


def check_identifier(value: object) -> str:
    """Return `value` if it is an identifier; raises ValueError otherwise."""
    if isinstance(value, str) and _IDENTIFIER.match(value):
        return value
    raise ValueError("not an identifier: %.80r" % (value,))


def _encode(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
