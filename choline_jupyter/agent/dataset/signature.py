"""AWS Signature Version 4 of a GET, with the standard library.

Used by `agent.dataset.bucket`. Only `host` and the `x-amz-` headers are signed: a Range may be asked for with any of them.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

_EMPTY = hashlib.sha256(b"").hexdigest()
_UNRESERVED = "-_.~"


class Keys(NamedTuple):
    """What a user has handed over to sign with; `token` is empty for keys that last."""

    access: str
    secret: str
    token: str = ""


def sign(address: str, keys: Keys, region: str, now: dt.datetime) -> dict[str, str]:
    """The headers that authorize a GET of `address` at the time `now`, which is in UTC."""
    parts = urlsplit(address)
    time = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": parts.netloc, "x-amz-content-sha256": _EMPTY, "x-amz-date": time}
    if keys.token:
        headers["x-amz-security-token"] = keys.token
    names = ";".join(sorted(headers))
    told = "".join("%s:%s\n" % (name, headers[name].strip()) for name in sorted(headers))
    path = quote(unquote(parts.path), safe="/" + _UNRESERVED) or "/"
    canonical = "\n".join(("GET", path, _spell_query(parts.query), told, names, _EMPTY))
    scope = "/".join((time[:8], region, "s3", "aws4_request"))
    text = "\n".join(("AWS4-HMAC-SHA256", time, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    signature = _derive(keys.secret, time[:8], region)
    mark = hmac.new(signature, text.encode(), hashlib.sha256).hexdigest()
    authorization = "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (
        keys.access, scope, names, mark,
    )  # fmt: skip
    return {**{name: value for name, value in headers.items() if name != "host"}, "Authorization": authorization}


def _spell_query(query: str) -> str:
    pairs = [(quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED)) for name, value in _split(query)]
    return "&".join("%s=%s" % pair for pair in sorted(pairs))


def _split(query: str) -> list[tuple[str, str]]:
    """A `+` stands for itself: services read it so."""
    return parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)


def _derive(secret: str, day: str, region: str) -> bytes:
    key = ("AWS4" + secret).encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
