"""Differences: a checkpoint as what it takes to make it from the one before, exact to the last bit.

Written on the machine that trains (`agent.checkpoint_coding`), read at home (`session.checkpoints`). Numbers are subtracted as
integers of the same order, their bytes sorted by significance, and each plane compressed as far as that gains anything; what
has not changed is only mentioned. A difference says nothing but which bytes to put together: the reader checks every bound,
and its caller the SHA-256 of what comes out. Needs numpy; zstd where the Python has it or the zstandard package is there.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

from choline_jupyter.store.tensor_map import Span

_MAGIC = b"CHD1"
_HEAD = struct.Struct("<4sQQ")  # magic, size, size of the base
_PART = struct.Struct("<BBQQ")  # kind, width, length, offset in the base
_PLANE = struct.Struct("<BI")  # codec, bytes
_PIECE = 1 << 20  # bytes coded at a time: they stay in the processor's cache
_PROBE = 1 << 14
_GAIN = 0.97  # what compresses to more is kept as it is
_SAME, _DIFFERENT, _BYTES = 0, 1, 2
_STORED, _DEFLATED, _ZSTD = 0, 1, 2
_ZSTD_MODULES = ("compression.zstd", "zstandard")
_WIDTHS = {1: "u1", 2: "i2", 4: "i4", 8: "i8"}


class DifferenceError(ValueError):
    """What came is no difference, or not one to this base."""


class Codec(NamedTuple):
    """One way to compress a plane."""

    number: int
    name: str
    compress: Callable[[Any], bytes]
    decompress: Callable[[bytes, int], bytes]


def list_codecs() -> list[str]:
    """What this Python can read, the best first; empty without numpy."""
    if importlib.util.find_spec("numpy") is None:
        return []
    return ["zstd", "deflate"] if any(map(_has_module, _ZSTD_MODULES)) else ["deflate"]


def write_difference(
    new: Path, old: Path, spans: Iterable[tuple[Span, Optional[Span]]], codec: str, write: Callable[[bytes], object]
) -> None:
    """What turns `old` into `new`. `spans` pairs tensors of the new file, in its order, with those of the old one."""
    chosen = next(one for one in _list_codecs() if one.name == codec)
    with closing(_File(new)) as data, closing(_File(old)) as base:
        write(_HEAD.pack(_MAGIC, data.size, base.size))
        coder, position = _Coder(data, base, chosen, write), 0
        for span, twin in spans:
            coder.add_bytes(position, span.offset)
            position = span.offset + span.length
            if twin is None:
                coder.add_bytes(span.offset, position)
            else:
                coder.add_tensor(span, twin.offset)
        coder.add_bytes(position, data.size)
        coder.close()


def read_difference(read: Callable[[int], bytes], old: Path, size: int) -> Iterator[bytes]:
    """The pieces of the new file, `size` bytes in all. Raises DifferenceError."""
    codecs = {one.number: one for one in _list_codecs()}
    with closing(_File(old)) as base:
        magic, whole, base_size = _HEAD.unpack(_take(read, _HEAD.size))
        if (magic, whole, base_size) != (_MAGIC, size, base.size):
            raise DifferenceError("this is no difference to that file")
        done = 0
        while done < size:
            kind, width, length, offset = _PART.unpack(_take(read, _PART.size))
            if not 0 < length <= size - done or (kind != _BYTES and offset + length > base.size):
                raise DifferenceError("it leads out of its files")
            done += length
            if kind == _SAME:
                for start in range(offset, offset + length, _PIECE):
                    yield base.read(start, min(_PIECE, offset + length - start))
            else:
                if length > _PIECE:
                    raise DifferenceError("a part of it makes no sense")
                yield _read_piece(
                    read, kind, width, length, base.read(offset, length) if kind == _DIFFERENT else b"", codecs
                )


class _Coder:
    """Writes parts; neighbours that have not changed become one."""

    def __init__(self, data: _File, base: _File, codec: Codec, write: Callable[[bytes], object]) -> None:
        self._data, self._base, self._codec, self._write = data, base, codec, write
        self._same = (0, 0)  # offset in the base and length of what waits

    def add_bytes(self, start: int, end: int) -> None:
        """What has no counterpart; headers mostly."""
        for begin in range(start, end, _PIECE):
            piece = self._data.read(begin, min(_PIECE, end - begin))
            self._flush()
            self._write(_PART.pack(_BYTES, 1, len(piece), 0))
            self._write_plane(piece)

    def add_tensor(self, span: Span, offset: int) -> None:
        """Numbers, against those at `offset` of the base."""
        for begin in range(0, span.length, _PIECE):
            length = min(_PIECE, span.length - begin)
            new = self._data.read(span.offset + begin, length)
            old = self._base.read(offset + begin, length)
            if new == old:
                self._add_same(offset + begin, length)
                continue
            self._flush()
            self._write(_PART.pack(_DIFFERENT, span.width, length, offset + begin))
            for plane in _split(new, old, span.width):
                self._write_plane(plane)

    def close(self) -> None:
        self._flush()

    def _add_same(self, offset: int, length: int) -> None:
        start, waiting = self._same
        if waiting and start + waiting == offset:
            self._same = (start, waiting + length)
        else:
            self._flush()
            self._same = (offset, length)

    def _flush(self) -> None:
        offset, length = self._same
        if length:
            self._write(_PART.pack(_SAME, 1, length, offset))
            self._same = (0, 0)

    def _write_plane(self, plane: Any) -> None:
        """The lowest bytes of trained numbers are noise: a look at the beginning saves the time."""
        probe = plane[:_PROBE]
        packed = self._codec.compress(plane) if len(self._codec.compress(probe)) < _GAIN * len(probe) else plane
        number = self._codec.number
        if len(packed) >= len(plane):
            packed, number = plane, _STORED
        self._write(_PLANE.pack(number, len(packed)) + bytes(packed))


def _split(new: Any, old: Any, width: int) -> list[Any]:
    """The planes of a difference, the least significant bytes first.

    Floats as integers of the same order (bijective, zeros with their signs, NaN and infinities included), subtracted modulo
    their width, small ones of either sign made small ones without.
    """
    import numpy as np

    dtype, shift = np.dtype("<" + _WIDTHS[width]), 8 * width - 1
    if width == 1:
        return [(np.frombuffer(new, dtype) - np.frombuffer(old, dtype)).data]
    ordered = _order(np.frombuffer(new, dtype), shift)
    np.subtract(ordered, _order(np.frombuffer(old, dtype), shift), out=ordered)
    zigzag = np.left_shift(ordered, 1)
    np.right_shift(ordered, shift, out=ordered)
    np.bitwise_xor(zigzag, ordered, out=zigzag)
    columns = zigzag.view(np.uint8).reshape(-1, width)
    return [np.ascontiguousarray(columns[:, place]).data for place in range(width)]


def _join(planes: list[bytes], old: Any, width: int) -> bytes:
    """What `_split` has taken apart."""
    import numpy as np

    dtype, shift = np.dtype("<" + _WIDTHS[width]), 8 * width - 1
    base = np.frombuffer(old, dtype)
    if width == 1:
        return bytes(np.frombuffer(planes[0], dtype) + base)
    columns = np.empty((len(base), width), np.uint8)
    for place, plane in enumerate(planes):
        columns[:, place] = np.frombuffer(plane, np.uint8)
    zigzag = columns.view("<u%d" % width).ravel()
    sign = -(zigzag & 1).astype(dtype)
    ordered = (zigzag >> 1).astype(dtype) ^ sign
    return bytes(_order(_order(base, shift) + ordered, shift))


def _order(numbers: Any, shift: int) -> Any:
    """Its own inverse."""
    import numpy as np

    mask = np.right_shift(numbers, shift)
    np.bitwise_and(mask, numbers.dtype.type((1 << shift) - 1), out=mask)
    return np.bitwise_xor(numbers, mask, out=mask)


def _read_piece(
    read: Callable[[int], bytes], kind: int, width: int, length: int, old: Any, codecs: dict[int, Codec]
) -> bytes:
    if kind not in (_DIFFERENT, _BYTES) or width not in _WIDTHS or length % width:
        raise DifferenceError("a part of it makes no sense")
    if kind == _BYTES:
        return _read_plane(read, length, codecs)
    planes = [_read_plane(read, length // width, codecs) for _ in range(width)]
    return _join(planes, old, width)


def _read_plane(read: Callable[[int], bytes], length: int, codecs: dict[int, Codec]) -> bytes:
    number, size = _PLANE.unpack(_take(read, _PLANE.size))
    if size > length or (number != _STORED and number not in codecs):
        raise DifferenceError("a part of it makes no sense")
    data = _take(read, size)
    try:
        plane = data if number == _STORED else codecs[number].decompress(data, length)
    except Exception as error:  # noqa: BLE001 - each codec has errors of its own
        raise DifferenceError("a part of it is damaged: %s" % error) from None
    if len(plane) != length:
        raise DifferenceError("a part of it is too short")
    return plane


def _take(read: Callable[[int], bytes], count: int) -> bytes:
    data = read(count)
    if len(data) != count:
        raise DifferenceError("it is cut off")
    return data


def _list_codecs() -> list[Codec]:
    found = [Codec(_DEFLATED, "deflate", _deflate, _inflate)]
    name = next(filter(_has_module, _ZSTD_MODULES), "")
    return [_make_zstd(importlib.import_module(name)), *found] if name else found


def _has_module(name: str) -> bool:
    """Without importing it."""
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:  # its package is not there
        return False


def _make_zstd(module: Any) -> Codec:
    if hasattr(module, "ZstdCompressor") and not hasattr(module, "ZstdFile"):  # the package
        compress = module.ZstdCompressor(level=1).compress

        def decompress(data: bytes, length: int) -> bytes:
            return bytes(module.ZstdDecompressor().decompress(data, max_output_size=length))

        return Codec(_ZSTD, "zstd", compress, decompress)

    def inflate(data: bytes, length: int) -> bytes:
        return bytes(module.ZstdDecompressor().decompress(data, max_length=length))

    return Codec(_ZSTD, "zstd", lambda data: bytes(module.compress(data, level=1)), inflate)


def _deflate(data: Any) -> bytes:
    """Runs and frequencies only: planes of differences hold no repetitions, and looking for them takes most of the time."""
    maker = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_RLE)
    return maker.compress(data) + maker.flush()


def _inflate(data: bytes, length: int) -> bytes:
    return zlib.decompressobj(-15).decompress(data, max(1, length))


class _File:
    """A file's bytes by their place. Read, not mapped: a file that is cut short meanwhile must not end the process."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self._fd).st_size

    def close(self) -> None:
        os.close(self._fd)

    def read(self, offset: int, count: int) -> bytes:
        """So many bytes; raises DifferenceError where they are not there any more."""
        data = os.pread(self._fd, count, offset)
        if len(data) != count:
            raise DifferenceError("a file has changed meanwhile")
        return data
