"""What goes wrong, as the user is told it: one sentence what, one what to do, and always what still costs money.

Used by `magic` and `cli` around all they do. Promise: what the layers below raise for themselves (a file of ours that cannot be
used, a configuration that makes no sense) comes out as a CholineError; what the user's own code raised is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from choline_jupyter.errors import CholineError, JobError, RequestError, StoreFailed
from choline_jupyter.ledger.location import find_data_directory
from choline_jupyter.ledger.trouble import StoreError
from choline_jupyter.providers.config import ConfigError
from choline_jupyter.session.rent.fleet import Fleet


class Stopped(KeyboardInterrupt):
    """The user has stopped what was waited for; shown without the stack of who waited."""

    def __init__(self, still_billing: tuple[str, ...] = ()) -> None:
        super().__init__("Stopped before it was done.")
        self.still_billing = still_billing

    def _render_traceback_(self) -> list[str]:
        """Called by IPython in place of its own traceback formatter."""
        billing = [f"Still costing money: {'; '.join(self.still_billing)}."] if self.still_billing else []
        return [f"KeyboardInterrupt: {self}", *billing]


Stopped.__name__ = KeyboardInterrupt.__name__  # what a front end is told that ended the cell


@contextmanager
def complete_errors() -> Iterator[None]:
    """Whatever is raised inside is raised as the user is to see it."""
    try:
        yield
    except JobError:
        raise
    except KeyboardInterrupt:
        raise Stopped(list_billing()) from None
    except CholineError as error:
        error.still_billing = error.still_billing or list_billing()
        raise
    except StoreError as error:
        raise StoreFailed(str(error), error.hint, list_billing()) from None
    except ConfigError as error:
        raise RequestError(str(error), "Mend it and run this again.", list_billing()) from None


def list_billing() -> tuple[str, ...]:
    """A phrase for each machine that costs money now, as the ledger has it."""
    try:
        fleet = Fleet(find_data_directory().path)
    except StoreError:
        return ()
    try:
        return fleet.describe_billing() if fleet.is_used else ()
    finally:
        fleet.close()
