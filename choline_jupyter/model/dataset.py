"""Addresses of datasets: what may stand behind `--with` beside paths, read into its parts.

Read by `session.datasets` before anything is sent, and again by `agent.dataset` on the machine that downloads. Promise: what
passes has one meaning; what does not is one sentence and one on what to write instead. No I/O.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

SCHEMES = ("https", "http", "hf", "s3")
_SHA256 = re.compile(r"sha256=([0-9a-fA-F]{64})\Z")
_LOOPBACK = re.compile(r"(localhost|127(\.[0-9]{1,3}){3}|::1)\Z")
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_WRITE = {
    "hf": "Write hf://datasets/OWNER/NAME[@REVISION][/PATH] or hf://OWNER/MODEL[@REVISION][/PATH].",
    "s3": "Write s3://BUCKET/KEY, or s3://BUCKET/FOLDER/ for all that is below it.",
    "https": "Write https://HOST/PATH.",
}


class AddressError(ValueError):
    """What was written is no address of a dataset; `hint` says what to write."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


class HubAddress(NamedTuple):
    """A part of a repository of the hub: `repository` is `datasets/OWNER/NAME` or `OWNER/MODEL`; `path` is empty for all."""

    repository: str
    revision: str
    path: str
    is_folder: bool


class Address(NamedTuple):
    """`text` is the address without its `#sha256=...`; `name` is what the file or folder is called if nobody says."""

    scheme: str
    text: str
    sha256: str
    name: str
    is_folder: bool = False

    def read_hub(self) -> HubAddress:
        """Of an `hf://` address."""
        return _read_hub(self.text)

    def read_bucket(self) -> tuple[str, str]:
        """Bucket and key of an `s3://` address; a folder's key ends with `/` or is empty."""
        return _read_bucket(self.text)

    def describe(self) -> str:
        """For messages: without the query, which may be a signature."""
        return self.text.partition("?")[0]


def read_address(text: str) -> Address:
    """`text` as the address of a dataset; raises AddressError."""
    plain, mark, fragment = text.partition("#")
    scheme = plain.partition("://")[0].lower()
    digest = _SHA256.match(fragment)
    if mark and not digest:
        raise AddressError(
            "%r says something behind # that is no digest." % text[:80], "Write #sha256=HEX, of 64 digits."
        )
    if scheme not in SCHEMES:
        raise AddressError("Nothing can be fetched from %r." % text[:80], "There are https://, hf:// and s3://.")
    sha256 = digest[1].lower() if digest else ""
    address = _READERS[scheme](plain, sha256)
    if address.is_folder and sha256:
        raise AddressError(
            "%s is a folder and has no digest." % plain[:80], "Give one file of it, or leave out #sha256."
        )
    return address


def is_loopback(host: str) -> bool:
    """Whether a host is the machine itself, by its name."""
    return bool(_LOOPBACK.match(host))


def _read_web(plain: str, sha256: str) -> Address:
    try:
        parts = urlsplit(plain)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host:
        raise AddressError("%r names no host." % plain[:80], _WRITE["https"])
    if parts.username is not None or parts.password is not None:
        raise AddressError(
            "The address at %s has a password in it, which would stay in the notebook." % host,
            "Use an address that is signed, or hf:// or s3:// with --secret.",
        )
    if parts.scheme == "http" and not sha256 and not is_loopback(host):
        raise AddressError(
            "What comes over http:// may be changed on its way.",
            "Write https://, or add #sha256=HEX of what is to come.",
        )
    name = _name(unquote(parts.path))
    if not name:
        raise AddressError("%r does not say what the file is called." % plain[:80], "Write PATH=%s." % plain[:80])
    return Address(parts.scheme, plain, sha256, name)


def _read_hub_address(plain: str, sha256: str) -> Address:
    hub = _read_hub(plain)
    name = _name(hub.path.rstrip("/")) or hub.repository.rpartition("/")[2]
    return Address("hf", plain, sha256, name, hub.is_folder)


def _read_hub(plain: str) -> HubAddress:
    kind, _, rest = plain.partition("://")[2].partition("/")
    prefix, words = ("datasets/", rest) if kind == "datasets" else ("", "%s/%s" % (kind, rest))
    owner, _, rest = words.partition("/")
    named, _, path = rest.partition("/")
    name, mark, revision = named.partition("@")
    parts = path.rstrip("/").split("/") if path else []
    if kind == "spaces" or not _PART.match(owner) or not _PART.match(name) or (mark and not revision):
        raise AddressError("%r names no repository of the hub." % plain[:80], _WRITE["hf"])
    if any(part in ("", ".", "..") for part in parts):
        raise AddressError("%r has a path that leads nowhere." % plain[:80], _WRITE["hf"])
    is_folder = not path or path.endswith("/")
    return HubAddress("%s%s/%s" % (prefix, owner, name), unquote(revision) or "main", path.rstrip("/"), is_folder)


def _read_bucket_address(plain: str, sha256: str) -> Address:
    bucket, key = _read_bucket(plain)
    return Address("s3", plain, sha256, _name(key.rstrip("/")) or bucket, is_folder=not key or key.endswith("/"))


def _read_bucket(plain: str) -> tuple[str, str]:
    bucket, slash, key = plain.partition("://")[2].partition("/")
    if not _BUCKET.match(bucket):
        raise AddressError("%r names no bucket." % plain[:80], _WRITE["s3"])
    if not slash or (key and not _name(key.rstrip("/"))):
        raise AddressError("%r names no object of the bucket." % plain[:80], _WRITE["s3"])
    return bucket, key


def _name(path: str) -> str:
    """The last part of a path; empty for what cannot be a file's name."""
    name = path.rpartition("/")[2]
    return "" if name in (".", "..") or "\0" in name else name


_READERS = {"https": _read_web, "http": _read_web, "hf": _read_hub_address, "s3": _read_bucket_address}
