"""Where packages come from: what pip is set to on a machine, for uv, which does not read pip's settings, and for elsewhere.

Used on both sides. Promise: a user name or password in a URL never passes `select_portable`, and no netrc is ever read.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Dict, List  # noqa: UP035 - an alias is evaluated on 3.9 too
from urllib.parse import urlsplit

Settings = Dict[str, List[str]]  # noqa: UP006 - by pip's own names

NAMES = ("index-url", "extra-index-url", "find-links", "trusted-host", "no-index", "cert")
_SINGLE = ("index-url", "no-index", "cert")
_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
}
_COMMAS = ("find-links",)  # what uv separates by commas
_CREDENTIALS = re.compile(r"(https?://)[^/?#\s]*@")
_LOOPBACK = ("localhost", "127.", "[::1]", "::1")


def read_settings(environment: Mapping[str, str]) -> Settings:
    """What pip would use here: its files from the least to the most particular, then its variables."""
    settings: Settings = {}
    for path in _list_files(environment):
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(path.read_text())
        except (OSError, ValueError, configparser.Error):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                settings.update({key: parser[section][key].split() for key in NAMES if key in parser[section]})
    for key in NAMES:
        value = environment.get("PIP_" + key.upper().replace("-", "_"))
        if value is not None:
            settings[key] = value.split()
    return {key: value for key, value in settings.items() if value}


def write_for_uv(settings: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """As uv's variables."""
    return {_UV[key]: ("," if key in _COMMAS else " ").join(value) for key, value in settings.items() if key in _UV}


def write_for_pip(settings: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """As pip's variables."""
    return {"PIP_" + key.upper().replace("-", "_"): " ".join(value) for key, value in settings.items() if key in NAMES}


def select_portable(settings: Mapping[str, Iterable[str]]) -> Settings:
    """What means the same on another machine: no files of this one, no services of its own, nothing secret."""
    portable: Settings = {}
    for key in ("index-url", "extra-index-url", "find-links"):
        urls = [strip_credentials(url) for url in settings.get(key, ()) if _is_public(url)]
        if urls:
            portable[key] = urls[:1] if key in _SINGLE else urls
    hosts = [host for host in settings.get("trusted-host", ()) if not host.startswith(_LOOPBACK)]
    return {**portable, "trusted-host": hosts} if hosts and portable else portable


def strip_credentials(text: str) -> str:
    """A text without the users, passwords and tokens of the URLs in it; of ssh the user is the address and stays."""
    return _CREDENTIALS.sub(r"\1", text)


def _is_public(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and not host.startswith(_LOOPBACK)


def _list_files(environment: Mapping[str, str]) -> Iterator[Path]:
    """Pip's configuration files as its documentation lists them; PIP_CONFIG_FILE=/dev/null turns them off."""
    named = environment.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    for folder in reversed(environment.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep)):
        yield Path(folder) / "pip" / "pip.conf"
    yield Path("/etc/pip.conf")
    if sys.platform == "darwin":
        yield home / "Library" / "Application Support" / "pip" / "pip.conf"
    yield home / ".pip" / "pip.conf"
    yield Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    yield Path(environment.get("VIRTUAL_ENV") or sys.prefix) / "pip.conf"
    if named:
        yield Path(named)
