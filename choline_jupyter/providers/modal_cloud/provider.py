"""The provider `modal`: an instance is a sandbox, and our watchdog is its main process: when that ends, the sandbox does.

Found through the registry. A sandbox is told apart by a tag, and by its name, which Modal lets only one living sandbox
have: a call that is sent twice makes one. It dies at its timeout, which is the deadline, whatever becomes of the watchdog.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import sys
from typing import TYPE_CHECKING, ClassVar

from choline_jupyter.model.instance import InstanceState
from choline_jupyter.model.offer import ANYTHING, Offer, Wish
from choline_jupyter.providers.failure import KeyRejected, ProviderFailure, Unsure
from choline_jupyter.providers.modal_cloud.execution import VOLUME, ModalTransport
from choline_jupyter.providers.modal_cloud.prices import LIFE, Rates, make_offers
from choline_jupyter.providers.modal_cloud.sdk import (
    APP,
    LOGIN,
    NAME,
    Account,
    explain,
    find_token,
    is_installed,
    load,
    open_account,
    read_token,
)
from choline_jupyter.providers.provider import (
    ANY,
    LABEL,
    NATIVE_DEADLINE,
    SELF_DESTROY,
    Access,
    Contact,
    Order,
    Provider,
    Sighting,
)
from choline_jupyter.providers.startup import FOLDER, make_watchdog
from choline_jupyter.transport.channel import Transport

if TYPE_CHECKING:
    import modal

_TAG, _END_TAG = "choline-label", "choline-end"
_WANTED = "it was ended from here"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,63}\Z")
_PYTHONS = (11, 12)  # of 3.x: what every version of Modal's image builder has
_TIMED_OUT, _TERMINATED = 124, 137  # the return codes that Modal's package gives for these


class ModalProvider(Provider):
    """Sandboxes. `first_contact` is how long one waits for its first connection, `period` how often the watchdog looks,
    `patience` how long Modal may look for a machine, which it would do for 21 minutes. Nothing is charged meanwhile.
    """

    name: ClassVar[str] = NAME
    keys_at: ClassVar[str] = "modal.com/settings/tokens, written as ID:SECRET"
    capabilities: ClassVar[frozenset[str]] = frozenset({LABEL, NATIVE_DEADLINE, SELF_DESTROY})

    def __init__(self, first_contact: float = 900.0, period: int = 5, patience: float = 300.0) -> None:
        self._first_contact, self._period, self._patience = first_contact, period, patience
        self._key = ""

    async def list_offers(self, wish: Wish = ANYTHING) -> list[Offer]:
        account = await self._open()
        return make_offers(wish, await _ask_rates(account))

    async def create(self, order: Order) -> str:
        account = await self._open()
        modal, detail = load(), order.offer.detail
        with explain(is_harmless=True):  # what is made here costs nothing by itself
            image = await _find_image(order).build.aio(account.app)
            volume = await modal.Volume.from_name(APP, create_if_missing=True, client=account.client).hydrate.aio()
        seconds = max(1, math.floor(min(order.deadline, LIFE)))
        cores, memory = float(detail["cores"]), int(detail["memory"])
        creating = modal.Sandbox.create.aio(
            *("/bin/sh", "-c", self._make_main(seconds)),
            app=account.app, client=account.client, image=image, name=_make_name(order.label),
            tags={_TAG: order.label}, timeout=seconds, gpu=detail["gpu"] or None,
            cpu=(cores, cores), memory=(memory, memory),  # limits too: what is used beyond a wish is charged
            volumes={VOLUME: volume},
        )  # fmt: skip
        with explain():
            try:
                sandbox = await asyncio.wait_for(creating, self._patience)
            except asyncio.TimeoutError:  # Modal's package has asked to end it; whether it has is another question
                raise Unsure(f"Modal has found no machine within {self._patience:.0f} seconds.") from None
        return str(sandbox.object_id)

    async def list_mine(self) -> list[Sighting]:
        account = await self._open()
        with explain(is_harmless=True):
            found = [
                sandbox async for sandbox in load().Sandbox.list.aio(app_id=account.app.app_id, client=account.client)
            ]
            sightings = await asyncio.gather(*map(_look, found))
        return [sighting for sighting in sightings if sighting.state is not InstanceState.GONE]

    async def describe(self, handle: str) -> Sighting | None:
        account = await self._open()
        modal = load()
        with explain(is_harmless=True):
            try:
                sandbox = await modal.Sandbox.from_id.aio(handle, client=account.client)
            except modal.exception.NotFoundError:
                return None
            sighting = await _look(sandbox)
        return None if sighting.reason == _WANTED else sighting  # Modal remembers for ever what has ended

    async def destroy(self, handle: str) -> None:
        account = await self._open()
        modal = load()
        with explain():
            try:
                sandbox = await modal.Sandbox.from_id.aio(handle, client=account.client)
                if sandbox.returncode is None:
                    await _mark(sandbox)
                    await sandbox.terminate.aio()
            except modal.exception.NotFoundError:
                return

    def connect(self, contact: Contact, access: Access = ANY) -> Transport:
        return ModalTransport(contact.handle or contact.machine, () if access.start else ("--no-start",))

    def find_end(self) -> str:
        return "exit 0"  # of the watchdog, which is the main process

    def take_key(self, key: str) -> None:
        self._key = key

    def check_ready(self) -> str:
        if not is_installed():
            return "The package `modal` is not installed: pip install 'choline-jupyter[modal]'."
        try:
            is_there = bool(self._key or find_token())
        except KeyRejected as failure:
            return f"{failure} {failure.hint}"
        return "" if is_there else f"There is no token. {LOGIN}"

    async def _open(self) -> Account:
        return await open_account(read_token(self._key) if self._key else None)

    def _make_main(self, seconds: int) -> str:
        watchdog = make_watchdog(self._first_contact, seconds, self.find_end(), self._period)
        return f"{watchdog}\nexec /bin/sh {FOLDER}/watch"


async def _ask_rates(account: Account) -> Rates:
    """The account's own; those of the list where Modal does not tell them to this token."""
    modal = load()
    with explain(is_harmless=True):
        try:
            workspace = modal.Workspace.from_context(client=account.client)
            return Rates(dict(await workspace.billing.rates.aio()))
        except (modal.exception.PermissionDeniedError, modal.exception.UnimplementedError):
            return Rates()


