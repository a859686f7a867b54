"""What goes over the channel: one round trip for a warm cell, few frames for much text, nothing accepted that is damaged."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

import pytest

from choline_jupyter.errors import AgentFailed
from choline_jupyter.model.event import Event, Kind
from choline_jupyter.session.feed import WINDOW
from choline_jupyter.session.live import LiveSession
from choline_jupyter.wire.frame import CHUNK, Frame, FrameDecoder, Type, encode_frame
from tests.e2e.losses.engine_client import EngineClient, read_reply, read_result, read_text
from tests.e2e.losses.tapped_transport import TappedTransport

pytestmark = pytest.mark.e2e

# Nobody waits for an answer to these: they say what was stored, what was consumed, that one is there.
UNANSWERED = {Type.ACK, Type.CREDIT, Type.PING}
PRINTS = 20_000


def warm(client: EngineClient, name: str) -> LiveSession:
    session = client.open(name)
    client.run(session, "1 + 1")
    return session


def list_answered(tap: TappedTransport) -> list[Type]:
    """What was sent since the log was cleared, without what needs no answer."""
    return [frame.type for way, frame in tap.log if way == "sent" and frame.type not in UNANSWERED]


def test_a_warm_cell_costs_one_round_trip(tap: TappedTransport, client: EngineClient) -> None:
    session = warm(client, "warm")
    for number in range(20):
        tap.log.clear()
        events = client.run(session, f"1 + {number}")
        assert read_result(events) == str(1 + number)
        assert list_answered(tap) == [Type.RUN]
        types = [(way, frame.type) for way, frame in tap.log]
        last = max(place for place, (_, type_) in enumerate(types) if type_ is Type.EVENTS)
        assert types.index(("sent", Type.RUN)) < types.index(("received", Type.EVENTS))
        assert not [type_ for way, type_ in types[:last] if way == "sent" and type_ not in {Type.RUN, *UNANSWERED}]


def test_the_first_cell_of_a_session_waits_for_no_answer_either(tap: TappedTransport, client: EngineClient) -> None:
    """HELLO, OPEN, FOLLOW and RUN leave before anything has come back."""
    session = client.open("first")
    assert read_result(client.run(session, "1 + 1")) == "2"
    types = [(way, frame.type) for way, frame in tap.log]
    sent = [type_ for way, type_ in types if way == "sent" and type_ not in UNANSWERED]
    assert sent == [Type.HELLO, Type.OPEN, Type.FOLLOW, Type.RUN]
    # The engine was asked to open and to run one after the other: only the time between the two may lie in front of RUN.
    assert ("received", Type.EVENTS) not in types[: types.index(("sent", Type.RUN))]


def test_flushed_prints_share_frames(tap: TappedTransport, client: EngineClient) -> None:
    session = warm(client, "prints")
    tap.log.clear()
    text = read_text(client.run(session, f"for i in range({PRINTS}): print(i, flush=True)"))
    assert text.split() == [str(number) for number in range(PRINTS)]
    frames = [frame for way, frame in tap.log if way == "received" and frame.type is Type.EVENTS]
    assert len(frames) * 10 <= PRINTS


def test_a_record_of_50_mb_passes_a_window_of_8(tap: TappedTransport, client: EngineClient) -> None:
    session = warm(client, "large")
    tap.log.clear()
    events = client.run(
        session, "from IPython.display import display\ndisplay({'text/plain': 'x' * 50_000_000}, raw=True); 'after'"
    )
    [display] = [event for event in events if event.kind is Kind.DISPLAY]
    assert len(display.read_content()["data"]["text/plain"]) == 50_000_000
    assert read_result(events) == "'after'"
    bodies = [len(frame.body) for way, frame in tap.log if way == "received" and frame.type is Type.EVENTS]
    assert max(bodies) <= CHUNK
    assert sum(bodies) > 50_000_000
    credited = sum(frame.header["bytes"] for way, frame in tap.log if way == "sent" and frame.type is Type.CREDIT)
    assert 0 <= sum(bodies) - credited < WINDOW


def test_what_nobody_takes_is_held_within_the_window_also_over_cuts(tap: TappedTransport, client: EngineClient) -> None:
    session = warm(client, "held")
    tap.log.clear()
    job = client.start(session, "for i in range(15_000): print(f'{i:06d}' + 'x' * 2000, flush=True)")
    sizes: list[int] = []
    for _ in range(4):
        wait_for_silence(tap)
        sizes.append(sum(len(frame.body) for way, frame in tap.log if way == "received"))
        client.post(tap.cut)
    assert max(sizes) <= WINDOW + 5 * CHUNK
    assert min(sizes) > WINDOW // 2
    lines = read_text(client.finish(session, job)).splitlines()
    assert [line[:6] for line in lines] == [f"{number:06d}" for number in range(15_000)]


def wait_for_silence(tap: TappedTransport) -> None:
    """Until the agent sends no more."""
    known = -1
    while known != len(tap.log):
        known = len(tap.log)
        time.sleep(0.5)


class Damage:
    """Changes one byte of what is received: of the first EVENTS frame with more than `size` bytes, so many times."""

    def __init__(self, times: int, size: int) -> None:
        self.times, self.size, self.done = times, size, 0
        self._decoder = FrameDecoder()

    def __call__(self, data: bytes) -> bytes:
        return b"".join(encode_frame(*self._change(frame)) for frame in self._decoder.feed(data))

    def _change(self, frame: Frame) -> Frame:
        if frame.type is not Type.EVENTS or self.done >= self.times or len(frame.body) < self.size:
            return frame
        self.done += 1
        body = bytearray(frame.body)
        body[-self.size // 2] ^= 0x40
        return frame._replace(body=bytes(body))


def run_damaged(tap: TappedTransport, client: EngineClient, make: Callable[[], Damage]) -> tuple[Damage, list[Event]]:
    """One cell of much text whose frames are damaged on the way; a channel begins with whole frames, so does `make`."""
    session = warm(client, "damaged")
    opened = tap.opened
    tap.damage = damage = make()
    client.post(lambda: None)
    text = "".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(3000))
    job = client.start(session, f"print({text!r})")
    events = client.finish(session, job)
    tap.damage = None
    assert damage.done > 0
    assert tap.opened == opened + damage.done
    assert read_reply(events)["status"] == "ok"
    assert text == read_text(events).strip() or damage.done > 1
    return damage, events


def test_a_damaged_record_is_asked_for_again(tap: TappedTransport, client: EngineClient) -> None:
    run_damaged(tap, client, lambda: Damage(1, 100_000))


def test_a_record_that_is_always_damaged_is_lost_and_said_to_be(tap: TappedTransport, client: EngineClient) -> None:
    session = warm(client, "always")
    tap.damage = Damage(2, 100_000)
    job = client.start(session, "print('y' * 150_000, flush=True)\nprint('after')")
    gaps: list[dict[str, object]] = []
    events: list[Event] = []
    while not events or events[-1].kind is not Kind.STATE:
        event = session.feed.get(30)
        assert event is not None
        if event.kind is Kind.GAP:
            gaps.append(event.read_content())
        if event.job == job:
            events.append(event)
    assert gaps == [{"reason": "damaged", "count": 1}]
    assert read_text(events) == "after\n"
    assert client.engine.store.flush()
    seqs = client.engine.store.find_contiguous(session.row.id)
    assert seqs[events[-1].series] == events[-1].seq


def test_a_job_that_no_frame_holds_is_refused(client: EngineClient) -> None:
    session = warm(client, "too large")
    with pytest.raises(AgentFailed, match="more than 15 MB"):
        client.run(session, "#" * (16 << 20))
    assert read_result(client.run(session, "1 + 1")) == "2"
