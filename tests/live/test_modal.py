"""A sandbox of modal.com, for real: some cents, with a token of one's own. `pytest -m live tests/live/test_modal.py`."""

from __future__ import annotations

import asyncio
import os

import pytest

from choline_jupyter.model.names import make_identifier
from choline_jupyter.model.offer import Wish
from choline_jupyter.providers.modal_cloud.provider import ModalProvider
from choline_jupyter.providers.provider import Contact, Order
from choline_jupyter.wire.frame import PROTOCOL, Type, encode_frame

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

MINUTES = 10


def test_a_sandbox_is_rented_reached_and_ended() -> None:
    budget = float(os.environ["CHOLINE_LIVE_BUDGET"])

    async def story() -> None:
        provider = ModalProvider()
        [offer, *_] = await provider.list_offers(Wish())
        assert offer.price.hour * MINUTES / 60 <= budget, "CHOLINE_LIVE_BUDGET does not cover it"
        label = make_identifier("live")
        handle = await provider.create(Order(label, offer, 0, MINUTES * 60.0))
        try:
            assert label in [sighting.label for sighting in await provider.list_mine()]
            channel = await provider.connect(Contact(label, handle)).open()
            channel.writer.write(encode_frame(Type.HELLO, {"protocol": PROTOCOL, "python": "3"}))
            assert await asyncio.wait_for(channel.reader.read(1), 60)
            await channel.close()
        finally:
            await provider.destroy(handle)
        assert label not in [sighting.label for sighting in await provider.list_mine()]

    asyncio.run(story())
