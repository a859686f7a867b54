"""Whatever order two stores over one file are filled in: nothing is lost, doubled or acknowledged too early."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.event import Series
from tests.ledger.samples import put, seqs_of

SERIES = [Series("s-one", 1, 0), Series("s-one", 1, 1), Series("s-one", 2, 0)]
LAST = 12

sides = st.integers(0, 1)
series = st.sampled_from(SERIES)
seqs = st.integers(1, LAST)
actions = st.one_of(
    st.tuples(st.just("put"), sides, series, seqs),
    st.tuples(st.just("run"), sides, series, seqs),
    st.tuples(st.just("skip"), sides, series, seqs),
    st.tuples(st.just("flush"), sides, series, seqs),
    st.tuples(st.just("reopen"), sides, series, seqs),
)


class TwoStores:
    """Two stores over one file, and what should be in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.was_put: dict[Series, set[int]] = defaultdict(set)
        self.skipped: dict[Series, set[int]] = defaultdict(set)
        self.told: list[list[tuple[Series, int]]] = [[], []]
        self.stores = [self.open(0), self.open(1)]

    def open(self, side: int) -> EventStore:
        return EventStore(self.directory, lambda series, seq: self.told[side].append((series, seq)))

    def act(self, action: str, side: int, series: Series, seq: int) -> None:
        store = self.stores[side]
        if action == "put":
            self.put(store, series, seq)
        elif action == "run":
            for number in range(1, seq + 1):
                self.put(store, series, number)
        elif action == "skip":
            self.skipped[series] |= {seq, seq + 1}
            store.skip(series, seq, seq + 1)
        elif action == "flush":
            assert store.flush()
        else:
            assert store.close()
            self.stores[side] = self.open(side)

    def put(self, store: EventStore, series: Series, seq: int) -> None:
        self.was_put[series].add(seq)  # before the store can acknowledge it
        assert put(store, seq, series, content=b"%d" % seq)

    def find_expected(self, series: Series) -> int:
        settled = self.was_put[series] | self.skipped[series]
        return next(seq for seq in range(LAST + 3) if seq + 1 not in settled)


@settings(max_examples=60, deadline=None)
@given(st.lists(actions, max_size=40))
def test_two_stores_fill_one_file(plan: list[tuple[str, int, Series, int]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        two = TwoStores(Path(name))
        for action in plan:
            two.act(*action)
        for store in two.stores:
            assert store.flush()
        check_contents(two)
        check_acknowledgements(two)
        for store in two.stores:
            assert store.close()


def check_contents(two: TwoStores) -> None:
    for store in two.stores:
        for series in SERIES:
            events = list(store.read_series(series))
            assert seqs_of(events) == sorted(two.was_put[series])
            assert [event.content for event in events] == [b"%d" % event.seq for event in events]
        replay = list(store.read_job("j-one"))
        for series in SERIES:
            assert seqs_of([event for event in replay if event.series == series]) == sorted(two.was_put[series])
        assert len(replay) == sum(map(len, two.was_put.values()))


def check_acknowledgements(two: TwoStores) -> None:
    touched = {series for series in SERIES if two.was_put[series] or two.skipped[series]}
    expected = {series: two.find_expected(series) for series in touched}
    for store in two.stores:
        assert store.find_contiguous("s-one") == expected
    for told in two.told:
        for series in touched:
            seqs = [seq for told_series, seq in told if told_series == series]
            assert seqs == sorted(seqs)
            assert not seqs or seqs[-1] <= expected[series]
    for series in touched:
        assert expected[series] == max(seq for told in two.told for told_series, seq in told if told_series == series)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=60))
def test_replay_keeps_the_order_of_arrival(plan: list[tuple[int, bool]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        store = EventStore(Path(name))
        last: dict[int, int] = defaultdict(int)
        shown = []
        for rank, flush in plan:
            last[rank] += 1
            put(store, last[rank], Series("s-one", 1, rank))
            shown.append((rank, last[rank]))
            assert not flush or store.flush()
        assert [(event.series.rank, event.seq) for event in store.read_job("j-one")] == shown
        store.close()