async def _look(sandbox: modal.Sandbox) -> Sighting:
    """What a sandbox is now. One that has ended without us, its watchdog or its timeout was taken away."""
    tags = await sandbox.get_tags.aio()
    state, reason = _judge(sandbox.returncode, _END_TAG in tags)
    return Sighting(str(sandbox.object_id), tags.get(_TAG, ""), state, reason)


def _judge(code: int | None, is_wanted: bool) -> tuple[InstanceState, str]:
    if code is None:
        return InstanceState.READY, ""
    if is_wanted:
        return InstanceState.GONE, _WANTED
    if code == _TIMED_OUT:
        return InstanceState.GONE, "its deadline has passed"
    if code == _TERMINATED:
        return InstanceState.PREEMPTED, "Modal has taken the machine away, or somebody has ended it on modal.com"
    if code == 0:
        return InstanceState.GONE, "it has ended itself: its lease or its budget is over"
    return InstanceState.DEAD, f"its main process has ended with {code}"


async def _mark(sandbox: modal.Sandbox) -> None:
    """So that its end is known to be wanted; that it ends does not depend on it."""
    try:
        with explain():
            await sandbox.set_tags.aio({**await sandbox.get_tags.aio(), _END_TAG: "wanted"})
    except ProviderFailure:
        return


def _find_image(order: Order) -> modal.Image:
    """The image that is asked for, else one with this Python, what kernels need and, for GPUs, torch. Modal keeps it."""
    image = load().Image
    if order.image:
        found: modal.Image = image.from_registry(order.image)
        return found
    minor = min(max(sys.version_info.minor, _PYTHONS[0]), _PYTHONS[-1])
    packages = ["ipykernel>=6.29", "uv>=0.5", *(["torch>=2.4", "numpy>=1.26"] if order.offer.count else [])]
    made: modal.Image = image.debian_slim(f"3.{minor}").pip_install(*packages)
    return made


def _make_name(label: str) -> str:
    return label if _NAME.match(label) else "choline-" + hashlib.sha256(label.encode()).hexdigest()[:32]
