"""Chunks and deltas: the same cuts however a file is read, few bytes for few changes, nothing wrong from what is damaged."""

from __future__ import annotations

import array
import hashlib
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choline_jupyter.store.chunk_tables import ChunkTables
from choline_jupyter.store.chunks import CHUNKED, Cutter, Cutting, Table, choose_cutting, decode_table, list_samples
from choline_jupyter.store.delta import HEAD, NEW, RANGE, compare, count_ranges, measure, read_ranges, write_head
from choline_jupyter.store.scan import Scan

SIZE = CHUNKED
EDIT = 50_000

SMALL_CUTTING = Cutting(16, b"a", b"bc")
TEXT = st.text("abc", max_size=400).map(str.encode)


def cut(data: bytes, cutting: Cutting | None = None, piece: int = 1 << 20) -> Table:
    samples = [data[offset : offset + count] for offset, count in list_samples(len(data))]
    cutter = Cutter(cutting or choose_cutting(len(data), samples))
    for start in range(0, len(data), piece):
        cutter.feed(data[start : start + piece])
    return cutter.finish()


def apply(old: bytes, new: bytes, tables: tuple[Table, Table]) -> bytes:
    """As `agent.assembly` does."""
    made, position = b"", 0
    for offset, size in compare(*tables):
        made += new[position : position + size] if offset == NEW else old[offset : offset + size]
        position += size
    return made


@given(data=TEXT, piece=st.integers(1, 100))
def test_it_is_cut_the_same_however_it_comes(data: bytes, piece: int) -> None:
    table = cut(data, SMALL_CUTTING)
    assert cut(data, SMALL_CUTTING, piece) == table
    assert sum(size for _, size in table.list_chunks()) == len(data) == table.size
    assert all(size <= SMALL_CUTTING.longest for _, size in table.list_chunks())
    assert decode_table(table.encode()) == table


@settings(max_examples=200)
@given(old=TEXT, new=TEXT)
def test_a_delta_makes_the_new_version(old: bytes, new: bytes) -> None:
    tables = cut(old, SMALL_CUTTING), cut(new, SMALL_CUTTING)
    assert apply(old, new, tables) == new
    ranges = compare(*tables)
    told = write_head(ranges)
    assert count_ranges(told[:HEAD]) == len(ranges)
    assert len(told) == HEAD + RANGE * len(ranges)
    assert list(read_ranges(told[HEAD:])) == ranges


@given(data=st.binary(max_size=60))
def test_what_is_no_delta_or_table_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no"):
        count_ranges(data)
    with pytest.raises(ValueError, match="table"):
        decode_table(data)
    table = cut(b"abcabc" * 40, SMALL_CUTTING).encode()
    with pytest.raises(ValueError, match="table"):
        decode_table(table[: -1 - len(data)])


def make_random(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def make_rows(size: int, seed: int = 1) -> bytes:
    chance = random.Random(seed)
    rows = (f"{number},{chance.random():.4f},{chance.choice(['cat', 'dog'])}\n" for number in range(size // 15))
    return "".join(rows).encode()[:size]


def make_counts(size: int, seed: int = 1) -> bytes:
    return array.array("i", random.Random(seed).choices(range(100), k=size // 4)).tobytes()


def make_zeros(size: int, seed: int = 1) -> bytes:
    return bytes(size)


@pytest.mark.parametrize("make", [make_random, make_rows, make_counts, make_zeros])
def test_few_changes_are_few_bytes(make: Callable[..., bytes]) -> None:
    old = make(SIZE)
    table = cut(old)
    fresh = make_random(EDIT, 2)
    at = SIZE // 2
    for new in (
        old[:at] + fresh + old[at + EDIT :],  # written over
        old[:at] + fresh + old[at:],  # put between
        fresh + old,
        old + fresh,
    ):
        found = cut(new, table.cutting)
        assert apply(old, new, (table, found)) == new
        assert measure(compare(table, found))[1] <= EDIT + 3 * table.cutting.longest
    removed = old[:at] + old[at + EDIT :]
    assert measure(compare(table, cut(removed, table.cutting)))[1] <= 3 * table.cutting.longest


def test_the_chunks_of_a_large_file_are_not_many() -> None:
    assert choose_cutting(10 << 40, [make_random(1 << 20)]).average >= (10 << 40) // (1 << 17)


def test_a_scan_keeps_the_chunks_of_each_version(tmp_path: Path) -> None:
    tables = ChunkTables(tmp_path / "chunks")
    scan, path = Scan(tables=tables), tmp_path / "data"
    old = os.urandom(CHUNKED)
    path.write_bytes(old)
    first = scan.hash(str(path))[0]
    (tmp_path / "next").write_bytes(b"!" + old)
    (tmp_path / "next").replace(path)
    second = scan.hash(str(path))[0]
    assert second == hashlib.sha256(b"!" + old).hexdigest()
    before, after = tables.find(first), tables.find(second)
    assert before is not None
    assert after is not None
    assert measure(compare(before, after))[1] < 2 * before.cutting.longest
    assert ChunkTables(tmp_path / "chunks").find(first) == before


def test_damaged_tables_are_not_used_and_old_ones_go(tmp_path: Path) -> None:
    table = cut(make_random(100_000))
    size = len(table.encode())
    tables = ChunkTables(tmp_path / "chunks", limit=3 * size)
    for number in range(6):
        tables.keep(f"{number}", table)
        os.utime(tmp_path / "chunks" / f"{number}", (number, number))
    kept = sorted(path.name for path in (tmp_path / "chunks").iterdir())
    assert kept[-1] == "5"
    assert len(kept) <= 3
    (tmp_path / "chunks/5").write_bytes(b"damaged")
    assert tables.find("5") is None
    assert tables.find("none") is None
