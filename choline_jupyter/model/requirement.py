"""A requirement as PEP 508 writes it, read as far as an agent needs that has no library for it.

Used on both sides. What it cannot judge (markers, URLs) it says it cannot, and a resolver decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, Optional, Tuple  # noqa: UP035 - a NamedTuple's fields are evaluated on 3.9 too

_HEAD = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[([^\]]*)\])?\s*(.*)\Z", re.DOTALL)
_CLAUSE = re.compile(r"\s*(===|==|!=|<=|>=|~=|<|>)\s*([A-Za-z0-9.*+!_-]+)\s*\Z")
_RELEASE = re.compile(r"v?(?:\d+!)?(\d+(?:\.\d+)*)(.*)\Z")


class Requirement(NamedTuple):
    """`name` is normalized (PEP 503), `specifier` without blanks, `rest` an URL or a marker, if there is one."""

    name: str
    extras: Tuple[str, ...] = ()  # noqa: UP006
    specifier: str = ""
    rest: str = ""

    def spell_any(self) -> str:
        """The same without a version."""
        return self.name + ("[%s]" % ",".join(self.extras) if self.extras else "") + self.rest

    def admits(self, version: str) -> Optional[bool]:
        """Whether a version will do; None where that is not to be told here."""
        if "@" in self.rest.partition(";")[0]:
            return None
        judged = [_judge(clause, version) for clause in filter(None, self.specifier.split(","))]
        if False in judged:
            return False
        return None if None in judged else True


def normalize(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_requirement(text: str) -> Requirement:
    """Read one line; one that is none has an empty name."""
    head = _HEAD.match(text)
    if head is None:
        return Requirement("", rest=text.strip())
    name, extras, tail = head.groups()
    words = tuple(sorted(word.strip() for word in (extras or "").split(",") if word.strip()))
    if tail.startswith("@"):
        return Requirement(normalize(name), words, "", " " + tail.strip())
    specifier, semicolon, marker = tail.partition(";")
    plain = re.sub(r"[\s()]", "", specifier)
    return Requirement(normalize(name), words, plain, " ; " + marker.strip() if semicolon else "")


def find_difference(wish: Requirement, packages: Mapping[str, str]) -> str:
    """What to tell of a wish whose package stays as the machine has it; empty where that will do."""
    version = packages.get(wish.name)
    if version is None or wish.admits(version):
        return ""
    asked = (wish.specifier[2:] if wish.specifier[:2] == "==" else wish.specifier) or wish.rest.strip()
    return "your %s %s -> image %s" % (wish.name, asked, version)


def _judge(clause: str, version: str) -> Optional[bool]:
    """One comparison by the numbers of a release; suffixes other than a build's tag are left to a resolver."""
    match = _CLAUSE.match(clause)
    if match is None:
        return None
    operator, wanted = match.groups()
    has_tag = "+" in wanted
    if operator in ("==", "===") and version.partition("+" if not has_tag else "\0")[0] == wanted:
        return True
    there, asked = _read_release(version), _read_release(wanted.partition("+")[0].replace(".*", ""))
    if there is None or asked is None:
        return None
    if has_tag:
        return operator not in ("==", "===")
    if wanted.endswith(".*"):
        starts = there[: len(asked)] == asked
        return starts if operator == "==" else not starts
    return _compare(operator, there, asked)


def _compare(operator: str, there: list[int], asked: list[int]) -> bool:
    if operator == "~=":
        return _pad(there, asked) >= _pad(asked, there) and there[: len(asked) - 1] == asked[:-1]
    one, other = _pad(there, asked), _pad(asked, there)
    results = {
        "==": one == other, "===": one == other, "!=": one != other, "<=": one <= other, ">=": one >= other,
        "<": one < other, ">": one > other,
    }  # fmt: skip
    return results[operator]


def _pad(numbers: list[int], other: list[int]) -> list[int]:
    return numbers + [0] * (len(other) - len(numbers))


def _read_release(version: str) -> Optional[list[int]]:
    match = _RELEASE.match(version.partition("+")[0])
    if match is None or match[2]:
        return None
    return [int(number) for number in match[1].split(".")]
