"""What can go wrong with a file of ours, in one sentence each, and what to do about it.

Raised by everything in `ledger`; `choline_jupyter.errors` makes the user's error of it.
"""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_DAMAGE = ("malformed", "not a database", "encrypted")
_WRITABLE = "Give yourself write permission there, or set CHOLINE_HOME to a folder that you can write to."


class StoreError(Exception):
    """A local record cannot be read or written. The message is one sentence; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def is_damage(error: Exception) -> bool:
    """Whether SQLite says that the file itself is broken."""
    return isinstance(error, sqlite3.DatabaseError) and _mentions(error, *_DAMAGE)


def explain_error(error: Exception, path: Path) -> StoreError:
    """The same trouble in the user's words.

    SQLite's messages are matched, not its codes: Python tells the codes only from 3.11 on.
    """
    if is_damage(error):
        return StoreError(f"{path} is damaged.", "It is set aside, and a new one begun, when it is next opened.")
    if _mentions(error, "locked", "busy"):
        return StoreError(f"{path} is locked by another program.", "Close that program, then run this again.")
    if _mentions(error, "disk is full") or _has_number(error, _FULL):
        return StoreError(f"The disk that holds {path} is full.", "Free some space there, then run this again.")
    if _mentions(error, "readonly", "unable to open") or _has_number(error, _FORBIDDEN):
        return StoreError(f"{path} cannot be written ({_reason(error)}).", _WRITABLE)
    return StoreError(f"{path} cannot be used ({_reason(error)}).", "Set CHOLINE_HOME to a folder on another disk.")


def _mentions(error: Exception, *words: str) -> bool:
    return isinstance(error, sqlite3.Error) and any(word in str(error) for word in words)


def _has_number(error: Exception, numbers: tuple[int, ...]) -> bool:
    return isinstance(error, OSError) and error.errno in numbers


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
