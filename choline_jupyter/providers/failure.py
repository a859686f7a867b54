"""What can go wrong between us and a provider's API, told apart by what it means for money.

Raised by providers, caught by `session`. Promise: a failure says whether something may have been created or may still
run; what cannot be read is a failure and never "nothing there".
"""

from __future__ import annotations


class ProviderFailure(Exception):
    """A call failed. The message is one sentence, `hint` what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Refused(ProviderFailure):
    """The provider said no: this call has changed nothing (an offer that is taken, a request that it does not like)."""


class KeyRejected(Refused):
    """The key is missing, wrong or revoked."""


class Absent(Refused):
    """There is no such thing: a machine that is gone already, or an address that is no longer served."""


class Throttled(Refused):
    """Too many calls; `delay` is how many seconds to wait, 0 when it was not told. A daily quota is `is_quota`."""

    def __init__(self, message: str, hint: str = "", delay: float = 0.0, is_quota: bool = False) -> None:
        super().__init__(message, hint)
        self.delay, self.is_quota = delay, is_quota


class Unsure(ProviderFailure):
    """No answer, or an error of the provider's own: the call may have been carried out or may be later."""


class Unreadable(ProviderFailure):
    """An answer of a shape that nobody knows: of what it should have told, nothing is known."""
