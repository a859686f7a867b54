"""The stand-in for a value of a session that has no safe form here.

Made by `magic.results`; known to `capture.names`, so that it is not sent back as if it were the value.
"""

from __future__ import annotations

from typing import NoReturn


class Proxy:
    """Shows what the value is over there and why it is not here; everything else is an error that says so.

    Called by anybody: it is a name in the user's namespace. It is never what another machine has sent, only text of it.
    """

    __slots__ = ("_name", "_shown", "_type", "_why")

    def __init__(self, name: str, shown: str, type: str, why: str) -> None:
        for slot, text in zip(self.__slots__, (name, shown, type, why), strict=True):
            object.__setattr__(self, slot, text)

    def __repr__(self) -> str:
        return f"<{self._name} is in the session, not here: {self._why}>\n{self._shown}"

    def __getattr__(self, name: str) -> NoReturn:
        what = f"{object.__getattribute__(self, '_name')} is a {object.__getattribute__(self, '_type')} in the session"
        raise AttributeError(f"{what}; what is here only shows it and has no attribute {name!r}")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        self.__getattr__(name)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self._name} is in the session; what is here only shows it and cannot be pickled or copied")
