"""What is raised for a value that has no safe form.

Used by every encoder of `wire.value`.
"""

from __future__ import annotations


class Unsendable(TypeError):
    """The value has no safe form; the text says what it is, to go behind "it is"."""


def refuse(value: object, why: str = "") -> Unsendable:
    """The error for a value that has no form here."""
    return Unsendable("an object of type %s%s" % (name_type(type(value)), why and ", " + why))


def name_type(kind: type) -> str:
    """How messages call a type."""
    module = kind.__module__
    return kind.__qualname__ if module in ("builtins", "__main__") else "%s.%s" % (module, kind.__qualname__)
