"""Secrets: files that must not leave this machine by being swept up with others.

Asked by `capture.selection` about each file that is to go. By its name, else by what stands in it: the forms that keys of
the usual services have, and long random values behind names like `password`.
"""

from __future__ import annotations

import fnmatch
import math
import os
import re
import stat
from collections import Counter
from functools import lru_cache
from pathlib import Path

_NAMES = (
    ".env", ".env.*", "*.env", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.kdbx", "*.keytab", "*.ppk", "id_rsa*", "id_dsa*",
    "id_ecdsa*", "id_ed25519*", ".netrc", "_netrc", ".pgpass", ".pypirc", ".npmrc", ".git-credentials", ".htpasswd",
    "credentials", "credentials.*", "*credential*.json", "client_secret*.json", "service-account*.json", "kaggle.json",
    "secrets.*", "*.secret", "*.token", "token.txt", "token.json", "hf_token*", "*api_key*", "*apikey*",
)  # fmt: skip
_PUBLIC = ("*.pub", "*.example", "*.sample", "*.template", "*.py", "*.ipynb")
_FOLDERS = {".ssh", ".aws", ".gnupg", ".kube", ".azure", ".docker", ".config", ".password-store", "gcloud"}
_SECRET_NAME, _PUBLIC_NAME = (re.compile("|".join(map(fnmatch.translate, names))) for names in (_NAMES, _PUBLIC))
_KEYS = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY"
    rb"|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_\w{40}|\bhf_[A-Za-z]{30,}|\bsk-[A-Za-z0-9_-]{24,}"
    rb"|\bxox[abprs]-[A-Za-z0-9-]{20,}|\bAIza[0-9A-Za-z_-]{35}\b|\bglpat-[\w-]{20}\b|\br8_\w{37}\b"
)
# What each of the forms above begins with, and each of the names below: to look for these is a hundred times faster.
_KEY_WORDS = (b"PRIVATE KEY", b"AKIA", b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_", b"hf_", b"sk-", b"xox",
              b"AIza", b"glpat-", b"r8_")  # fmt: skip
_NAME_WORDS = (b"token", b"secret", b"api_key", b"apikey", b"passw")
_NAMED = re.compile(
    rb"""(?i)(?:token|secret|api_?key|passw(?:or)?d)["']?\s*[:=]\s*(["']?)([A-Za-z0-9+/_=.~-]{16,})(\1)"""
)
_TEXTS = {
    "",
    ".json",
    ".yaml",
    ".yml",
    ".toml",
    ".ini",
    ".cfg",
    ".conf",
    ".txt",
    ".py",
    ".sh",
    ".ipynb",
    ".properties",
    ".xml",
}
_LARGEST = 1 << 20  # bytes; text with a key in it is smaller
_RANDOM = 3.5  # bits per character; words have less, base64 of random bytes about 5


def lies_with_keys(folder: str) -> bool:
    """Whether an absolute folder is one that keys are kept in, or below one."""
    return not _FOLDERS.isdisjoint(folder.split("/"))


def find_secret(path: str, name: str, status: os.stat_result) -> str:
    """Why a file looks like a secret, to go behind "it"; empty when it does not. What was read once is remembered."""
    lower = name.lower()
    if _SECRET_NAME.match(lower) and not _PUBLIC_NAME.match(lower):
        return "is named like a secret"
    is_text = stat.S_ISREG(status.st_mode) and status.st_size <= _LARGEST and os.path.splitext(lower)[1] in _TEXTS  # noqa: PTH122 - of thousands
    return "holds what looks like a key" if is_text and _holds_key(path, status.st_size, status.st_mtime_ns) else ""


@lru_cache(maxsize=200_000)
def _holds_key(path: str, size: int, mtime: int) -> bool:  # noqa: ARG001 - a change makes it another question
    try:
        text = Path(path).read_bytes()
    except OSError:
        return False
    if any(word in text for word in _KEY_WORDS) and _KEYS.search(text):
        return True
    lower = text.lower()
    is_named = any(word in lower for word in _NAME_WORDS)
    return is_named and any(_is_random(found.group(2)) for found in _NAMED.finditer(text))


def _is_random(value: bytes) -> bool:
    """Whether a value is no word or path: it has digits and letters, and no character is much more usual than others."""
    shares = [count / len(value) for count in Counter(value).values()]
    entropy = -sum(share * math.log2(share) for share in shares)
    is_mixed = any(48 <= byte < 58 for byte in value) and any(byte > 64 for byte in value)
    return is_mixed and entropy >= _RANDOM and b"." not in value.strip(b".")
