"""GET over https, redirects followed by hand: what authorizes a request goes to the host that it is for and to no other.

Used by everything in `agent.dataset` that talks to a server. Proxies and certificates are those of the machine's environment
(`https_proxy`, `SSL_CERT_FILE`).
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from email.message import Message
from typing import Any, Callable, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from choline_jupyter.agent.dataset.fault import DownloadFault
from choline_jupyter.model.dataset import is_loopback

TIMEOUT = 30.0  # seconds of silence
_MOST_HOPS = 10
_REDIRECTS = (301, 302, 303, 307, 308)
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_BODY = 1 << 16  # bytes of an error that are read
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_SAFE = "%/:=&?~#+!$,;'@()*[]"  # what stays as it is in an address

Headers = Message  # whatever their case
Authorize = Callable[[str], Mapping[str, str]]  # the headers for one address; none for one that it is not for


class Passing(Exception):
    """It may go better in a moment: the connection was cut, or the server is busy. `wait` is what it asks for, in s."""

    def __init__(self, text: str, wait: float = 0.0) -> None:
        super().__init__(text)
        self.wait = wait


class Answer(NamedTuple):
    """What a server said: `hops` are the headers of the redirects on the way; `stream` is None for an error's answer."""

    status: int
    headers: Headers
    hops: tuple[Headers, ...]
    stream: Any
    text: str = ""  # of an error


class Web:
    """`allows_plain`: what comes is checked by its digest, so that http may be on the way."""

    def __init__(self, authorize: Authorize = lambda _: {}, allows_plain: bool = False) -> None:
        self._authorize, self._allows_plain = authorize, allows_plain
        self._opener = urllib.request.OpenerDirector()
        context = _make_context()
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(context=context),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
        ):
            self._opener.add_handler(handler)

    def get(self, address: str, headers: Mapping[str, str], follows: bool = True) -> Answer:
        """GET; the answer's stream is the caller's to close. Raises Passing, DownloadFault."""
        hops: tuple[Headers, ...] = ()
        for _ in range(_MOST_HOPS):
            address = quote(address, safe=_SAFE)
            self._check(address)
            answer = self._ask(address, {**headers, **self._authorize(address)})
            target = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or not target or not follows:
                return answer._replace(hops=hops)
            hops, address = (*hops, answer.headers), urljoin(address, target)
        raise DownloadFault("%s leads from one address to the next" % find_host(address))

    def _ask(self, address: str, headers: Mapping[str, str]) -> Answer:
        host = find_host(address)
        told = {"User-Agent": "choline", "Accept": "*/*", **headers}
        request = urllib.request.Request(address, headers=told)  # noqa: S310 - `_check` has seen it
        try:
            response = self._opener.open(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            with error:
                return _read_error(error)
        except urllib.error.URLError as error:
            raise _explain(host, error.reason) from None
        except (OSError, http.client.HTTPException) as error:
            raise _explain(host, error) from None
        except ValueError:  # its text would show a header
            raise DownloadFault("%s cannot be asked for that" % host, "Look at the address.") from None
        return Answer(response.status, response.headers, (), response)

    def _check(self, address: str) -> None:
        scheme, host = urlsplit(address).scheme, urlsplit(address).hostname or ""
        if scheme == "http" and (self._allows_plain or is_loopback(host)):
            return
        if scheme != "https":
            raise DownloadFault(
                "it would come over %s:// from %s" % (scheme, host),
                "What is not encrypted may be changed on its way: add #sha256=HEX of what is to come.",
            )


def is_passing(status: int) -> bool:
    """Whether a server that answers so may answer better in a moment."""
    return status in _PASSING


def find_host(address: str) -> str:
    """The host of an address, for messages."""
    return urlsplit(address).netloc.rpartition("@")[2] or address[:60]


def find_origin(address: str) -> tuple[str, str, int]:
    """Scheme, host and port: what two addresses of one server have in common."""
    parts = urlsplit(address)
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)


def _read_error(error: urllib.error.HTTPError) -> Answer:
    body = b""
    with suppress(OSError, http.client.HTTPException):
        body = error.read(_BODY)
    return Answer(error.code, error.headers, (), None, body.decode(errors="replace"))


def _explain(host: str, reason: object) -> Exception:
    """Of a request that had no answer."""
    if isinstance(reason, ssl.SSLCertVerificationError):
        return DownloadFault(
            "the certificate of %s is not trusted there: %s" % (host, reason.verify_message),
            "Where the machine has its certificates elsewhere, SSL_CERT_FILE in its environment says where.",
        )
    if isinstance(reason, socket.gaierror):
        return Passing("that machine cannot find %s: %s" % (host, reason.strerror or reason))
    return Passing("%s cannot be reached from that machine: %s" % (host, getattr(reason, "strerror", None) or reason))


def _make_context() -> ssl.SSLContext:
    """The machine's certificates; a Python that came without its own looks where systems have theirs."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"] and not os.environ.get("SSL_CERT_FILE"):
        for bundle in _BUNDLES:
            with suppress(OSError, ssl.SSLError):
                context.load_verify_locations(bundle)
                break
    return context
